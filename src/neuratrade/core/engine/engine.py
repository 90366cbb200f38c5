"""The engine: one pure step. Events in, facts and commands out; nothing else decides about money.

The caller owes it three things: events of one account in order of time, facts journaled before any command
leaves, and a `TimerFired` for every timer that comes due. In return the same events always give the same
facts, live, in paper and in a backtest.
"""

from decimal import Decimal
from typing import NamedTuple, TypeVar, assert_never

from msgspec.structs import replace

from neuratrade.core.engine import brackets as rules
from neuratrade.core.engine.config import EngineConfig
from neuratrade.core.engine.governors import Governors, cancel_entries, carry_out, count_losses, move
from neuratrade.core.engine.judging import judge_intent, propose
from neuratrade.core.engine.market import MarketView
from neuratrade.core.engine.state import BracketPhase, BracketState, DeskState, OrderState
from neuratrade.core.engine.turn import Turn
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.commands import Command
from neuratrade.core.model.intent import Direction
from neuratrade.core.model.market import NS_PER_SECOND, Bar, Book, Quote, Trade
from neuratrade.core.model.orders import OrderStatus
from neuratrade.core.risk.limits import operator_limit

OPEN_WINDOW_NS = NS_PER_SECOND
"""A fill this soon after a bar's opening happened at the open, so the whole bar came after it."""


Stamped = TypeVar("Stamped", bound=f.VenueEvent | f.TimerFired | f.CashMoved | f.RunEnded | f.DoorRefused)


class Step(NamedTuple):
    """What one event led to: facts to journal, then commands to carry out."""

    facts: list[f.Fact]
    commands: list[Command]


class Engine:
    """Steps one desk. state: durable, possibly rebuilt from a journal; it belongs to the engine alone."""

    def __init__(self, config: EngineConfig, state: DeskState | None = None) -> None:
        self.config = config
        self.state = DeskState() if state is None else state
        self.views = {key: MarketView(item, config) for key, item in config.instruments.items()}
        self._governors = Governors(config.day_offset_ns)
        self.strays = 0

    def step(self, event: e.Event) -> Step:
        """Takes one event. Raises nothing on bad venue data: events about unknown orders are counted."""
        at_ns = max(event.at_ns, self.state.now_ns) if self.state.run_id else event.at_ns
        turn = Turn(self.state, at_ns)
        match event:
            case e.BarSeen(bar=bar):
                self._watch_bar(turn, bar)
            case e.BarClosed():
                self._close_bar(turn, event)
            case Quote():
                self._watch_quote(turn, event)
            case Trade(instrument=key, price=price):
                self.views[key].see_price(price, at_ns)
            case Book() | e.ConnectionChanged() | e.VenueSnapshot():
                pass
            case e.ClockTick():
                self._governors.tick(turn, self.marks(), self._is_stale)
            case e.IntentArrived(intent=intent):
                judge_intent(turn, intent, self.config, self.views)
            case f.TimerFired():
                self._on_timer(turn, event)
            case e.Halt() | e.Resume() | e.SetLimit():
                self._on_operator(turn, event)
            case e.FeedStalled(instrument=key, stalled=stalled):
                self.views[key].stalled = stalled
            case f.RunStarted() | f.RunEnded() | f.DoorRefused() | f.CashMoved():
                self._note(turn, event)
            case _:
                self._on_venue(turn, event)
        self._after(turn)
        return Step(turn.facts, turn.commands)

    def recover(self, at_ns: int) -> Step:
        """After a restart: asks what became of every order in doubt, and guards what is held."""
        turn = Turn(self.state, max(at_ns, self.state.now_ns))
        for order in list(self.state.orders.values()):
            if order.is_live and order.status in (OrderStatus.PLANNED, OrderStatus.UNKNOWN):
                turn.look_up(order)
            elif order.is_live and order.asked == "cancel":
                turn.ask_again(order)
        if self.state.trading_state is not f.TradingState.RUNNING:
            cancel_entries(turn)
        for bracket in list(self.state.brackets.values()):
            rules.resume(turn, bracket)
        return Step(turn.facts, turn.commands)

    def marks(self) -> dict[str, Decimal]:
        """Price of every held instrument for valuing it: long at the bid, short at the ask."""
        prices: dict[str, Decimal] = {}
        for account in self.state.accounts.values():
            for key, position in account.positions.items():
                view = self.views.get(key)
                price = None if view is None or position.quantity == 0 else view.mark_for(position.quantity)
                if price is not None:
                    prices[key] = price
        return prices

    def _is_stale(self, instrument: str, at_ns: int) -> bool:
        view = self.views[instrument]
        return view.stalled or at_ns - view.price_ns > self.state.limits.price_age_ns

    def _watch_bar(self, turn: Turn, bar: Bar) -> None:
        self.views[bar.instrument].seen_bar = bar
        for bracket in self._brackets_of(bar.instrument):
            self._watch_bracket(turn, bracket, bar)

    def _watch_bracket(self, turn: Turn, bracket: BracketState, bar: Bar) -> None:
        best = bar.high if bracket.intent.direction is Direction.LONG else bar.low
        since_open = bracket.opened_ns <= bar.open_ns + OPEN_WINDOW_NS
        # An entry filled inside the bar may have come after its best price: only the close is certain.
        rules.watch(turn, bracket, best if since_open else bar.close, may_target=True)

    def _watch_quote(self, turn: Turn, quote: Quote) -> None:
        self.views[quote.instrument].see_quote(quote)
        for bracket in self._brackets_of(quote.instrument):
            best = quote.bid if bracket.intent.direction is Direction.LONG else quote.ask
            if best is not None:
                rules.watch(turn, bracket, best, may_target=True)

    def _close_bar(self, turn: Turn, event: e.BarClosed) -> None:
        view = self.views[event.bar.instrument]
        said = view.close_bar(event.bar)
        if event.warm_up:
            return
        for word in said:
            intent = propose(word, self.config, view, self.state.run_id, turn.at_ns)
            if intent is not None:
                judge_intent(turn, intent, self.config, self.views)

    def _brackets_of(self, instrument: str) -> list[BracketState]:
        if not self.state.brackets:
            return []
        return [
            item
            for item in self.state.brackets.values()
            if item.intent.instrument == instrument and item.phase is BracketPhase.OPEN
        ]

    def _note(self, turn: Turn, event: f.RunStarted | f.RunEnded | f.DoorRefused | f.CashMoved) -> None:
        if isinstance(event, f.RunStarted):
            turn.record(event)
        elif isinstance(event, f.CashMoved) and event.account_id not in self.state.accounts:
            self.strays += 1
        else:
            turn.record(_stamped(event, turn.at_ns))

    def _on_venue(self, turn: Turn, event: f.VenueEvent) -> None:
        coid = event.fill.client_order_id if isinstance(event, f.OrderFilled) else event.client_order_id
        order = self.state.orders.get(coid)
        if order is None or self._is_repeated(order, event) or _contradicts(order, event):
            self.strays += 1
            return
        bracket = self.state.brackets[order.request.bracket_id]
        asked = order.asked
        turn.record(_stamped(event, turn.at_ns))
        match event:
            case f.OrderFilled():
                self._halt_when_flipped(turn, bracket)
                rules.after_fill(turn, bracket, order)
                self._look_again(turn, bracket)
            case f.OrderAccepted():
                rules.after_accepted(turn, bracket, order)
            case f.OrderAmended():
                rules.guard(turn, bracket)
            case f.OrderCancelled() | f.OrderExpired() | f.OrderRejected() | f.OrderNotFound():
                rules.after_done(turn, bracket, order)
                self._look_again(turn, bracket)
            case f.RequestRejected():
                rules.after_refused_request(turn, bracket, order, asked)
            case f.OrderUnknown():
                turn.look_up(order)
                rules.guard(turn, bracket)
            case _:
                assert_never(event)

    def _is_repeated(self, order: OrderState, event: f.VenueEvent) -> bool:
        if isinstance(event, f.OrderFilled):
            return event.fill.trade_id in order.trade_ids
        return order.status.is_final

    def _halt_when_flipped(self, turn: Turn, bracket: BracketState) -> None:
        """More left than was held: the venue's word stands and is booked, but a person has to look."""
        if bracket.held < 0:
            observed, reason = (
                str(bracket.held_signed),
                f"bracket {bracket.bracket_id} left more than it held",
            )
            move(turn, f.TradingState.HALTED, "reconcile", reason, observed, "0", latched=True)

    def _look_again(self, turn: Turn, bracket: BracketState) -> None:
        """While a bar is being watched, a ladder may have its next rung on the very same bar."""
        bar = self.views[bracket.intent.instrument].seen_bar
        if bar is not None and bracket.bracket_id in self.state.brackets and bracket.rungs_done:
            self._watch_bracket(turn, bracket, bar)

    def _on_timer(self, turn: Turn, event: f.TimerFired) -> None:
        due_ns = self.state.timers.get(event.timer_id)
        if due_ns is None or turn.at_ns < due_ns:
            return
        turn.record(_stamped(event, turn.at_ns))
        kind, _, bracket_id = event.timer_id.partition(":")
        bracket = self.state.brackets.get(bracket_id)
        if bracket is None:
            return
        level = self.views[bracket.intent.instrument].price or bracket.stop_price
        if kind == "entry":
            entry = turn.order(bracket.entry_order)
            if entry is not None:
                turn.cancel(entry, "the entry rested long enough")
        elif kind == "hold":
            rules.leave(turn, bracket, f.CloseReason.TIME, level)
        elif kind == "protect" and not bracket.protected:
            self._unprotected_too_long(turn, bracket, level)
        elif kind.startswith("exit-"):
            rules.leave(turn, bracket, f.CloseReason(kind.removeprefix("exit-")), level)
        elif kind.startswith("reduce-"):
            rest = Decimal(kind.removeprefix("reduce-"))
            rules.begin_exit(turn, bracket, f.CloseReason.MANUAL, rest, level, level)

    def _unprotected_too_long(self, turn: Turn, bracket: BracketState, level: Decimal) -> None:
        for order in (turn.order(bracket.stop_order), turn.order(bracket.exit_order)):
            if order is not None and order.is_live:
                turn.look_up(order)
        leaving = bracket.phase is BracketPhase.EXITING
        rules.leave(turn, bracket, f.CloseReason.KILL, level)
        if leaving:
            rules.resume(turn, bracket)
        if bracket.bracket_id in self.state.brackets:
            again_ns = rules.EXIT_PATIENCE_NS if leaving else rules.PROTECT_TIMEOUT_NS
            turn.set_timer(f"protect:{bracket.bracket_id}", turn.at_ns + again_ns)

    def _on_operator(self, turn: Turn, event: e.OperatorEvent) -> None:
        at_ns, operator = turn.at_ns, event.operator_id
        match event:
            case e.Halt(policy=policy, reason=reason):
                turn.record(f.OperatorActed(at_ns, operator, "halt", reason, policy))
                move(turn, f.TradingState.HALTED, "operator", reason, operator, "", latched=True)
                carry_out(turn, policy, self.marks())
            case e.Resume(reason=reason):
                turn.record(f.OperatorActed(at_ns, operator, "resume", reason))
                move(turn, f.TradingState.RUNNING, "operator", reason, operator, "", latched=False)
            case e.SetLimit(name=name, value=value, reason=reason):
                operator_limit(self.state.limits, name, value)
                turn.record(f.LimitChanged(at_ns, operator, name, value, reason))
            case _:
                assert_never(event)

    def _after(self, turn: Turn) -> None:
        for fact in list(turn.facts):
            if isinstance(fact, f.BracketClosed) and fact.pnl < 0:
                count_losses(turn, self.state.accounts[fact.account_id])


def _stamped(fact: Stamped, at_ns: int) -> Stamped:
    """The fact at engine time: what came late is true from now on. A fill keeps the venue's own time."""
    return fact if fact.at_ns >= at_ns else replace(fact, at_ns=at_ns)


def _contradicts(order: OrderState, event: f.VenueEvent) -> bool:
    """Whether an event cannot be about this order, whatever its id. Too much filled can: that is real."""
    request = order.request
    if isinstance(event, f.OrderAmended):
        return not (event.quantity.is_finite() and event.quantity > 0)
    if not isinstance(event, f.OrderFilled):
        return False
    fill = event.fill
    numbers = (fill.quantity, fill.price, fill.fee)
    same = (fill.account_id, fill.instrument, fill.side) == (
        request.account_id,
        request.instrument,
        request.side,
    )
    return not (
        same and all(number.is_finite() for number in numbers) and fill.quantity > 0 and fill.price > 0
    )
