"""run: opens the desk, shows what it does, ends with a summary."""

import asyncio
import signal
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from neuratrade.core.model.errors import Retryable, UsageError
from neuratrade.interfaces.cli.output import print_json

if TYPE_CHECKING:
    from types import FrameType

    from neuratrade.app.desk import Desk
    from neuratrade.feeds.replay import ReplayFeed

AUTO = -1.0
AUTO_SECONDS = 90.0
PATIENCE_S = 2.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the command line asks for, as it was typed."""

    speed: str
    data: str
    dna: str
    venue: str
    symbols: str
    mode: str
    fresh: bool


def run_desk(wanted: Wanted, *, as_json: bool) -> None:
    """Runs a desk to its end. Raises UsageError for options or files that cannot be used."""
    _check_market(wanted)
    pace = _parse_speed(wanted.speed)
    # What nohup or a shell told this process to ignore stays ignored.
    stopping = [item for item in _stopping() if signal.getsignal(item) is not signal.SIG_IGN]
    for item in stopping:
        signal.signal(item, _interrupt)
    try:
        _open_and_run(pace, wanted, stopping, as_json=as_json)
    except KeyboardInterrupt as stopped:
        raise Retryable(
            f"{stopped} before the desk had begun, so it did nothing; start it again with `neuratrade run`"
        ) from None


def _open_and_run(
    pace: float | None, wanted: Wanted, stopping: list[signal.Signals], *, as_json: bool
) -> None:
    # Something is on the screen before the heavy half is imported.
    say = _Progress(quiet=as_json)
    market = f"live market of {wanted.venue}, no order leaves" if wanted.venue else "no key, no network"
    say.line(f"NeuraTrade: opening the desk (paper, {market})")
    from neuratrade.app.kernels import choose_cache

    choose_cache()
    from neuratrade.app.config import symbols_of
    from neuratrade.app.looking import home_in_use
    from neuratrade.app.opening import Options, open_desk
    from neuratrade.app.summary import summarise

    began = time.monotonic()
    home = home_in_use()
    options = Options(
        data=wanted.data or None,
        dna=wanted.dna or None,
        fresh=wanted.fresh,
        venue=wanted.venue,
        symbols=symbols_of(wanted.symbols) if wanted.symbols else (),
    )
    desk = open_desk(home, options, say.step)
    say.done()
    with desk:
        # From here on there is something to end in order, even before the loop turns.
        for item in stopping:
            signal.signal(item, lambda number, _: desk.runner.ask_to_stop(_received(number)))
        if desk.replay is not None:
            desk.replay.speed = pace if pace is not AUTO else _auto_speed(desk.replay)
        if desk.resumed:
            held = len(desk.state.brackets)
            say.line(f"going on with run {desk.run_id}: {held} open bracket(s), protection checked")
        reason = asyncio.run(_run(desk, stopping, as_json=as_json))
        # What is left takes a moment and must be done whole.
        for item in stopping:
            signal.signal(item, signal.SIG_IGN)
        lag_s = desk.runner.health.worst_lag_s
    rows, _ = desk.last_head
    summary = summarise(desk.state, desk.bars)
    if as_json:
        seconds = round(time.monotonic() - began, 2)
        print_json(msgspec.structs.replace(summary, rows=rows, seconds=seconds, worst_lag_s=round(lag_s, 3)))
    else:
        from neuratrade.interfaces.cli.summary import print_summary

        say.line(f"the desk has stopped: {reason}")
        print_summary(summary, home.root, _go_on(wanted))


def _go_on(wanted: Wanted) -> str:
    """The command that goes on with this run."""
    named = {"--data": wanted.data, "--venue": wanted.venue, "--symbols": wanted.symbols, "--dna": wanted.dna}
    return " ".join(["neuratrade run", *(f"{name} {value}" for name, value in named.items() if value)])


def _check_market(wanted: Wanted) -> None:
    if wanted.mode != "paper":
        raise UsageError(
            f"--mode {wanted.mode}: only paper can be run yet; until a desk can prove that it is ready for "
            "money, orders go to venues in rehearsals alone (neuratrade rehearse)"
        )
    if wanted.venue and wanted.data:
        raise UsageError("--venue and --data name two markets: give the live one or the recorded one")
    if wanted.symbols and not wanted.venue:
        raise UsageError("--symbols are those of a live market: name it, such as --venue kraken")
    if wanted.venue and wanted.speed != "auto":
        raise UsageError("--speed is of recorded markets: a live one has its own; leave it out")


def _parse_speed(text: str) -> float | None:
    """Engine seconds a second; None for max; AUTO. Raises UsageError."""
    if text in ("max", "auto"):
        return None if text == "max" else AUTO
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1e9:
        raise UsageError(f"--speed {text!r}: give a number above zero (60 = a minute a second) or max")
    return value


def _auto_speed(feed: "ReplayFeed") -> float:
    minutes = feed.total_bars / max(len(feed.instruments), 1)
    return max(minutes * 60 / AUTO_SECONDS, 1.0)


async def _run(desk: "Desk", stopping: list[signal.Signals], *, as_json: bool) -> str:
    """Runs to the end and returns the reason of it."""
    from neuratrade.interfaces.cli.live import follow

    loop = asyncio.get_running_loop()
    for item in stopping:
        loop.add_signal_handler(item, desk.runner.ask_to_stop, _received(item))
    screen = asyncio.create_task(follow(desk, quiet=as_json))
    try:
        return (await desk.run()).reason
    finally:
        screen.cancel()
        await asyncio.gather(screen, return_exceptions=True)


def _stopping() -> list[signal.Signals]:
    """What asks for an orderly end: Ctrl-C, a service manager, a terminal that is closed."""
    return [item for item in signal.Signals if item.name in ("SIGINT", "SIGTERM", "SIGHUP")]


def _interrupt(number: int, _frame: "FrameType | None") -> None:
    raise KeyboardInterrupt(_received(number))


def _received(number: int) -> str:
    return f"{signal.Signals(number).name} was received"


class _Progress:
    """What the wait is for: a line for each step that matters, and one on stderr that moves."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._tty = sys.stderr.isatty()
        self._shown = False
        self._began = time.monotonic()

    def line(self, text: str) -> None:
        """A line of its own."""
        if not self._quiet:
            sys.stdout.write(f"{text}\n")
            sys.stdout.flush()

    def step(self, what: str, done: int, total: int) -> None:
        """Progress; only shown once the wait has been noticed."""
        if self._quiet or time.monotonic() - self._began < PATIENCE_S:
            return
        share = f"{done / total:4.0%}" if total else ""
        if self._tty:
            sys.stderr.write(f"\r\x1b[Kpreparing {what} {share}")
        elif not self._shown:
            sys.stderr.write("preparing the desk (the first start on a machine compiles its kernels)\n")
        self._shown = True
        sys.stderr.flush()

    def done(self) -> None:
        """Clears the line."""
        if self._shown and self._tty:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
