"""Where a margined position is liquidated: isolated margin, linear contracts."""

from decimal import Decimal

from neuratrade.core.model.decimals import ONE, ZERO
from neuratrade.core.model.intent import Direction


def liquidation_price(
    entry: Decimal, direction: Direction, initial_margin: Decimal, maintenance_margin: Decimal
) -> Decimal | None:
    """Mark price at which a position's own margin is used up down to the maintenance margin, quote per base.

    initial_margin: fraction of the notional at entry put up for it, 1 / leverage; maintenance_margin:
    fraction of the notional at the mark. None where no price above zero does it: a long paid in full.

    Source: the definition of isolated margin (as in OKX's help centre, "Isolated margin mode": liquidated
    once margin balance / maintenance margin is 100 %), solved for the mark P. Per unit, long:
    m E + (P - E) = k P, so P = E (1 - m) / (1 - k); short: m E + (E - P) = k P, so P = E (1 + m) / (1 + k).
    The fee of the liquidation itself is left out; where a venue counts it, add it to maintenance_margin.

    Raises ValueError for margins outside 0..1 (maintenance below 1).
    """
    if not ZERO < initial_margin <= ONE or not ZERO <= maintenance_margin < ONE:
        raise ValueError(
            f"margins are fractions of notional, got {initial_margin} and maintenance {maintenance_margin}"
        )
    sign = direction.sign
    price = entry * (ONE - sign * initial_margin) / (ONE - sign * maintenance_margin)
    return price if price > ZERO else None
