"""Desks that are broken on purpose, each in one place, so that the judge can be seen to notice.

`apply` changes the modules of this very process: it is meant for a process of its own, that runs worlds and
ends.
"""

from collections.abc import Callable
from decimal import ROUND_CEILING, Decimal
from typing import Any

from msgspec.structs import replace

from neuratrade.core.engine import answers, brackets, entries, exits, fold, judging, protection
from neuratrade.core.engine.cover import live_stops
from neuratrade.core.engine.engine import Engine, Step
from neuratrade.core.engine.fold import orders as folded
from neuratrade.core.engine.markets import Markets
from neuratrade.core.engine.reconcile import Reconciler
from neuratrade.core.engine.state import BracketState, DeskState, OrderState
from neuratrade.core.engine.turn import Turn
from neuratrade.core.model import facts as f
from neuratrade.core.model.commands import SubmitOrder
from neuratrade.core.model.events import VenueSnapshot
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.orders import OrderRole
from neuratrade.core.risk.view import AccountView
from neuratrade.hands.turns import Turns


def _send_before_journal() -> None:
    def carry_out(self: Turns, step: Step, at_ns: int) -> None:
        self._recorder.record(step.facts)
        for fact in step.facts:
            if self._sender is not None:
                self._sender.learn(fact)
        for command in step.commands:
            self._dispatch(command, max(at_ns, self.engine.state.now_ns))
        self.flush()

    _set(Turns, "carry_out", carry_out)


def _no_resize_on_partial_fill() -> None:
    fit = protection._fit_stops

    def once(turn: Turn, bracket: BracketState, *, anew: bool) -> None:
        if not live_stops(turn, bracket):
            fit(turn, bracket, anew=anew)

    _set(protection, "_fit_stops", once)


def _resend_on_unknown() -> None:
    def look_later(turn: Turn, bracket: BracketState, order: OrderState) -> None:
        turn.commands.append(SubmitOrder(turn._approve(bracket, order.request)))

    _set(answers, "look_later", look_later)


def _peak_lost_at_restart() -> None:
    begin = Engine.__init__

    def forgetful(self: Engine, config: Any, state: DeskState | None = None) -> None:
        if state is not None:
            for account in state.accounts.values():
                account.session_peak = Decimal(0)
        begin(self, config, state)

    _set(Engine, "__init__", forgetful)


def _quantity_rounded_up() -> None:
    def up(self: Instrument, quantity: Decimal) -> Decimal:
        return (quantity / self.lot).to_integral_value(ROUND_CEILING) * self.lot

    _set(Instrument, "round_quantity", up)


def _target_before_stop() -> None:
    proceed = exits.proceed

    def at_once(turn: Turn, bracket: BracketState) -> None:
        if turn.order(bracket.exit_order) is None:
            exits._send_exit(turn, bracket)
        proceed(turn, bracket)

    _set(exits, "proceed", at_once)
    _set(brackets, "proceed", at_once)


def _counter_not_persisted() -> None:
    step = Engine.step

    def counting(self: Engine, event: Any) -> Step:
        done = step(self, event)
        for fact in done.facts:
            if isinstance(fact, f.OrderFilled):
                account = self.state.accounts[fact.fill.account_id]
                account.losses += 1
        return done

    _set(Engine, "step", counting)


def _approval_reused() -> None:
    end = brackets.after_done

    def again(turn: Turn, bracket: BracketState, order: OrderState) -> None:
        if order.request.role is OrderRole.ENTRY and bracket.entered > 0:
            entries.open_bracket(turn, bracket)
        end(turn, bracket, order)

    def unused(state: DeskState, fact: f.OrderPlanned) -> None:
        plan(state, fact)
        if fact.request.role is OrderRole.ENTRY:
            state.brackets[fact.request.bracket_id].entry_used = Decimal(0)

    plan = folded.order_planned
    _set(brackets, "after_done", again)
    fold._FOLDS[f.OrderPlanned] = unused


def _fill_booked_twice() -> None:
    repeated = answers._is_repeated

    def never(order: OrderState, event: f.VenueEvent) -> bool:
        return False if isinstance(event, f.OrderFilled) else repeated(order, event)

    _set(answers, "_is_repeated", never)


def _open_brackets_not_counted() -> None:
    view = judging._account_view

    def alone(*arguments: Any) -> AccountView:
        seen = view(*arguments)
        return replace(seen, gross_notional=Decimal(0), instrument_notional=Decimal(0), open_brackets=0)

    _set(judging, "_account_view", alone)


def _snapshots_not_read() -> None:
    def blind(self: Reconciler, turn: Turn, snapshot: VenueSnapshot, markets: Markets) -> bool:
        return False

    _set(Reconciler, "compare", blind)


def _one_denial_is_proof() -> None:
    _set(folded, "NOT_THERE_AFTER_NS", 0)


MUTANTS: dict[str, Callable[[], None]] = {
    "send before journal": _send_before_journal,
    "no resize on partial fill": _no_resize_on_partial_fill,
    "resend on unknown": _resend_on_unknown,
    "peak lost at restart": _peak_lost_at_restart,
    "quantity rounded up": _quantity_rounded_up,
    "target before stop": _target_before_stop,
    "counter not persisted": _counter_not_persisted,
    "approval reused": _approval_reused,
    "fill booked twice": _fill_booked_twice,
    "one denial is proof": _one_denial_is_proof,
    "open brackets not counted": _open_brackets_not_counted,
    "snapshots not read": _snapshots_not_read,
}


def apply(name: str) -> None:
    """Breaks this process's desk. Raises KeyError for a name that is not in `MUTANTS`."""
    MUTANTS[name]()


def _set(owner: object, name: str, value: object) -> None:
    setattr(owner, name, value)
