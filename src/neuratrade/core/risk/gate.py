"""The risk gate: the ordered layers, and the only place where an order becomes `Approved`.

Every layer reports on every proposal, also after another refused it, so that the answer to "why" (and
"why not") is complete. Adding a layer is one function and one line in a table below.
"""

from decimal import Decimal
from typing import NamedTuple

import msgspec

from neuratrade.core.model.approval import Envelope, LayerReport, Signer, Verdict
from neuratrade.core.model.decimals import ONE, ZERO
from neuratrade.core.model.intent import OpenIntent
from neuratrade.core.model.orders import Side
from neuratrade.core.risk import counters, intake, quality, sizing
from neuratrade.core.risk.layer import Check, SizeCap, approve, missing, refuse, text
from neuratrade.core.risk.limits import Limits
from neuratrade.core.risk.view import GateView

CHECKS: tuple[Check, ...] = (
    intake.ttl,
    intake.duplicate,
    intake.instrument,
    intake.session,
    intake.blacklist,
    intake.account,
    intake.trading_state,
    intake.warm_up,
    intake.stale_data,
    quality.confidence,
    quality.protection,
    quality.stop_distance,
    quality.stop_atr,
    quality.fat_finger,
    quality.cost,
    quality.slippage,
    quality.volume,
    quality.regime,
    counters.trades_per_day,
    counters.concurrent,
    counters.daily_loss,
    counters.session_drawdown,
    counters.drawdown_24h,
    counters.loss_streak,
    counters.lane_cooldown,
)

CAPS: tuple[tuple[str, SizeCap], ...] = (
    ("quantity", sizing.requested),
    ("risk_per_trade", sizing.risk_per_trade),
    ("atr_size", sizing.atr_size),
    ("kelly", sizing.kelly),
    ("position_cap", sizing.position_cap),
    ("leverage", sizing.leverage),
    ("usd_caps", sizing.usd_caps),
    ("liquidity", sizing.liquidity),
)

LAYER_NAMES: tuple[str, ...] = (
    *(check.__name__ for check in CHECKS),
    *(name for name, _ in CAPS),
    "regime_size",
    "risk_budget",
    "lot",
)

UNLIMITED = Decimal("Infinity")


class Judgement(NamedTuple):
    """The gate's answer: approved or not, the quantity left, every layer's report."""

    approved: bool
    quantity: Decimal
    layers: tuple[LayerReport, ...]
    envelope: Envelope | None

    @property
    def refusals(self) -> tuple[LayerReport, ...]:
        """The layers that kept it out."""
        return tuple(layer for layer in self.layers if layer.verdict.blocks)


def judge(intent: OpenIntent, view: GateView, limits: Limits, signer: Signer | None) -> Judgement:
    """Judges one proposal to open. signer None leaves the envelope unsigned: no venue accepts that."""
    reports = [check(intent, view, limits) for check in CHECKS]
    quantity = _clamp(intent, view, limits, reports)
    reports.append(_lot(intent, view, quantity))
    approved = not any(report.verdict.blocks for report in reports)
    if not approved or view.instrument is None:
        return Judgement(False, ZERO, tuple(reports), None)
    sized = view.instrument.round_quantity(quantity)
    return Judgement(True, sized, tuple(reports), _envelope(intent, view, sized, signer))


def _clamp(intent: OpenIntent, view: GateView, limits: Limits, reports: list[LayerReport]) -> Decimal:
    quantity = UNLIMITED
    for name, cap in CAPS:
        allowed, reason, observed, limit = cap(intent, view, limits)
        if allowed is None:
            reports.append(missing(name, reason, limit))
            continue
        clamps = allowed < quantity
        quantity = max(min(allowed, quantity), ZERO)
        verdict = Verdict.RESIZE if clamps and name != "quantity" else Verdict.APPROVE
        left = quantity if quantity.is_finite() else None
        reports.append(LayerReport(name, verdict, reason if clamps else "", observed, limit, left))
    quantity = _scale("regime_size", view.regime.value, sizing.regime_factor(view), quantity, reports)
    budget = sizing.budget_factor(view, limits)
    if budget is None:
        reports.append(missing("risk_budget", "equity", ""))
        return quantity
    # No posture or phase may grow a size past the caps before it.
    factor = max(min(budget * view.size_factor, ONE), ZERO)
    return _scale("risk_budget", text(budget), factor, quantity, reports)


def _scale(
    name: str, observed: str, factor: Decimal, quantity: Decimal, reports: list[LayerReport]
) -> Decimal:
    if not quantity.is_finite():
        reports.append(approve(name, observed, f"x {text(factor)}"))
        return quantity
    scaled = quantity * factor
    verdict = Verdict.APPROVE if factor == 1 else Verdict.RESIZE
    reason = "" if factor == 1 else f"size times {text(factor)}"
    reports.append(LayerReport(name, verdict, reason, observed, f"x {text(factor)}", scaled))
    return scaled


def _lot(intent: OpenIntent, view: GateView, quantity: Decimal) -> LayerReport:
    """The only size layer that refuses: what is left must be worth sending to the venue."""
    contract = view.instrument
    if contract is None:
        return missing("lot", "the instrument", "")
    if not quantity.is_finite():
        return missing("lot", "every size cap", "")
    sized = contract.round_quantity(quantity)
    value = contract.notional(sized, intent.trigger_price)
    limit = f">= {text(contract.min_quantity)}, worth >= {text(contract.min_notional)}"
    observed = f"{text(sized)} worth {text(value)}"
    if sized <= 0 or sized < contract.min_quantity or value < contract.min_notional:
        return refuse("lot", "what is left is below the venue's minimum", observed, limit)
    return LayerReport("lot", Verdict.APPROVE, "", observed, limit, sized)


def _envelope(intent: OpenIntent, view: GateView, quantity: Decimal, signer: Signer | None) -> Envelope:
    envelope = Envelope(
        approval_id=f"{intent.intent_id}/{view.now_ns}",
        account_id=intent.account_id,
        instrument=intent.instrument,
        bracket_id=intent.intent_id,
        side=Side.BUY if intent.direction.sign > 0 else Side.SELL,
        max_quantity=quantity,
        issued_ns=view.now_ns,
        expires_ns=view.now_ns + intake.entry_rest_ns(intent),
        key_id="" if signer is None else signer.key_id,
    )
    if signer is None:
        return envelope
    return msgspec.structs.replace(envelope, signature=signer.sign(envelope.signed_text()))


def adoption_envelope(intent: OpenIntent, quantity: Decimal, now_ns: int, signer: Signer | None) -> Envelope:
    """What guards a holding that a person put into the desk's care: its entry counts as used up and over."""
    envelope = Envelope(
        approval_id=f"{intent.intent_id}/{now_ns}",
        account_id=intent.account_id,
        instrument=intent.instrument,
        bracket_id=intent.intent_id,
        side=Side.BUY if intent.direction.sign > 0 else Side.SELL,
        max_quantity=quantity,
        issued_ns=now_ns,
        expires_ns=now_ns,
        key_id="" if signer is None else signer.key_id,
    )
    if signer is None:
        return envelope
    return msgspec.structs.replace(envelope, signature=signer.sign(envelope.signed_text()))
