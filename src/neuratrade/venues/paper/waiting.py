"""What the paper venue waits for: the prices a bar has to reach before anything is filled or closed."""

from neuratrade.core.engine.margin import maintenance_needed
from neuratrade.core.engine.quiet import EVERYWHERE, Range, narrower
from neuratrade.core.model.orders import OrderType, Side
from neuratrade.venues.paper.exchange import PaperExchange, Resting


def resting_ranges(exchange: PaperExchange) -> dict[str, Range] | None:
    """By instrument, the prices between which no order fills; None where one may fill at any price."""
    found: dict[str, Range] = {}
    for order in exchange.orders.values():
        waits = _waits_at(order)
        if waits is None:
            return None
        name = order.request.instrument
        found[name] = narrower(found.get(name, EVERYWHERE), waits)
    return found


def _waits_at(order: Resting) -> Range | None:
    request, stop = order.request, order.stop_price
    if stop is not None:
        if order.triggered:
            return None
        return Range(None, stop) if request.side is Side.BUY else Range(stop, None)
    limit = request.limit_price
    if request.order_type is not OrderType.LIMIT or limit is None or not order.resting:
        return None
    return Range(limit, None) if request.side is Side.BUY else Range(None, limit)


def margin_room(exchange: PaperExchange) -> float | None:
    """By how much the account may lose before the venue closes what is margined; None: it never does."""
    if not exchange.liquidates:
        return None
    prices = exchange.last_prices
    equity, needed = exchange.equity(), maintenance_needed(exchange.account, exchange.instruments, prices, {})
    if equity is None or needed is None:
        return 0.0
    if not needed:
        return None
    # What is lost on a short also raises what has to be kept for it.
    margins = [float(item.maintenance_margin or 0) for item in exchange.instruments.values()]
    return float(equity - needed) / (1.0 + max(margins)) * (1.0 - 1e-9)
