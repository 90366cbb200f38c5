"""What a venue takes no order for, told apart from what an engine may leave without a stop by mistake."""

from decimal import Decimal

from neuratrade.core.engine.state import BracketState
from neuratrade.core.model.instrument import Instrument

NEAR_A_STOP = Decimal("0.95")


def orderable(contract: Instrument, bracket: BracketState) -> Decimal:
    """Whole lots that can be guarded, either way.

    None of an owned kind where what was filled or left in part is less than is worth an order at its stop.
    """
    lots = contract.round_quantity(abs(bracket.held))
    whole = bracket.entered >= bracket.quantity and bracket.exited <= 0
    if contract.is_derivative or whole or bracket.held < 0:
        return lots
    worth = lots * (bracket.stop_price or bracket.intent.trigger_price) * NEAR_A_STOP * contract.multiplier
    too_little = lots < contract.min_quantity or worth < contract.min_notional
    return Decimal(0) if too_little else lots
