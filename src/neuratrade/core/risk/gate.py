"""The risk gate: the ordered layers, and the only place where an order becomes `Approved`.

Every layer reports on every proposal, also after another refused it, so that the answer to "why" (and
"why not") is complete. Adding a layer is one function and one line in a table below.
"""

from collections.abc import Sequence
from decimal import Decimal
from functools import lru_cache

import msgspec

from neuratrade.core.model.approval import BLOCKING, Envelope, LayerReport, Signer
from neuratrade.core.model.decimals import BASIS_POINTS, ONE, ZERO
from neuratrade.core.model.instrument import EXIT_SLACK, Instrument
from neuratrade.core.model.intent import OpenIntent
from neuratrade.core.model.orders import Side
from neuratrade.core.risk import counters, intake, quality, sizing
from neuratrade.core.risk.case import Case, lay_out
from neuratrade.core.risk.layer import (
    APPROVE,
    RESIZE,
    Check,
    SizeCap,
    SizeScale,
    limit_text,
    missing,
    refuse,
    text,
)
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
    intake.conversion,
    intake.unknown_orders,
    intake.opposite,
    quality.confidence,
    quality.protection,
    quality.stop_distance,
    quality.stop_atr,
    quality.liquidation,
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

SCALES: tuple[tuple[str, SizeScale], ...] = (
    ("regime_size", sizing.regime_size),
    ("posture", sizing.posture),
    ("risk_budget", sizing.risk_budget),
)

LAYER_NAMES: tuple[str, ...] = (
    *(check.__name__ for check in CHECKS),
    *(name for name, _ in CAPS),
    *(name for name, _ in SCALES),
    "lot",
)


class Judgement(msgspec.Struct, frozen=True):
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
    case = lay_out(intent, view, limits)
    reports = [check(case) for check in CHECKS]
    lot = _lot(case, _scale(case, _clamp(case, reports), reports), reports)
    reports.append(lot)
    if lot.quantity is None or not BLOCKING.isdisjoint([report.verdict for report in reports]):
        return Judgement(False, ZERO, tuple(reports), None)
    return Judgement(True, lot.quantity, tuple(reports), _envelope(case, lot.quantity, signer))


def _clamp(case: Case, reports: list[LayerReport]) -> Decimal:
    quantity = sizing.UNLIMITED
    for name, cap in CAPS:
        found = cap(case)
        allowed = found.quantity
        if allowed is None:
            reports.append(missing(name, found.reason, found.limit))
            continue
        verdict, reason = APPROVE, ""
        if allowed < quantity:
            quantity = max(ZERO, allowed)
            verdict, reason = APPROVE if name == "quantity" else RESIZE, found.reason
        left = None if quantity is sizing.UNLIMITED else quantity
        reports.append(LayerReport(name, verdict, reason, found.observed, found.limit, left))
    return quantity


def _scale(case: Case, quantity: Decimal, reports: list[LayerReport]) -> Decimal:
    for name, scale in SCALES:
        found = scale(case)
        factor = found.factor
        if factor is None:
            reports.append(missing(name, found.observed, found.limit))
            continue
        verdict, reason, left = APPROVE, "", None
        if quantity is not sizing.UNLIMITED:
            if factor != ONE:
                verdict, reason = RESIZE, f"size times {limit_text(factor)}"
                quantity *= factor
            left = quantity
        reports.append(LayerReport(name, verdict, reason, found.observed, found.limit, left))
    return quantity


def _lot(case: Case, quantity: Decimal, reports: Sequence[LayerReport]) -> LayerReport:
    """The only size layer that refuses: what is left must be worth sending to the venue."""
    contract = case.view.instrument
    if contract is None:
        return missing("lot", "the instrument", "")
    if quantity is sizing.UNLIMITED:
        return missing("lot", "every size cap", "")
    sized = contract.round_quantity(quantity)
    value = contract.notional(sized, case.intent.trigger_price)
    limit = _least_text(contract.min_quantity, contract.min_notional, owned=not contract.is_derivative)
    observed = f"{text(sized)} worth {text(value)}"
    if _is_too_little(contract, sized, case.intent.trigger_price):
        name = took_the_size(reports, contract, case.intent.trigger_price)
        what = "what is left" if name is None else f"what {name} leaves"
        return refuse("lot", f"{what} is below the venue's minimum", observed, limit)
    return LayerReport("lot", APPROVE, "", observed, limit, sized)


def _is_too_little(contract: Instrument, sized: Decimal, price: Decimal) -> bool:
    value = contract.notional(sized, price)
    if sized <= ZERO or sized < contract.min_quantity or value < contract.min_notional:
        return True
    # What is owned has to be enough to leave by, its fee off and at its stop, or no stop could rest.
    fee = contract.taker_fee_bps / BASIS_POINTS if contract.fee_in_base else ZERO
    return contract.is_dust(sized * (ONE - fee), price * FURTHEST_STOP)


def took_the_size(reports: Sequence[LayerReport], contract: Instrument, price: Decimal) -> str | None:
    """The first size layer that left less than the venue's minimum; None where none of them did.

    price: of the proposal's trigger. It is what refused a proposal that `lot` had to turn away.
    """
    for report in reports:
        left = report.quantity
        if left is not None and _is_too_little(contract, contract.round_quantity(left), price):
            return report.name
    return None


FURTHEST_STOP = Decimal("0.95")
"""Of the price: where the widest stop that is allowed lies."""


@lru_cache(maxsize=64)
def _least_text(quantity: Decimal, notional: Decimal, *, owned: bool) -> str:
    # What is owned has to be enough to be left at the widest stop, too.
    worth = notional / (FURTHEST_STOP * EXIT_SLACK) if owned else notional
    return f">= {limit_text(quantity)}, worth >= {limit_text(worth)}"


def _envelope(case: Case, quantity: Decimal, signer: Signer | None) -> Envelope:
    intent, now_ns = case.intent, case.view.now_ns
    envelope = Envelope(
        approval_id=f"{intent.intent_id}/{now_ns}",
        account_id=intent.account_id,
        instrument=intent.instrument,
        bracket_id=intent.intent_id,
        side=Side.BUY if case.sign > 0 else Side.SELL,
        max_quantity=quantity,
        issued_ns=now_ns,
        expires_ns=now_ns + intake.entry_rest_ns(intent),
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
