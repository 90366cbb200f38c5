"""The gate's answer to a basket: all of its legs or none, and never more at stake than the cap fixed before.

Each leg is judged as an OPEN of its own, from a view in which the legs before it already count, so that
together they get no further than one intent could. Where a leg is cut, all are cut by the same share, each
floored to its own lot, so that they keep their ratio to within a lot; the loss cap of a hedged leg is cut
with it. The worst loss by construction, costs included, has to lie within the basket's cap and within what
one trade may risk; that refuses and never cuts, since a cap is a promise about sizes that were meant.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from neuratrade.core.engine.entries import open_bracket
from neuratrade.core.engine.slices import execution_report
from neuratrade.core.engine.state import DeskState
from neuratrade.core.engine.turn import Turn
from neuratrade.core.model.approval import LayerReport, Signer, Verdict
from neuratrade.core.model.decimals import ONE, ZERO
from neuratrade.core.model.facts import IntentJudged, MarketSeen
from neuratrade.core.model.intent import BasketIntent, Hedged, Lane, OpenIntent
from neuratrade.core.risk.case import lay_out
from neuratrade.core.risk.gate import Judgement, judge
from neuratrade.core.risk.layer import approve, missing, refuse, text
from neuratrade.core.risk.limits import Limits
from neuratrade.core.risk.view import GateView

MOST_LEGS = 10
_Look = Callable[[OpenIntent], GateView]


class _Leg(NamedTuple):
    intent: OpenIntent
    view: GateView
    answer: Judgement


def judge_open(intent: OpenIntent, view: GateView, limits: Limits, signer: Signer | None) -> Judgement:
    """The gate's answer to one OPEN, and to the way its entry is to be cut."""
    answer = judge(intent, view, limits, signer)
    contract = view.instrument
    report = None if contract is None else execution_report(intent, contract, answer.quantity)
    if report is None:
        return answer
    layers = (*answer.layers, report)
    if report.verdict.blocks:
        return Judgement(False, ZERO, layers, None)
    return replace(answer, layers=layers)


def judge_basket(turn: Turn, basket: BasketIntent, look: _Look, signer: Signer | None) -> None:
    """Judges a basket whole, journals every verdict, and sends the entries of all legs or of none.

    look: the gate's view for one leg, from the state as it is.
    """
    reports, legs = _judged(turn.state, basket, look, signer)
    approved = not any(report.verdict.blocks for report in reports)
    share = legs[0].answer.quantity / (basket.legs[0].quantity or ONE) if approved else ZERO
    turn.record(IntentJudged(turn.at_ns, basket, approved, share, tuple(reports), MarketSeen()))
    if not approved:
        return
    for leg in legs:
        answer, seen = leg.answer, leg.view.seen()
        turn.record(
            IntentJudged(turn.at_ns, leg.intent, True, answer.quantity, answer.layers, seen, answer.envelope)
        )
    for leg in legs:
        open_bracket(turn, turn.state.brackets[leg.intent.intent_id])


def _judged(
    state: DeskState, basket: BasketIntent, look: _Look, signer: Signer | None
) -> tuple[list[LayerReport], list[_Leg]]:
    fault = _shape_fault(state, basket)
    if fault is not None:
        return [fault], []
    reports = [approve("basket", f"{len(basket.legs)} legs", f"2..{MOST_LEGS}")]
    asked = _judge_legs(basket.legs, look, state.limits, signer)
    refusals = _refusals(asked)
    if refusals:
        return reports + refusals, []
    legs = asked
    least = min(asked, key=lambda leg: leg.answer.quantity / (leg.intent.quantity or ONE))
    share = least.answer.quantity / (least.intent.quantity or ONE)
    if share < 1:
        scaled = [_scaled(leg, least) for leg in asked]
        legs = _judge_legs(scaled, look, state.limits, signer)
        refusals = _refusals(legs)
        if refusals:
            return reports + refusals, []
        cut = [leg for leg in legs if leg.answer.quantity != leg.intent.quantity]
        if cut:
            name, left = cut[0].intent.intent_id, text(cut[0].answer.quantity)
            reason = f"leg {name} is cut again when all are cut: their ratio would be lost"
            return [*reports, refuse("basket_scale", reason, left, text(cut[0].intent.quantity))], []
    verdict = Verdict.APPROVE if share == 1 else Verdict.RESIZE
    reason = "" if share == 1 else f"leg {least.intent.intent_id} was cut: all legs times {text(share)}"
    reports.append(LayerReport("basket_scale", verdict, reason, text(share), "one ratio"))
    reports.append(_loss_report(basket, legs, state.limits))
    return reports, legs


def _judge_legs(
    intents: Sequence[OpenIntent], look: _Look, limits: Limits, signer: Signer | None
) -> list[_Leg]:
    legs: list[_Leg] = []
    ids = frozenset(intent.intent_id for intent in intents)
    for intent in intents:
        view = replace(_counting(look(intent), intent, legs), in_basket=ids)
        legs.append(_Leg(intent, view, judge_open(intent, view, limits, signer)))
    return legs


def _counting(view: GateView, intent: OpenIntent, earlier: Sequence[_Leg]) -> GateView:
    """The view in which the legs before this one are open already."""
    account = view.account
    if account is None:
        return view
    gross = here = ZERO
    opened = 0
    for leg in earlier:
        contract = leg.view.instrument
        value = ZERO if contract is None else contract.notional(leg.answer.quantity, leg.intent.trigger_price)
        gross += value
        here += value if leg.intent.instrument == intent.instrument else ZERO
        opened += (leg.intent.lane is Lane.SCALP) == (intent.lane is Lane.SCALP)
    counted = replace(
        account,
        gross_notional=account.gross_notional + gross,
        instrument_notional=account.instrument_notional + here,
        open_brackets=account.open_brackets + len(earlier),
        trades_today=account.trades_today + opened,
    )
    return replace(view, account=counted)


def _scaled(leg: _Leg, least: _Leg) -> OpenIntent:
    """A leg cut by the share that the gate left of the one it left least of."""
    allowed, wanted = least.answer.quantity, least.intent.quantity or ONE
    quantity, contract = (leg.intent.quantity or ZERO) * allowed / wanted, leg.view.instrument
    protection = leg.intent.protection
    if isinstance(protection, Hedged):
        protection = replace(protection, loss_cap=protection.loss_cap * allowed / wanted)
    sized = quantity if contract is None else contract.round_quantity(quantity)
    return replace(leg.intent, quantity=sized, protection=protection)


def _refusals(legs: Sequence[_Leg]) -> list[LayerReport]:
    return [
        replace(report, reason=f"leg {leg.intent.intent_id}: {report.reason}")
        for leg in legs
        for report in leg.answer.refusals
    ]


def _loss_report(basket: BasketIntent, legs: Sequence[_Leg], limits: Limits) -> LayerReport:
    """Whether the worst loss by construction lies within the cap and within what one trade may risk."""
    account, worst, may_risk = legs[0].view.account, ZERO, limits.risk_per_trade_fraction
    if account is None or account.equity is None:
        return missing("basket_loss", "equity", text(basket.loss_cap))
    for leg in legs:
        case, protection = lay_out(leg.intent, leg.view, limits), leg.intent.protection
        may_risk = min(may_risk, case.limits.risk_per_trade_fraction)
        if isinstance(protection, Hedged):
            worst += protection.loss_cap
        elif case.unit_loss is None:
            return missing("basket_loss", f"what a unit of leg {leg.intent.intent_id} risks", "")
        else:
            worst += leg.answer.quantity * case.unit_loss
    limit = min(basket.loss_cap, account.equity * may_risk)
    if worst > limit:
        reason = "the legs together could lose more than is allowed"
        return refuse("basket_loss", reason, text(worst), text(limit))
    return approve("basket_loss", text(worst), text(limit))


def _shape_fault(state: DeskState, basket: BasketIntent) -> LayerReport | None:
    """What makes it no basket, whatever the market is."""
    ids = [leg.intent_id for leg in basket.legs]
    if basket.intent_id in state.seen:
        return refuse("duplicate", "this intent id was judged before", basket.intent_id, "once")
    if not 2 <= len(ids) <= MOST_LEGS:
        return refuse("basket", "too few or too many legs", str(len(ids)), f"2..{MOST_LEGS}")
    if len({*ids, basket.intent_id}) != len(ids) + 1:
        return refuse("basket", "two of its ids are the same", ", ".join(ids), "one id each")
    if not (basket.loss_cap.is_finite() and basket.loss_cap > 0):
        return refuse("basket", "its loss cap is none", str(basket.loss_cap), "above 0")
    for leg in basket.legs:
        fault = _leg_fault(state, basket, leg, ids)
        if fault is not None:
            reason, observed, limit = fault
            return refuse("basket", f"leg {leg.intent_id}: {reason}", observed, limit)
    return None


def _leg_fault(
    state: DeskState, basket: BasketIntent, leg: OpenIntent, ids: Sequence[str]
) -> tuple[str, str, str] | None:
    if leg.account_id != basket.account_id:
        return "it names another account", leg.account_id, basket.account_id
    if leg.quantity is None or not leg.quantity.is_finite() or leg.quantity <= 0:
        return "it states no quantity, so the legs have no ratio", str(leg.quantity), "above 0"
    contract, account = state.instruments.get(leg.instrument), state.accounts.get(leg.account_id)
    if contract is not None and account is not None and contract.quote != account.account.currency:
        # The cap is one amount: legs that win and lose in several currencies cannot be held against it.
        return "it is not quoted in the account's currency", contract.quote, account.account.currency
    protection = leg.protection
    if isinstance(protection, Hedged):
        if protection.other_leg not in ids or protection.other_leg == leg.intent_id:
            return "the leg that hedges it is not in this basket", protection.other_leg, "another leg"
        if not (protection.loss_cap.is_finite() and protection.loss_cap > 0):
            return "its loss cap is none", str(protection.loss_cap), "above 0"
    return None
