"""Where facts go before their effects may leave: a journal, or nothing but memory in a backtest."""

from collections.abc import Sequence
from typing import Protocol

from neuratrade.core.model.facts import Fact, Marked
from neuratrade.store.emergency import EmergencyFile
from neuratrade.store.errors import JournalUnwritable
from neuratrade.store.journal import Journal

GROUP_FACTS = 500


class Recorder(Protocol):
    """Takes facts in order. `flush` returns only when all of them are safe."""

    def record(self, facts: Sequence[Fact]) -> None:
        """Takes facts; they are not safe yet."""
        ...

    def flush(self) -> None:
        """Makes all that was taken safe.

        Raises JournalUnwritable; the facts are then in the emergency file.
        """
        ...

    @property
    def pressing(self) -> bool:
        """Whether something waits that people should see soon, or too much waits."""
        ...


class MemoryRecorder:
    """Keeps facts in a list: for backtests and what-if runs, whose facts have no effects outside."""

    def __init__(self) -> None:
        self.facts: list[Fact] = []

    def record(self, facts: Sequence[Fact]) -> None:
        """Takes facts."""
        self.facts.extend(facts)

    def flush(self) -> None:
        """Nothing to do."""

    @property
    def pressing(self) -> bool:
        """Never."""
        return False


class JournalRecorder:
    """Writes facts to the journal in groups; when it cannot be written, to the emergency file.

    Once a fact went to the emergency file, all later ones follow it there, so that their order is kept,
    until `return_to_journal` has brought the whole file back. Where that file cannot be written either,
    the facts wait in memory and are tried again with the next flush.
    """

    def __init__(self, journal: Journal, emergency: EmergencyFile, run_id: str, account_id: str) -> None:
        self._journal = journal
        self._emergency_file = emergency
        self._run_id = run_id
        self._account_id = account_id
        self._waiting = 0
        self._pressing = False
        self._diverted = False

    def record(self, facts: Sequence[Fact]) -> None:
        """Takes facts into the journal's buffer."""
        for fact in facts:
            self._journal.append(fact, run_id=self._run_id, account_id=self._account_id)
            self._pressing = self._pressing or not isinstance(fact, Marked)
        self._waiting += len(facts)

    @property
    def pressing(self) -> bool:
        """Whether anything but marks waits, or a whole group of marks."""
        return self._pressing or self._waiting >= GROUP_FACTS

    def flush(self) -> None:
        """Commits the group, fsynced.

        Raises JournalUnwritable; the facts are then in the emergency file, or still here if need be.
        """
        self._waiting, self._pressing = 0, False
        if not self._diverted:
            try:
                self._journal.commit()
            except JournalUnwritable as error:
                self._divert(str(error))
                raise
            return
        self._divert("facts of before are still in the emergency file")
        raise JournalUnwritable(f"{self._emergency_file.path} must be moved back into the journal first")

    def return_to_journal(self) -> bool:
        """Moves the emergency file back into the journal if that can be written; whether all is there."""
        if not self._diverted:
            return True
        try:
            self._emergency_file.take_buffer(self._journal)
            self._emergency_file.reconcile(self._journal)
        except (JournalUnwritable, OSError):
            return False
        self._diverted = False
        return True

    def _divert(self, why: str) -> None:
        try:
            self._emergency_file.take_buffer(self._journal)
        except OSError as error:
            raise JournalUnwritable(
                f"{why}; {self._emergency_file.path} cannot be written either ({error.strerror}): "
                "the facts wait in memory"
            ) from error
        self._diverted = True
