"""The desk on a venue that answers in its own time: orders leave as calls, answers come back as events.

A turn is the same as anywhere (`turns.py`): facts are on disk before a command leaves. What differs is what a
real venue does to a desk. Its answers may be lost: then the order is unknown and looked up, never sent again
(`outbox.py`). Its stream may be lost: then nothing opens until it stands again, and the venue is asked for
everything it has, since what happened meanwhile is not told twice. It is asked for that every so often too.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import assert_never

from neuratrade.core.engine.engine import Engine
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.approval import Approved
from neuratrade.core.model.commands import (
    AmendOrder,
    CancelOrder,
    Command,
    LookUpOrder,
    SubmitOrder,
    TakeSnapshot,
)
from neuratrade.core.model.market import NS_PER_SECOND, Bar, Quote, Trade
from neuratrade.core.model.orders import OrderRole, OrderStatus
from neuratrade.feeds.clock import Clock, backoff_s
from neuratrade.hands.alarm import Alarm
from neuratrade.hands.inbound import Inbound
from neuratrade.hands.outbox import Answer, Call, Outbox, Rank
from neuratrade.hands.recorder import Recorder
from neuratrade.hands.sender import Sender
from neuratrade.hands.trades import TradedMarkets
from neuratrade.hands.turns import Turns, Watcher
from neuratrade.venues.health import watch_health
from neuratrade.venues.port import Cleared, StreamOpened, Venue
from neuratrade.venues.pressure import PAUSE_FROM, Level, Pressure


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a venue may take, seconds."""

    submit_s: float = 5.0
    change_s: float = 5.0
    look_up_s: float = 5.0
    snapshot_s: float = 15.0
    closing_s: float = 5.0


class LiveDesk:
    """One engine and one account at one venue. Not thread-safe; one owner drives it and runs its `streams`.

    Answers go into `inbound`, in the lane that is never dropped; whoever serves it hands them to `take`.
    watchers see each fact after it is safe. markets: makes bars and quotes of trades, where only these come.
    """

    def __init__(
        self,
        engine: Engine,
        venue: Venue,
        recorder: Recorder,
        sender: Sender,
        inbound: Inbound,
        clock: Clock,
        account_id: str,
        *,
        watchers: tuple[Watcher, ...] = (),
        markets: TradedMarkets | None = None,
        patience: Patience | None = None,
    ) -> None:
        self.engine = engine
        self.bars_seen = 0
        self.is_listening = False
        self._turns = Turns(engine, recorder, sender, self._carry, watchers)
        self._venue = venue
        self._sender = sender
        self._inbound = inbound
        self._clock = clock
        self._account_id = account_id
        self._markets = markets
        self._patience = patience or Patience()
        self._notes: Callable[[str], None] = lambda _: None
        self._pressure = Pressure()
        self._settle_s = venue.capabilities.settle_s
        self._outbox = Outbox(self._tell, self._note, settle_s=self._settle_s, pressed=self._on_pressed)
        self._timers_told: set[str] = set()
        self._alarm = Alarm(clock)

    @property
    def journal_failed(self) -> bool:
        """Whether the journal could not be written when it was last tried."""
        return self._turns.journal_failed

    @property
    def now_ns(self) -> int:
        """Engine time: that of the wall."""
        return max(self._clock.now_ns(), self.engine.state.now_ns)

    @property
    def replays(self) -> bool:
        """Whether engine time is that of a recording: never here."""
        return False

    @property
    def is_sending(self) -> bool:
        """Whether calls wait to leave or to be answered: let the event loop run."""
        return self._outbox.in_flight > 0

    @property
    def is_idle(self) -> bool:
        """Whether the venue owes no answer and will be asked nothing again."""
        return self._outbox.is_idle

    def streams(self, note: Callable[[str], None]) -> dict[str, Coroutine[object, object, None]]:
        """Tasks that must run beside the desk, by name. note: takes troubles that do not end the run."""
        self._notes = note
        return {
            "venue": self._listen(),
            "time": self._watch_time(),
            "health": self._watch_health(),
        }

    def take(self, event: e.Event) -> None:
        """Takes one turn with an outside event."""
        if isinstance(event, f.TimerFired):
            self._timers_told.discard(event.timer_id)
        self._turns.step(event)
        self._stepped()

    def judge(self, event: e.IntentArrived) -> f.IntentJudged | None:
        """Takes an outside intent and returns the gate's verdict on it."""
        judged = self._turns.judge(event)
        self._stepped()
        return judged

    def watch(self, watcher: Watcher) -> None:
        """Shows `watcher` every fact from now on, after it is safe."""
        self._turns.watch(watcher)

    def recover(self, at_ns: int) -> None:
        """Carries out what a restart has to ask and guard.

        What was not answered when the desk went down may still be on its way: as with any other doubt, not
        seen is no proof until it cannot come any more.
        """
        longest_ns = round((self._patience.submit_s + self._settle_s) * NS_PER_SECOND)
        for coid, order in self.engine.state.orders.items():
            left_ns = order.planned_ns + longest_ns - at_ns
            if order.status is OrderStatus.PLANNED and left_ns > 0:
                self._outbox.doubt(coid, left_ns / NS_PER_SECOND)
                self._tell(f.OrderUnknown(at_ns, coid, "the desk went down before it was answered"))
        self._turns.carry_out(self.engine.recover(at_ns), at_ns)
        self._stepped()

    def warm_up(self, bar: Bar) -> None:
        """Feeds one bar of history: indicators only, no trading, nothing recorded."""
        self.engine.step(e.BarClosed(bar, bar.close_ns, warm_up=True))

    def bars(self, together: list[Bar]) -> None:
        """Takes bars that close at the same instant."""
        for bar in together:
            if self.engine.state.brackets:
                self._turns.step(e.BarSeen(bar, bar.close_ns))
            self._turns.step(e.BarClosed(bar, bar.close_ns))
        self.bars_seen += len(together)
        self._stepped()

    def tick(self, tick: Quote | Trade) -> None:
        """Takes a quote or a trade, after the bars that it ends."""
        if self._markets is not None:
            for bar in self._markets.ended_by(tick.at_ns):
                self._turns.step(e.BarClosed(bar, bar.close_ns))
                self.bars_seen += 1
        self._turns.step(tick)
        if isinstance(tick, Trade) and self._markets is not None:
            self._markets.take(tick)
            quote = self._markets.quote_of(tick)
            if quote is not None:
                self._turns.step(quote)
        self._stepped()

    def flush(self) -> None:
        """Makes every fact so far safe, or halts new exposure when that fails."""
        self._turns.flush()

    async def close(self) -> None:
        """Waits a little for what is on its way; what stays unanswered is looked up at the next start."""
        await self._outbox.close(self._patience.closing_s)

    async def abandon(self) -> None:
        """Drops what is on its way, as the end of the process would."""
        await self._outbox.close()

    # commands

    def _carry(self, command: Command, now_ns: int) -> None:
        match command:
            case SubmitOrder(order=order):
                self._submit(order, now_ns)
            case CancelOrder():
                self._change(command.client_order_id, partial(self._venue.cancel, command))
            case AmendOrder(order=order, quantity=quantity, stop_price=stop_price):
                cleared = self._sender.clear(order, now_ns)
                coid = cleared.request.client_order_id
                self._change(coid, partial(self._venue.amend, cleared, quantity, stop_price))
            case LookUpOrder():
                key, limit_s = command.client_order_id, self._patience.look_up_s
                self._outbox.put(Call(key, Rank.ASK, partial(self._venue.look_up, command), limit_s))
            case TakeSnapshot():
                self._ask_for_everything()
            case _:
                assert_never(command)

    def _submit(self, order: Approved, now_ns: int) -> None:
        cleared = self._sender.clear(order, now_ns)
        coid = cleared.request.client_order_id
        opens = cleared.request.role is OrderRole.ENTRY
        self._outbox.put(
            Call(
                coid,
                Rank.OPEN if opens else Rank.PROTECT,
                partial(self._venue.submit, cleared),
                self._patience.submit_s,
                refused=lambda reason: f.OrderRejected(self.now_ns, coid, reason),
                unknown=lambda reason: f.OrderUnknown(self.now_ns, coid, reason),
                objection=partial(self._entry_objection, cleared) if opens else None,
            )
        )

    def _change(self, coid: str, make: Callable[[], Awaitable[Sequence[f.VenueEvent]]]) -> None:
        """A cancel or an amend. One of unknown outcome leaves the order unknown: it is looked up."""
        self._outbox.put(
            Call(
                coid,
                Rank.PROTECT,
                make,
                self._patience.change_s,
                refused=lambda reason: f.RequestRejected(self.now_ns, coid, reason),
                unknown=lambda reason: f.OrderUnknown(self.now_ns, coid, reason),
            )
        )

    def _entry_objection(self, cleared: Cleared) -> str | None:
        """Why an entry that waited its turn may not leave any more."""
        state = self.engine.state
        if state.trading_state is not f.TradingState.RUNNING:
            return f"the desk is {state.trading_state} by now"
        if self.journal_failed:
            return "the journal cannot be written"
        if not self.is_listening:
            return "the venue's stream is down, so its fills would not be seen"
        if self._pressure.level(self.now_ns) >= Level.NO_ENTRIES:
            return "the venue says that it is asked too much: nothing is opened there for a minute"
        late_ns = self.now_ns - cleared.expires_ns
        return f"its approval expired {late_ns} ns ago" if late_ns > 0 else None

    def _ask_for_everything(self) -> None:
        make, limit_s = self._whole_account, self._patience.snapshot_s
        self._outbox.put(Call("the whole account", Rank.ASK, make, limit_s))

    async def _whole_account(self) -> tuple[e.VenueSnapshot, ...]:
        return (await self._venue.snapshot(self._account_id),)

    def _tell(self, answer: Answer) -> None:
        self._inbound.put_venue(answer)

    def _note(self, trouble: str) -> None:
        self._notes(trouble)

    # streams

    async def _listen(self) -> None:
        """Hears the venue's stream, for as long as the desk lives, and connects it anew when it is lost."""
        failed = 0
        while True:
            problem = "it ended"
            try:
                async for item in self._venue.events():
                    if isinstance(item, StreamOpened):
                        failed = 0
                        self._connected(stands=True)
                    else:
                        self._tell(item)
            except Exception as error:  # noqa: BLE001 - whatever breaks a stream, it is connected anew
                problem = f"{type(error).__name__}: {error}"
            self._connected(stands=False)
            wait_s = backoff_s(failed)
            self._note(f"the venue's stream was lost ({problem}): connecting anew in {wait_s:.1f} s")
            await self._clock.sleep(wait_s)
            failed += 1

    def _connected(self, *, stands: bool) -> None:
        if stands != self.is_listening:
            self.is_listening = stands
            self._inbound.put_venue(e.ConnectionChanged(self._account_id, self.now_ns, stands))

    async def _watch_health(self) -> None:
        """Asks the venue whether it is there; a degraded one halves what may be opened."""
        venue = self.engine.state.accounts[self._account_id].account.venue
        async for degraded in watch_health(self._ping, self._clock):
            self._note(f"{venue} {'does not answer' if degraded else 'answers again'}")
            self._inbound.put_venue(e.VenueHealth(venue, self.now_ns, degraded))

    async def _ping(self) -> None:
        async with asyncio.timeout(self._patience.look_up_s):
            await self._venue.ping()

    def _on_pressed(self) -> None:
        before = self._pressure.level(self.now_ns)
        level = self._pressure.told(self.now_ns)
        if level > before and level is Level.NO_ENTRIES:
            self._note("the venue refused three requests in a minute as too many: no entries for a minute")
        elif level > before and level is Level.PAUSE:
            reason = "the venue goes on refusing requests as too many"
            self._note(f"{reason}: a pause is proposed (neuratrade halt, or resume to go on)")
            seen = f"{PAUSE_FROM} refusals within a minute"
            self._inbound.put_venue(f.PauseProposed(self.now_ns, self._account_id, "pressure", reason, seen))

    async def _watch_time(self) -> None:
        """Tells of timers that came due, and of each second; behind the answers that came before."""
        next_second_ns = 0
        while True:
            now_ns = self.now_ns
            waiting = {
                key: due for key, due in self.engine.state.timers.items() if key not in self._timers_told
            }
            for timer_id, due_ns in sorted(waiting.items(), key=lambda timer: (timer[1], timer[0])):
                if due_ns > now_ns:
                    break
                self._timers_told.add(timer_id)
                self._inbound.put_venue(f.TimerFired(now_ns, timer_id))
            if now_ns >= next_second_ns:
                next_second_ns = now_ns + NS_PER_SECOND
                self._inbound.put_venue(e.ClockTick(now_ns))
            later = [due_ns for due_ns in waiting.values() if due_ns > now_ns]
            await self._alarm.sleep_until(min([next_second_ns, *later]), self.now_ns)

    def _stepped(self) -> None:
        """After every turn: what is pressing is made safe, and who waits for timers looks at new ones."""
        self._turns.flush_if_pressing()
        self._alarm.due(self.engine.state.next_timer_ns)
