"""One proposal laid out for the layers: intent, view and limits, and the numbers several of them need.

Those are reckoned once a judgement, so that two layers can never disagree about an entry price or a unit's
risk. A number that cannot be known is None here, and the layer that needs it says so.
"""

from decimal import Decimal

import msgspec

from neuratrade.core.model.decimals import BASIS_POINTS, ZERO
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.intent import DefinedRisk, Direction, EntryType, Hedged, OpenIntent, Stop
from neuratrade.core.risk.limits import Limits
from neuratrade.core.risk.posture import Stance, stance
from neuratrade.core.risk.view import GateView, drawdown


class Case(msgspec.Struct, frozen=True, gc=False):
    """What a layer is given.

    limits: as far as the account's stance lets them be used. sign: +1 for long, -1 for short. equity:
    reporting currency. drawdown_24h: fraction of the 24 h peak.
    entry: price the entry is reckoned at; stop and stop_distance: None where protection is not a stop;
    target_gain: weighted distance to the targets, negative for targets already passed (quote per base).
    round_trip: expected cost of getting in and out, fraction of notional. unit_notional: what one unit is
    worth when it is entered, at most; unit_risk: what it loses when its protection works, costs included
    (quote currency). conversion: reporting currency per unit of quote, above zero. unit_exposure and
    unit_loss: unit_notional and unit_risk in the reporting currency.
    """

    intent: OpenIntent
    view: GateView
    limits: Limits
    stance: Stance | None
    sign: int
    equity: Decimal | None
    drawdown_24h: Decimal | None
    entry: Decimal
    stop: Decimal | None
    stop_distance: Decimal | None
    target_gain: Decimal
    round_trip: Decimal | None
    unit_notional: Decimal | None
    unit_risk: Decimal | None
    conversion: Decimal | None
    unit_exposure: Decimal | None
    unit_loss: Decimal | None


def lay_out(intent: OpenIntent, view: GateView, limits: Limits) -> Case:
    """The case of one proposal at one moment."""
    contract, spread, account = view.instrument, view.spread_fraction, view.account
    sign, stop = intent.direction.sign, intent.stop_price
    resting = intent.order_type is EntryType.LIMIT
    entry = _entry_price(intent, view, sign, resting=resting)
    trip = worth = risk = None
    if contract is not None:
        worth = _unit_notional(intent, view, contract, bounded=resting and sign > 0)
        if spread is not None:
            trip = _round_trip_cost(contract, spread, worth, resting=resting)
        if worth is not None and trip is not None:
            risk = _unit_risk(intent, contract, entry, worth * trip)
    equity = fallen = taken = None
    if account is not None:
        taken = stance(account.profile, account.posture, account.phase)
        equity = account.equity
        fallen = None if equity is None else drawdown(account.peak_24h, equity)
    rate = view.conversion if view.conversion is not None and view.conversion > ZERO else None
    return Case(
        intent,
        view,
        limits if taken is None else taken.tighten(limits),
        taken,
        sign,
        equity,
        fallen,
        entry,
        stop,
        None if stop is None else abs(entry - stop),
        _target_gain(intent, entry, sign),
        trip,
        worth,
        risk,
        rate,
        None if worth is None or rate is None else worth * rate,
        None if risk is None or rate is None else risk * rate,
    )


def _entry_price(intent: OpenIntent, view: GateView, sign: int, *, resting: bool) -> Decimal:
    """A limit's own price, else the worse of trigger and market.

    A market or stop entry fills where the market is. Measured from a kinder trigger, a stop would look nearer
    and a target further than they are.
    """
    if resting or view.price is None:
        return intent.trigger_price
    worse = max if sign > 0 else min
    return worse(intent.trigger_price, view.price)


def _target_gain(intent: OpenIntent, entry: Decimal, sign: int) -> Decimal:
    gain = ZERO
    for rung in intent.take_profits:
        gain += (rung.price - entry) * rung.fraction
    return gain if sign > 0 else -gain


def _round_trip_cost(
    contract: Instrument, spread: Decimal, worth: Decimal | None, *, resting: bool
) -> Decimal | None:
    """Both fees, both commissions and one spread, as a fraction of what a unit is worth; None: not known.

    A resting limit entry pays the maker fee; every exit is counted as taking. A crossed book costs no spread.
    """
    entry_bps = contract.maker_fee_bps if resting else contract.taker_fee_bps
    fees = (entry_bps + contract.taker_fee_bps) / BASIS_POINTS
    if contract.commission:
        if worth is None:
            return None
        fees += 2 * contract.commission / worth
    return fees + spread if spread > ZERO else fees


def _unit_notional(
    intent: OpenIntent, view: GateView, contract: Instrument, *, bounded: bool
) -> Decimal | None:
    """bounded: a limit to buy, the only entry sure to pay no more than its price. None: worth nothing."""
    price = intent.trigger_price
    if view.price is not None and not bounded:
        price = max(price, view.price)
    value = price * contract.multiplier
    return value if value > ZERO else None


def _unit_risk(intent: OpenIntent, contract: Instrument, entry: Decimal, costs: Decimal) -> Decimal | None:
    match intent.protection:
        case Stop(price=stop):
            return abs(entry - stop) * contract.multiplier + costs
        case DefinedRisk() if intent.direction is Direction.LONG:
            return (entry - contract.price_floor) * contract.multiplier + costs
        case DefinedRisk():
            top = contract.price_ceiling
            return None if top is None else (top - entry) * contract.multiplier + costs
        case Hedged(loss_cap=cap):
            return cap / intent.quantity if intent.quantity else cap
