"""The desk on a simulated venue and a live market: prices are real, time is that of the wall.

The venue is stepped as in a replay (`simulated.py`); what differs is that time passes by itself. Quotes fill
what rests as they come, so a bar is only the word of its close: its range was lived through already.
"""

from collections.abc import Callable, Coroutine

from neuratrade.core.engine.engine import Engine
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.market import NS_PER_SECOND, Bar, Quote, Trade
from neuratrade.feeds.clock import Clock
from neuratrade.hands.alarm import Alarm
from neuratrade.hands.inbound import Inbound
from neuratrade.hands.recorder import Recorder
from neuratrade.hands.sender import Sender
from neuratrade.hands.simulated import SimulatedDesk
from neuratrade.hands.turns import Watcher
from neuratrade.venues.paper.exchange import PaperExchange


class PaperDesk(SimulatedDesk):
    """A simulated venue in real time. Serve its `streams`; they put the passing of time into `inbound`."""

    def __init__(
        self,
        engine: Engine,
        exchange: PaperExchange,
        recorder: Recorder,
        sender: Sender | None,
        inbound: Inbound,
        clock: Clock,
        *,
        watchers: tuple[Watcher, ...] = (),
    ) -> None:
        super().__init__(engine, exchange, recorder, sender, watchers)
        self._inbound = inbound
        self._clock = clock
        self._alarm = Alarm(clock)

    @property
    def now_ns(self) -> int:
        """Engine time: that of the wall."""
        return max(self._clock.now_ns(), self.engine.state.now_ns)

    @property
    def replays(self) -> bool:
        """Whether engine time is that of a recording: never here."""
        return False

    def streams(self, note: Callable[[str], None]) -> dict[str, Coroutine[object, object, None]]:
        """Tasks that must run beside the desk: the passing of time."""
        return {"time": self._watch_time()}

    def take(self, event: e.Event) -> None:
        """Takes an outside event; a tick of the clock lets time pass."""
        if isinstance(event, e.ClockTick):
            self.clock(event.at_ns)
        else:
            super().take(event)
        self._stepped()

    def judge(self, event: e.IntentArrived) -> f.IntentJudged | None:
        """Takes an outside intent and returns the gate's verdict on it."""
        judged = super().judge(event)
        self._stepped()
        return judged

    def recover(self, at_ns: int) -> None:
        """Carries out what a restart has to ask and guard; the answers come as time passes."""
        self._turns.carry_out(self.engine.recover(at_ns), at_ns)

    def bars(self, together: list[Bar]) -> None:
        """Takes bars that closed at the same instant."""
        now_ns = self.now_ns
        self._run_until(now_ns)
        for bar in together:
            self._step(e.BarClosed(bar, now_ns))
        self.bars_seen += len(together)
        self._turns.flush_if_pressing()
        self._stepped()

    def tick(self, tick: Quote | Trade) -> None:
        """Takes a quote or a trade, after everything that was due before it."""
        super().tick(tick)
        self._stepped()

    async def _watch_time(self) -> None:
        """Tells of each second, and sooner when the venue or a timer is due."""
        next_second_ns = 0
        while True:
            now_ns = self.now_ns
            due_ns = self._next_due_ns()
            if now_ns >= next_second_ns or (due_ns is not None and due_ns <= now_ns):
                next_second_ns = now_ns - now_ns % NS_PER_SECOND + NS_PER_SECOND
                self._inbound.put_venue(e.ClockTick(now_ns))
                # What is due is done before it is looked for again.
                due_ns = None
            next_ns = next_second_ns if due_ns is None else min(next_second_ns, due_ns)
            await self._alarm.sleep_until(next_ns, now_ns)

    def _next_due_ns(self) -> int | None:
        due = [self.exchange.next_due_ns, self.engine.state.next_timer_ns]
        return min((item for item in due if item is not None), default=None)

    def _stepped(self) -> None:
        """After every turn: whoever waits for time looks whether something is due sooner."""
        self._alarm.due(self._next_due_ns())
