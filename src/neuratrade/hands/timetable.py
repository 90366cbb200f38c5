"""What the calendar does to a running desk: its markets open and close, and its contracts are rolled.

Nothing here decides about money: sessions are told to the engine as events, and the halves of a roll are
proposals that go through the gate (`core.rolls`).
"""

from collections.abc import Coroutine, Mapping
from decimal import Decimal

from neuratrade.core.engine.engine import Engine
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.rolls import Roll, due
from neuratrade.feeds.calendars import TradingCalendar
from neuratrade.feeds.clock import Clock
from neuratrade.hands.inbound import Inbound

LOOK_S = 1.0
"""How often it is looked whether anything is to be rolled."""
LONGEST_S = 3600.0
"""The clock of the wall may be set anew, so no session is slept through whole."""
FRESH_NS = 30 * NS_PER_SECOND
"""A price older than this is none to roll at."""


class Timetable:
    """Of one desk. calendars: by the key of each instrument that is not always traded. rolls: likewise."""

    def __init__(
        self,
        engine: Engine,
        inbound: Inbound,
        clock: Clock,
        calendars: Mapping[str, TradingCalendar],
        rolls: Mapping[str, Roll],
    ) -> None:
        self._engine = engine
        self._inbound = inbound
        self._clock = clock
        self._calendars = dict(calendars)
        self._rolls = dict(rolls)
        self._proposed: set[str] = set()

    def streams(self) -> dict[str, Coroutine[object, object, None]]:
        """Tasks that must run beside the desk, by name; none where nothing closes or ends."""
        found: dict[str, Coroutine[object, object, None]] = {}
        if self._calendars:
            found["sessions"] = self._keep_sessions()
        if self._rolls:
            found["rolls"] = self._keep_rolls()
        return found

    async def _keep_sessions(self) -> None:
        while True:
            now_ns = self._clock.now_ns()
            for key, calendar in self._calendars.items():
                is_open = calendar.is_open(now_ns)
                if is_open is (key in self._engine.state.shut):
                    self._inbound.put_control(f.SessionMoved(now_ns, key, is_open))
            change_ns = min(item.next_change_ns(now_ns) for item in self._calendars.values())
            await self._clock.sleep(min((change_ns - now_ns) / NS_PER_SECOND, LONGEST_S))

    async def _keep_rolls(self) -> None:
        while True:
            now_ns = self._clock.now_ns()
            for word in due(self._engine.state, self._rolls, self._price_of, now_ns):
                # One that waits to be taken is not proposed again; the engine knows those it took.
                if word.intent_id not in self._proposed:
                    self._proposed.add(word.intent_id)
                    self._inbound.put_control(e.IntentArrived(word, now_ns))
            await self._clock.sleep(LOOK_S)

    def _price_of(self, instrument: str) -> Decimal | None:
        view = self._engine.views.get(instrument)
        if view is None or view.stalled or self._clock.now_ns() - view.price_ns > FRESH_NS:
            return None
        return view.price
