"""The desk on a simulated venue: engine, sender, recorder and venue stepped together in engine time.

Replay, paper and backtest all run here; what differs is who feeds it and where its facts go. In every turn
facts are safe before commands leave. A bar is lived through in the order a day has: the open, the range,
what was watched, what was timed, and only then its close, on which strategies may speak.
"""

from collections.abc import Callable
from typing import assert_never

from neuratrade.core.engine.engine import Engine, Step
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.commands import (
    AmendOrder,
    CancelOrder,
    Command,
    LookUpOrder,
    SubmitOrder,
    TakeSnapshot,
)
from neuratrade.core.model.market import NS_PER_SECOND, Bar, Quote, Trade
from neuratrade.core.model.orders import OrderRole
from neuratrade.hands.recorder import Recorder
from neuratrade.hands.sender import Sender
from neuratrade.hands.trades import TradedMarkets
from neuratrade.store.errors import JournalUnwritable
from neuratrade.venues.paper.exchange import PaperExchange

RANGE_LEAD_NS = NS_PER_SECOND
"""The range of a bar is lived through this long before its close, so answers arrive inside the bar."""

RECOVERY_NS = 5 * NS_PER_SECOND
"""After a restart this much passes before the first new price: time for two looks at what is in doubt."""

Watcher = Callable[[f.Fact], None]


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
        self.journal_failed = False
        self._recorder = recorder
        self._sender = sender
        self._watchers = list(watchers)
        self._unseen: list[f.Fact] = []
        self._markets = markets
        self._clock_due_ns = 0

    def take(self, event: e.Event) -> None:
        """Steps the engine with an outside event and lets the venue answer what is due by then."""
        self._step(event)

    def watch(self, watcher: Watcher) -> None:
        """Shows `watcher` every fact from now on, after it is safe."""
        self._watchers.append(watcher)

    def judge(self, event: e.IntentArrived) -> f.IntentJudged | None:
        """Takes an outside intent and returns the gate's verdict on it."""
        step = self.engine.step(event)
        self._carry_out(step, event.at_ns)
        return next((fact for fact in step.facts if isinstance(fact, f.IntentJudged)), None)

    def recover(self, at_ns: int) -> None:
        """Carries out what a restart has to ask and guard."""
        self._carry_out(self.engine.recover(at_ns), at_ns)
        self._run_until(at_ns + RECOVERY_NS)

    def bars(self, together: list[Bar]) -> None:
        """Lives through bars that close at the same instant."""
        close_ns = together[0].close_ns
        # Where bars are missing, what was due in the gap happens in the gap, not at the next bar's price.
        self._run_until(min(bar.open_ns for bar in together) - 1)
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
        for bar in together:
            self._step(e.BarClosed(bar, close_ns))
        self._step(e.ClockTick(close_ns))
        self.bars_seen += len(together)
        self._flush_if_pressing()

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
        self._flush_if_pressing()

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
        self._flush_if_pressing()

    def warm_up(self, bar: Bar) -> None:
        """Feeds one bar of history: indicators only, no trading, nothing recorded."""
        self.engine.step(e.BarClosed(bar, bar.close_ns, warm_up=True))

    def flush(self) -> None:
        """Makes every fact so far safe, or halts new exposure when that fails."""
        try:
            self._recorder.flush()
        except JournalUnwritable as error:
            self._journal_is_broken(str(error))
        else:
            self.journal_failed = False
        unseen, self._unseen = self._unseen, []
        for fact in unseen:
            for watch in self._watchers:
                watch(fact)

    def _flush_if_pressing(self) -> None:
        if self._recorder.pressing:
            self.flush()

    def _run_until(self, until_ns: int) -> None:
        """Venue answers and timers, in order of time, up to and including `until_ns`."""
        while True:
            venue_ns, timer_ns = self.exchange.next_due_ns, self.engine.state.next_timer_ns
            venue_first = venue_ns is not None and (timer_ns is None or venue_ns <= timer_ns)
            due_ns = venue_ns if venue_first else timer_ns
            if due_ns is None or due_ns > until_ns:
                return
            if venue_first:
                event = self.exchange.run_next()
                if event is not None:
                    self._step(event)
            else:
                timers = self.engine.state.timers
                due_ns = max(due_ns, self.engine.state.now_ns)
                self._step(f.TimerFired(due_ns, min(timers, key=lambda name: (timers[name], name))))

    def _step(self, event: e.Event) -> None:
        self._carry_out(self.engine.step(event), event.at_ns)

    def _carry_out(self, step: Step, at_ns: int) -> None:
        if step.facts:
            self._recorder.record(step.facts)
            self._unseen.extend(step.facts)
            if self._sender is not None:
                for fact in step.facts:
                    self._sender.learn(fact)
        if not step.commands:
            return
        self.flush()
        for command in step.commands:
            self._dispatch(command, max(at_ns, self.engine.state.now_ns))

    def _dispatch(self, command: Command, now_ns: int) -> None:
        exchange = self.exchange
        match command:
            case SubmitOrder(order=order):
                request = order.request
                if self.journal_failed and request.role is OrderRole.ENTRY:
                    reason = "not sent: the journal cannot be written"
                    self._step(f.OrderRejected(now_ns, request.client_order_id, reason))
                    return
                if self._sender is not None:
                    self._sender.check(order, now_ns)
                exchange.submit(request, now_ns)
            case CancelOrder(client_order_id=coid):
                exchange.cancel(coid, now_ns)
            case AmendOrder(order=order, quantity=quantity, stop_price=stop_price):
                if self._sender is not None:
                    self._sender.check(order, now_ns)
                exchange.amend(order.request.client_order_id, quantity, stop_price, now_ns)
            case LookUpOrder(client_order_id=coid):
                exchange.look_up(coid, now_ns)
            case TakeSnapshot():
                exchange.take_snapshot(now_ns)
            case _:
                assert_never(command)

    def _journal_is_broken(self, reason: str) -> None:
        """No new exposure while the journal cannot be written; what reduces still goes out."""
        if self.journal_failed:
            return
        self.journal_failed = True
        now_ns = self.engine.state.now_ns
        halt = e.Halt(now_ns, "desk", f"the journal cannot be written: {reason}")
        self._step(halt)
