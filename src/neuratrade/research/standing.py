"""The ladder on disk: one small file, replaced as a whole, so that a crash leaves the old step or the new.

Everybody who has to know how much a challenger may use reads it anew each time: a step lost a second ago in
another process is lost here too. A file that cannot be read is an error and never a step.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec

from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.errors import Retryable, UsageError
from neuratrade.feeds.clock import WALL
from neuratrade.feeds.files import exclusive, write_atomically
from neuratrade.research.ladder import (
    LadderLimits,
    Move,
    Rung,
    RungEvidence,
    Standing,
    challenged,
    fallen,
    judge_rung,
)

NO_CAP: Final = Decimal("Infinity")


class Ladder:
    """The ladder of one home.

    Its methods raise UsageError for a file that is no ladder, Retryable while another process writes it.
    """

    def __init__(
        self,
        path: Path,
        limits: LadderLimits | None = None,
        now_ns: Callable[[], int] = WALL.now_ns,
    ) -> None:
        self.path = path
        self.limits = limits or LadderLimits()
        self._now_ns = now_ns

    @property
    def standing(self) -> Standing:
        """Who stands where now; nobody where there is no file yet."""
        try:
            raw = self.path.read_bytes()
        except FileNotFoundError:
            return Standing()
        try:
            found = msgspec.json.decode(raw, type=Standing)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise UsageError(
                f"{self.path} is no ladder ({error}); nobody climbs until it is put right: restore it, or "
                "move it away to begin at replay"
            ) from error
        if found.challenger is None and found.rung is not Rung.REPLAY:
            raise UsageError(f"{self.path}: nobody stands on the {found.rung} step; move the file away")
        return found

    @property
    def capital_cap(self) -> Decimal:
        """The most the challenger may use, reporting currency: nothing, the small sum, or without a cap."""
        match self.standing.rung:
            case Rung.SMALL:
                return self.limits.small_capital
            case Rung.FULL:
                return NO_CAP
            case _:
                return ZERO

    def challenge(self, dna_sha256: str) -> Standing:
        """A new challenger begins at replay. Raises UsageError as `challenged` does."""
        with self._alone():
            after = challenged(self.standing, dna_sha256, self._now_ns())
            self._write(after)
            return after

    def take(self, evidence: RungEvidence) -> Move:
        """Judges evidence; what it did is on disk when this returns."""
        with self._alone():
            move = judge_rung(self.standing, evidence, self.limits, self._now_ns())
            if move.after != move.before:
                self._write(move.after)
            return move

    def roll_back(self, reason: str) -> Move:
        """Throws the challenger back to replay, whatever the evidence; it may be done on any step."""
        with self._alone():
            before = self.standing
            after = fallen(before, self._now_ns()) if before.challenger is not None else before
            if after != before:
                self._write(after)
            return Move(before, after, (reason,))

    def _write(self, standing: Standing) -> None:
        write_atomically(self.path, msgspec.json.encode(standing) + b"\n")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        lock = exclusive(self.path.with_name(f".{self.path.name}.lock"))
        try:
            lock.__enter__()
        except UsageError as error:
            raise Retryable(f"{self.path}: another process is changing the ladder; try again") from error
        try:
            yield
        finally:
            lock.__exit__(None, None, None)
