"""The watch folder: documents come in as files, verdicts go back as files beside them.

    intents/            senders rename complete files in here
    intents/taken/      claimed by the desk, not yet judged for good
    intents/done/       judged: NAME, and the verdict in NAME.answer.json
    intents/rejected/   no valid document: NAME, and why in NAME.reason.txt

Promise: each file is claimed once, by a rename, and leaves `taken/` only after its verdict was journaled
and written down. Order: claim, hand over, journal, answer, move to `done/`. A crash before the answer
delivers the file again at the next start, where the gate knows the intent id and doubles nothing; a crash
after it only finishes the move. Since claim and withdrawal are both one rename or unlink of one name, a
sender that gives up knows for certain whether the desk has its document (see `submit`).

Refused: links, folders, pipes, unreadable and oversized files; they go to `rejected/` like bad documents
and block nobody. Left alone: names that begin with a dot or do not end in `.json`, since those are how
programs write a file before it is complete.
"""

import os
import stat
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from pathlib import Path

from neuratrade.core.model.errors import Retryable
from neuratrade.hands.inbox.delivery import Delivery
from neuratrade.hands.inbox.files import Unfit, exists, read_document, safe_name, write_whole

POLL_S = 0.25
CLAIMED_AT_ONCE = 64
TAKEN, DONE, REJECTED = "taken", "done", "rejected"
ANSWER, REASON = ".answer.json", ".reason.txt"
# A file made by plain open-and-write is empty for a moment; this many polls later it is meant to be empty.
_POLLS_TO_FILL = 4


class FolderInbox:
    """One watched folder. One desk a folder: the lock on the home sees to that.

    folder: made with its subfolders when missing. source: what deliveries name as their inbox.
    """

    def __init__(self, folder: Path, source: str = "folder") -> None:
        self._folder = folder
        self._source = source
        self._in_flight: set[str] = set()
        self._empty_polls: dict[str, int] = {}
        self._backlog: deque[str] = deque()
        self._recovered = False

    def poll(self, limit: int = CLAIMED_AT_ONCE) -> list[Delivery]:
        """Claim and read up to `limit` files, longest waiting first; the rest stays where it is.

        The first polls after a start give what an earlier desk claimed and did not finish. A file that
        cannot be claimed holds up no other. Raises Retryable when there is nothing to give and the
        folder, or a file in it, cannot be used; nothing is lost then.
        """
        names: list[str] = []
        failure: OSError | None = None
        try:
            self._make_folders()
            if not self._recovered:
                left_behind = self._left_behind()
                names = left_behind[:limit]
                self._recovered = len(left_behind) <= limit
            if not self._backlog:
                self._backlog.extend(self._waiting())
        except OSError as error:
            failure = error
        while self._backlog and len(names) < limit:
            try:
                names.extend(self._claim(self._backlog.popleft()))
            except OSError as error:
                failure = error
        if failure is not None and not names:
            raise Retryable(
                f"{failure.filename or self._folder}: {failure.strerror}; it stays where it is; "
                f"let the desk read and write everything in {self._folder}"
            ) from failure
        self._in_flight.update(names)
        return [self._read(name) for name in names]

    def answer(self, name: str, verdict: bytes) -> None:
        """Write the verdict (JSON) on a delivery, then move its file to `done/`. After journaling only.

        Raises Retryable when that cannot be written: the verdict stands in the journal all the same, and
        the file is delivered again at the next start.
        """
        self._finish(name, DONE, ANSWER, verdict)

    def reject(self, name: str, errors: Iterable[str]) -> None:
        """Write why a delivery was turned away, one error a line, then move its file to `rejected/`.

        Raises Retryable as `answer` does.
        """
        self._finish(name, REJECTED, REASON, "".join(f"{error}\n" for error in errors).encode("utf-8"))

    async def watch(
        self,
        deliver: Callable[[Delivery], Awaitable[None]],
        sleep: Callable[[float], Awaitable[None]],
        trouble: Callable[[str], None],
    ) -> None:
        """Poll for ever. `deliver` may wait for room: nothing more is claimed meanwhile.

        trouble: told once for each new reason why the folder cannot be used.
        """
        told = ""
        while True:
            deliveries: list[Delivery] = []
            try:
                deliveries = self.poll()
                told = ""
            except Retryable as error:
                if str(error) != told:
                    told = str(error)
                    trouble(told)
            for delivery in deliveries:
                await deliver(delivery)
            await sleep(0 if len(deliveries) == CLAIMED_AT_ONCE else POLL_S)

    def _make_folders(self) -> None:
        for name in (TAKEN, DONE, REJECTED):
            (self._folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)

    def _left_behind(self) -> list[str]:
        """Names in `taken/` that an earlier desk had not finished; those it had answered are put away."""
        unfinished = []
        for path in sorted((self._folder / TAKEN).iterdir()):
            if path.name in self._in_flight:
                continue
            if exists(self._folder / DONE / f"{path.name}{ANSWER}"):
                self._put_away(path.name, DONE)
            elif exists(self._folder / REJECTED / f"{path.name}{REASON}"):
                self._put_away(path.name, REJECTED)
            else:
                unfinished.append(path.name)
        return unfinished

    def _waiting(self) -> list[str]:
        """Complete files, longest here first (by the time of the rename, which no sender can set)."""
        found: list[tuple[int, str]] = []
        empty: dict[str, int] = {}
        with os.scandir(self._folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") or not entry.name.casefold().endswith(".json"):
                    continue
                with suppress(FileNotFoundError):  # the sender took it back
                    status = entry.stat(follow_symlinks=False)
                    if status.st_size == 0 and stat.S_ISREG(status.st_mode):
                        empty[entry.name] = self._empty_polls.get(entry.name, 0) + 1
                        if empty[entry.name] <= _POLLS_TO_FILL:
                            continue
                    found.append((status.st_ctime_ns, entry.name))
        self._empty_polls = empty
        return [name for _, name in sorted(found)]

    def _claim(self, name: str) -> tuple[str, ...]:
        """Rename into `taken/` under a name that is free in all subfolders; nothing when it is gone."""
        plain = safe_name(name)
        stem, number = plain[: -len(".json")], 1
        while self._is_used(plain):
            number += 1
            plain = f"{stem}~{number}.json"
        try:
            (self._folder / name).rename(self._folder / TAKEN / plain)
        except FileNotFoundError:
            return ()
        return (plain,)

    def _is_used(self, name: str) -> bool:
        places = ((TAKEN, ""), (DONE, ""), (DONE, ANSWER), (REJECTED, ""), (REJECTED, REASON))
        return any(exists(self._folder / place / f"{name}{ending}") for place, ending in places)

    def _read(self, name: str) -> Delivery:
        try:
            return Delivery(self._source, name, read_document(self._folder / TAKEN / name))
        except Unfit as error:
            return Delivery(self._source, name, b"", (str(error),))

    def _finish(self, name: str, place: str, ending: str, content: bytes) -> None:
        try:
            write_whole(self._folder / place / f"{name}{ending}", content)
            self._put_away(name, place)
        except OSError as error:
            raise Retryable(
                f"{self._folder / place / name}: the verdict cannot be written ({error.strerror}); it"
                " is in the journal, and the file is judged again at the next start; make room there"
            ) from error
        self._in_flight.discard(name)

    def _put_away(self, name: str, place: str) -> None:
        with suppress(FileNotFoundError):  # somebody tidied up; the verdict is what counts
            (self._folder / TAKEN / name).rename(self._folder / place / name)
