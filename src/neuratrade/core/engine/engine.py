"""The engine: one pure step. Events in, facts and commands out; nothing else decides about money.

The caller owes it three things: events of one account in order of time, facts journaled before any command
leaves, and a `TimerFired` for every timer that comes due. In return the same events always give the same
facts, live, in paper and in a backtest.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
from msgspec.structs import replace

from neuratrade.core.engine import baskets, timers
from neuratrade.core.engine import brackets as rules
from neuratrade.core.engine.actions import take_action, take_new_terms
from neuratrade.core.engine.answers import take_answer, take_liquidation
from neuratrade.core.engine.config import EngineConfig
from neuratrade.core.engine.cover import note_downtime
from neuratrade.core.engine.exits import at_opening
from neuratrade.core.engine.governors import Governors, cancel_entries, count_losses
from neuratrade.core.engine.judging import judge_intent, propose
from neuratrade.core.engine.ledger import equity_of
from neuratrade.core.engine.markets import Markets
from neuratrade.core.engine.operators import obey
from neuratrade.core.engine.quiet import Quiet, quiet
from neuratrade.core.engine.reconcile import CONFIRM_NS, Reconciler
from neuratrade.core.engine.sense import makes_sense
from neuratrade.core.engine.state import BracketPhase, BracketState, DeskState
from neuratrade.core.engine.supervision import Supervision
from neuratrade.core.engine.turn import Turn
from neuratrade.core.engine.unfinished import take_up_halts
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.commands import Command
from neuratrade.core.model.intent import Direction
from neuratrade.core.model.market import NS_PER_SECOND, Bar, Book, Quote, Trade
from neuratrade.core.model.orders import OrderStatus

OPEN_WINDOW_NS = NS_PER_SECOND
"""A fill this soon after a bar's opening happened at the open, so the whole bar came after it."""


class Step(msgspec.Struct, frozen=True):
    """What one event led to: facts to journal, then commands to carry out."""

    facts: list[f.Fact]
    commands: list[Command]


class Engine:
    """Steps one desk. state: durable, possibly rebuilt from a journal; it belongs to the engine alone.

    strays: events that changed nothing, since they were repeated or about nothing known.
    """

    def __init__(self, config: EngineConfig, state: DeskState | None = None) -> None:
        self.config = config
        self.state = DeskState() if state is None else state
        self.markets = Markets(config)
        for contract in self.state.instruments.values():
            if contract.key not in self.markets.views:
                self.markets.follow(contract)
        self.views = self.markets.views
        self.strays = 0
        self._rate_of = self.markets.value_of_one
        self._governors = Governors(config.days, config.boldest)
        self._supervision = Supervision(config)
        self._reconciler = Reconciler(config.balance_tolerance_fraction)
        self._takes: dict[type, Callable[[Turn, Any], None]] = {
            e.BarSeen: self._watch_bar,
            e.BarClosed: self._close_bar,
            Quote: self._watch_quote,
            Trade: lambda turn, event: self.markets.see_trade(event, turn.at_ns),
            Book: _nothing,
            e.MarkSeen: lambda _, event: self.markets.see_mark(event),
            e.RateSeen: lambda _, event: self.markets.see_rate(event),
            e.VenueHealth: lambda _, event: self.markets.see_health(event),
            e.ClockTick: self._tick,
            e.IntentArrived: lambda turn, event: judge_intent(turn, event.intent, self.config, self.markets),
            e.FeedStalled: self._note_stall,
            e.ConnectionChanged: self._on_connection,
            e.VenueSnapshot: self._on_snapshot,
            f.TimerFired: lambda turn, event: timers.fire(turn, event, self.markets),
            f.RunStarted: self._begin,
            f.RunEnded: _record_now,
            f.DoorRefused: _record_now,
            f.PauseProposed: self._on_proposal,
            f.CashMoved: self._on_cash,
            f.SessionMoved: self._on_session,
            f.InstrumentUpdated: self._on_instrument,
            f.CorporateActed: self._on_action,
            f.Liquidated: self._on_liquidation,
        }
        for kind in (e.Halt, e.Resume, e.SetLimit, e.AdoptForeign, e.LiftQuarantine):
            self._takes[kind] = self._on_operator

    def step(self, event: e.Event) -> Step:
        """Takes one event. Raises nothing on bad venue data: what is unknown or makes no sense is counted."""
        if not makes_sense(event, self.views):
            self.strays += 1
            return Step([], [])
        state = self.state
        at_ns = event.at_ns
        if at_ns < state.now_ns and state.run_id:
            at_ns = state.now_ns
        turn = Turn(state, at_ns, self.config.venue_rules, self._rate_of)
        self._takes.get(type(event), self._on_venue)(turn, event)
        if turn.facts or (state.baskets and isinstance(event, baskets.PRICES)):
            self._after(turn, event)
        return Step(turn.facts, turn.commands)

    def recover(self, at_ns: int) -> Step:
        """After a restart: asks what became of every order in doubt, and guards what is held."""
        down_since_ns = self.state.now_ns
        now_ns = max(at_ns, down_since_ns)
        turn = Turn(self.state, now_ns, self.config.venue_rules, self._rate_of)
        for bracket in self.state.brackets.values():
            note_downtime(turn, bracket, down_since_ns)
        take_up_halts(turn, self.markets, down_since_ns)
        for order in list(self.state.orders.values()):
            if order.is_live and order.asked == "cancel":
                turn.ask_again(order)
            elif order.in_doubt and not order.asked:
                turn.look_up(order)
        if self.state.trading_state is not f.TradingState.RUNNING:
            cancel_entries(turn)
        for bracket in list(self.state.brackets.values()):
            rules.resume(turn, bracket)
        baskets.tend(turn, self.markets, None)
        self._supervision.compare_all(turn)
        self._governors.wake()
        return Step(turn.facts, turn.commands)

    def quiet(self) -> Quiet | None:
        """What has to happen before anything can; None where the very next bar may change something."""
        return None if self._governors.in_doubt else quiet(self.state, self.config)

    def marks(self) -> dict[str, Decimal]:
        """Price of every held position for valuing it."""
        return self.markets.marks(self.state.accounts, self.state.now_ns)

    def equity(self, account_id: str) -> Decimal | None:
        """Equity of an account now, in its currency; None while a price or a rate is missing."""
        account = self.state.accounts[account_id]
        return equity_of(account, self.state.instruments, self.marks(), self.markets.rates_of(account))

    # markets

    def _watch_bar(self, turn: Turn, event: e.BarSeen) -> None:
        bar = event.bar
        self.views[bar.instrument].seen_bar = bar
        for bracket in self._open_brackets(bar.instrument):
            self._watch_bracket(turn, bracket, bar)

    def _watch_bracket(self, turn: Turn, bracket: BracketState, bar: Bar) -> None:
        long = bracket.intent.direction is Direction.LONG
        best, worst = (bar.high, bar.low) if long else (bar.low, bar.high)
        # An entry filled inside the bar may have come after its best price: only the close is certain.
        since_open = bracket.opened_ns <= bar.open_ns + OPEN_WINDOW_NS
        rules.watch(turn, bracket, best if since_open else bar.close, worst if since_open else bar.close)

    def _watch_quote(self, turn: Turn, quote: Quote) -> None:
        if not self.markets.see_quote(quote):
            return
        for bracket in self._open_brackets(quote.instrument):
            best = quote.bid if bracket.intent.direction is Direction.LONG else quote.ask
            if best is not None:
                rules.watch(turn, bracket, best, best)

    def _close_bar(self, turn: Turn, event: e.BarClosed) -> None:
        view = self.views[event.bar.instrument]
        said = view.close_bar(event.bar)
        if event.warm_up:
            return
        for word in said:
            if word.strategy.while_flat and self._is_in(event.bar.instrument, word.strategy.name):
                continue
            intent = propose(word, self.config, view, self.state.run_id, turn.at_ns)
            if intent is not None:
                judge_intent(turn, intent, self.config, self.markets)

    def _open_brackets(self, instrument: str) -> list[BracketState]:
        if not self.state.brackets:
            return []
        return [
            item
            for item in self.state.brackets.values()
            if item.intent.instrument == instrument and item.phase is BracketPhase.OPEN
        ]

    def _is_in(self, instrument: str, strategy: str) -> bool:
        """Whether a strategy is entering or holds something of an instrument."""
        intents = (bracket.intent for bracket in self.state.brackets.values())
        return any(item.instrument == instrument and item.strategy_ref == strategy for item in intents)

    def _tick(self, turn: Turn, _: e.ClockTick) -> None:
        self._governors.tick(turn, self.markets)
        self._supervision.tick(turn)

    def _note_stall(self, _: Turn, event: e.FeedStalled) -> None:
        self.views[event.instrument].stalled = event.stalled

    # venues

    def _on_venue(self, turn: Turn, event: f.VenueEvent) -> None:
        before = len(turn.facts)
        bracket = take_answer(turn, event, self.markets)
        if len(turn.facts) == before:
            self.strays += 1
        elif bracket is not None:
            self._look_again(turn, bracket)

    def _look_again(self, turn: Turn, bracket: BracketState) -> None:
        """While a bar is being watched, a ladder may have its next rung on the very same bar.

        Only once a rung is done: one that found nobody to trade with would find nobody again, for ever.
        """
        bar = self.views[bracket.intent.instrument].seen_bar
        done = any(isinstance(fact, f.ExitEnded) and fact.complete for fact in turn.facts)
        if bar is not None and done and bracket.bracket_id in self.state.brackets:
            self._watch_bracket(turn, bracket, bar)

    def _on_liquidation(self, turn: Turn, event: f.Liquidated) -> None:
        for bracket in take_liquidation(turn, event):
            # The halt that comes with it may have ended a sliced entry, and its bracket with that.
            if bracket.bracket_id in self.state.brackets:
                rules.go_on(turn, bracket)
        self.strays += not turn.facts

    def _on_connection(self, turn: Turn, event: e.ConnectionChanged) -> None:
        """A stream that was lost replays nothing: what it may have missed is asked for."""
        account = self.state.accounts.get(event.account_id)
        if account is None:
            self.strays += 1
            return
        self.markets.see_health(e.VenueHealth(account.account.venue, turn.at_ns, not event.connected))
        if event.connected:
            for order in self.state.orders.values():
                if order.status is OrderStatus.UNKNOWN:
                    turn.look_up(order)
            self._supervision.ask_for_books(turn, event.account_id)

    def _on_snapshot(self, turn: Turn, event: e.VenueSnapshot) -> None:
        if event.account_id not in self.state.accounts:
            self.strays += 1
            return
        self._supervision.answered(event.account_id)
        if self._reconciler.compare(turn, event, self.markets):
            self._supervision.look_again(event.account_id, turn.at_ns + CONFIRM_NS)

    # accounts and instruments

    def _begin(self, turn: Turn, event: f.RunStarted) -> None:
        """A run that begins afresh looks at what its account holds; one that goes on is to be recovered."""
        turn.record(event)
        if event.fresh:
            self._reconciler.begin(turn.at_ns)
            self._supervision.compare_all(turn)

    def _on_cash(self, turn: Turn, event: f.CashMoved) -> None:
        account = self.state.accounts.get(event.account_id)
        if account is None:
            self.strays += 1
            return
        if event.movement_id in account.movements:
            return
        rate = self.markets.rate(event.currency, account.account.currency)
        known = event.rate if event.rate is not None or rate is None else rate.value
        turn.record(replace(event, at_ns=turn.at_ns, rate=known))

    def _on_session(self, turn: Turn, event: f.SessionMoved) -> None:
        if (event.instrument in self.state.shut) is not event.is_open:
            return
        turn.record(f.SessionMoved(turn.at_ns, event.instrument, event.is_open))
        for bracket in self._open_brackets(event.instrument):
            rules.go_on(turn, bracket)
            if event.is_open:
                at_opening(turn, bracket)

    def _on_instrument(self, turn: Turn, event: f.InstrumentUpdated) -> None:
        take_new_terms(turn, event, self.markets)
        self.strays += not turn.facts

    def _on_action(self, turn: Turn, event: f.CorporateActed) -> None:
        take_action(turn, event, self.markets, self.config.signer)
        self.strays += not turn.facts

    # people

    def _on_proposal(self, turn: Turn, event: f.PauseProposed) -> None:
        """Kept until a person answers; a desk that is halted, or was asked already, is asked no more."""
        state = self.state
        if event.account_id not in state.accounts:
            self.strays += 1
        elif state.pause_proposed is None and state.trading_state is not f.TradingState.HALTED:
            turn.record(replace(event, at_ns=turn.at_ns))

    def _on_operator(self, turn: Turn, event: e.OperatorEvent) -> None:
        obey(turn, event, self.config, self.markets)

    def _after(self, turn: Turn, event: e.Event) -> None:
        """What follows from facts whatever made them."""
        self._governors.wake()
        kinds = set(map(type, turn.facts))
        if self.state.baskets or f.BracketReopened in kinds:
            baskets.tend(turn, self.markets, event)
        for fact in list(turn.facts):
            if isinstance(fact, f.BracketClosed) and fact.pnl < 0:
                count_losses(turn, self.state.accounts[fact.account_id])


def _nothing(_: Turn, __: e.Event) -> None:
    """Nothing durable or volatile depends on it."""


def _record_now(turn: Turn, event: f.RunEnded | f.DoorRefused) -> None:
    turn.record(event if event.at_ns >= turn.at_ns else replace(event, at_ns=turn.at_ns))
