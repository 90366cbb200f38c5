"""The desk on a simulated venue: engine, sender, recorder and venue stepped together in engine time.

Replay, paper and backtest all run here; what differs is who feeds it and where its facts go. In every turn
facts are safe before commands leave. A bar is lived through in the order a day has: the open, the range,
what was watched, what was timed, and only then its close, on which strategies may speak.
"""

from collections.abc import Callable, Coroutine
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
from neuratrade.hands.recorder import Recorder
from neuratrade.hands.sender import Sender
from neuratrade.hands.trades import TradedMarkets
from neuratrade.hands.turns import Turns, Watcher
from neuratrade.venues.paper.exchange import PaperExchange

RANGE_LEAD_NS = NS_PER_SECOND
"""The range of a bar is lived through this long before its close, so answers arrive inside the bar."""

RECOVERY_NS = 5 * NS_PER_SECOND
"""After a restart this much passes before the first new price: time for two looks at what is in doubt."""


class SimulatedDesk:
    """One engine and one simulated venue. Not thread-safe; one owner drives it.

    watchers see each fact after it is safe. markets: makes bars and quotes of trades, where only these come.
    """

    def __init__(
        self,
        engine: Engine,
        exchange: PaperExchange,
        recorder: Recorder,
        sender: Sender | None,
        watchers: tuple[Watcher, ...] = (),
        markets: TradedMarkets | None = None,
    ) -> None:
        self.engine = engine
        self.exchange = exchange
        self.bars_seen = 0
        self._turns = Turns(engine, recorder, sender, self._carry, watchers)
        self._step = self._turns.step
        self._sender = sender
        self._markets = markets
        self._clock_due_ns = 0

    @property
    def journal_failed(self) -> bool:
        """Whether the journal could not be written when it was last tried."""
        return self._turns.journal_failed

    @property
    def now_ns(self) -> int:
        """Engine time."""
        return self.engine.state.now_ns

    @property
    def replays(self) -> bool:
        """Whether engine time is that of a recording, not of the wall."""
        return True

    @property
    def is_sending(self) -> bool:
        """Whether something is on its way to a venue that is waited for: never here."""
        return False

    def streams(self, note: Callable[[str], None]) -> dict[str, Coroutine[object, object, None]]:
        """Tasks that must run beside the desk: none, since its venue is stepped."""
        return {}

    def take(self, event: e.Event) -> None:
        """Steps the engine with an outside event; the venue hears what it did to account and contracts."""
        for fact in self._turns.step(event).facts:
            self.exchange.hear(fact)

    def watch(self, watcher: Watcher) -> None:
        """Shows `watcher` every fact from now on, after it is safe."""
        self._turns.watch(watcher)

    def judge(self, event: e.IntentArrived) -> f.IntentJudged | None:
        """Takes an outside intent and returns the gate's verdict on it."""
        return self._turns.judge(event)

    def recover(self, at_ns: int) -> None:
        """Carries out what a restart has to ask and guard."""
        self._turns.carry_out(self.engine.recover(at_ns), at_ns)
        self._run_until(at_ns + RECOVERY_NS)

    def bars(self, together: list[Bar]) -> None:
        """Lives through bars that close at the same instant."""
        close_ns = together[0].close_ns
        if self._is_idle():
            for bar in together:
                self.exchange.pass_bar(bar)
        else:
            self._live_through(together, close_ns)
        for bar in together:
            self._step(e.BarClosed(bar, close_ns))
        self._step(e.ClockTick(close_ns))
        self.bars_seen += len(together)
        self._turns.flush_if_pressing()

    def _is_idle(self) -> bool:
        """Whether nothing waits, rests or is held, so that nothing can happen before the bar closes."""
        state = self.engine.state
        return self.exchange.is_idle and not state.timers and not state.brackets

    def _live_through(self, together: list[Bar], close_ns: int) -> None:
        """The open and the range of bars, with all that comes due in them."""
        # Where bars are missing, what was due in the gap happens in the gap, not at the next bar's price.
        self._run_until(min([bar.open_ns for bar in together]) - 1)
        for bar in together:
            self.exchange.open_bar(bar)
        range_ns = close_ns - RANGE_LEAD_NS
        self._run_until(range_ns - 1)
        for bar in together:
            self.exchange.range_bar(bar, range_ns)
        self._run_until(range_ns + RANGE_LEAD_NS // 2)
        if self.engine.state.brackets:
            for bar in together:
                self._step(e.BarSeen(bar, range_ns + RANGE_LEAD_NS // 2))
        self._run_until(close_ns - 1)
        for bar in together:
            self.exchange.shut_bar(bar)

    def tick(self, tick: Quote | Trade) -> None:
        """Takes a quote or a trade, after everything that was due before it. The clock ticks each second."""
        self._close_bars_of_trades(tick.at_ns)
        self._run_until(tick.at_ns)
        self._show(tick)
        if isinstance(tick, Trade) and self._markets is not None:
            self._markets.take(tick)
            quote = self._markets.quote_of(tick)
            if quote is not None:
                self._show(quote)
        self._run_until(tick.at_ns)
        if tick.at_ns >= self._clock_due_ns:
            self._clock_due_ns = tick.at_ns + NS_PER_SECOND
            self._step(e.ClockTick(tick.at_ns))
        self._turns.flush_if_pressing()

    def _show(self, tick: Quote | Trade) -> None:
        if isinstance(tick, Quote):
            self.exchange.see_quote(tick)
        else:
            self.exchange.see_trade(tick)
        self._step(tick)

    def _close_bars_of_trades(self, at_ns: int) -> None:
        if self._markets is None:
            return
        for bar in self._markets.ended_by(at_ns):
            self._run_until(bar.close_ns)
            self._step(e.BarClosed(bar, bar.close_ns))
            self._step(e.ClockTick(bar.close_ns))
            self.bars_seen += 1

    def clock(self, at_ns: int) -> None:
        """Lets engine time pass without market data: timers, answers, marks."""
        self._run_until(at_ns)
        self._step(e.ClockTick(at_ns))
        self._turns.flush_if_pressing()

    def warm_up(self, bar: Bar) -> None:
        """Feeds one bar of history: indicators only, no trading, nothing recorded."""
        self.engine.step(e.BarClosed(bar, bar.close_ns, warm_up=True))

    def flush(self) -> None:
        """Makes every fact so far safe, or halts new exposure when that fails."""
        self._turns.flush()

    def _run_until(self, until_ns: int) -> None:
        """Venue answers and timers, in order of time, up to and including `until_ns`."""
        exchange, state = self.exchange, self.engine.state
        while True:
            venue_ns, timers = exchange.next_due_ns, state.timers
            timer_ns = min(timers.values()) if timers else None
            venue_first = venue_ns is not None and (timer_ns is None or venue_ns <= timer_ns)
            due_ns = venue_ns if venue_first else timer_ns
            if due_ns is None or due_ns > until_ns:
                return
            if venue_first:
                event = exchange.run_next()
                if event is not None:
                    self._step(event)
            else:
                due_ns = max(due_ns, state.now_ns)
                self._step(f.TimerFired(due_ns, min(timers, key=lambda name: (timers[name], name))))

    def _carry(self, command: Command, now_ns: int) -> None:
        exchange = self.exchange
        match command:
            case SubmitOrder(order=order):
                self._check(order, now_ns)
                exchange.submit(order.request, now_ns)
            case CancelOrder(client_order_id=coid):
                exchange.cancel(coid, now_ns)
            case AmendOrder(order=order, quantity=quantity, stop_price=stop_price):
                self._check(order, now_ns)
                exchange.amend(order.request.client_order_id, quantity, stop_price, now_ns)
            case LookUpOrder(client_order_id=coid):
                exchange.look_up(coid, now_ns)
            case TakeSnapshot():
                exchange.take_snapshot(now_ns)
            case _:
                assert_never(command)

    def _check(self, order: Approved, now_ns: int) -> None:
        if self._sender is not None:
            self._sender.check(order, now_ns)
