"""What the runner drives: a desk, whatever venue it trades on."""

from collections.abc import Callable, Coroutine
from typing import Protocol

from neuratrade.core.engine.engine import Engine
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.market import Bar, Quote, Trade


class TradingDesk(Protocol):
    """One engine and one venue. Not thread-safe; one owner drives it."""

    @property
    def engine(self) -> Engine: ...

    @property
    def journal_failed(self) -> bool:
        """Whether the journal could not be written when it was last tried."""
        ...

    @property
    def now_ns(self) -> int:
        """Engine time."""
        ...

    @property
    def replays(self) -> bool:
        """Whether engine time is that of a recording, not of the wall."""
        ...

    @property
    def is_sending(self) -> bool:
        """Whether calls wait to leave: let the event loop run."""
        ...

    def streams(self, note: Callable[[str], None]) -> dict[str, Coroutine[object, object, None]]:
        """Tasks that must run beside the desk, by name. note: takes troubles that do not end the run."""
        ...

    def take(self, event: e.Event) -> None:
        """Takes one turn with an outside event."""
        ...

    def judge(self, event: e.IntentArrived) -> f.IntentJudged | None:
        """Takes an outside intent and returns the gate's verdict on it."""
        ...

    def bars(self, together: list[Bar]) -> None:
        """Takes bars that close at the same instant."""
        ...

    def tick(self, tick: Quote | Trade) -> None:
        """Takes a quote or a trade."""
        ...

    def flush(self) -> None:
        """Makes every fact so far safe, or halts new exposure when that fails."""
        ...
