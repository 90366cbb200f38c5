"""ccxt's orders and trades as the port's words. Numbers are strings there, so every digit is kept."""

from collections.abc import Sequence
from decimal import Decimal

from neuratrade.core.model import facts as f
from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.events import VenueOrder
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.orders import Fill, Liquidity, Side
from neuratrade.venues.ccxt.exchange import NS_PER_MS, Order, Trade
from neuratrade.venues.ccxt.markets import number

ENDED = ("closed", "canceled", "expired", "rejected")


def text(value: Decimal) -> str:
    """Without an exponent, which no venue reads."""
    return format(value, "f")


def filled_of(order: Order) -> Decimal | None:
    """How much the venue says was filled, None where it does not say."""
    return number(order.get("filled"))


def is_over(order: Order) -> bool:
    """Whether nothing more can come of it."""
    return order.get("status") in ENDED


def end_of(order: Order, coid: str, now_ns: int) -> f.VenueEvent:
    """The end of an order that is over, with what it filled."""
    filled = filled_of(order)
    match order.get("status"):
        case "rejected" if not filled:
            return f.OrderRejected(now_ns, coid, "rejected by the venue")
        case "expired":
            return f.OrderExpired(now_ns, coid, filled)
        case status:
            return f.OrderCancelled(now_ns, coid, str(status), filled)


def fill_of(trade: Trade, coid: str, account_id: str, contract: Instrument) -> Fill:
    """An execution. Raises ValueError for one without number, amount, price or time."""
    quantity, price = number(trade.get("amount")), number(trade.get("price"))
    told_ms = trade.get("timestamp")
    if not trade.get("id") or quantity is None or price is None or told_ms is None:
        raise ValueError(f"an execution of order {coid} lacks its number, amount, price or time")
    fee, currency = _fee(trade, contract)
    return Fill(
        trade_id=str(trade["id"]),
        client_order_id=coid,
        account_id=account_id,
        instrument=contract.key,
        side=side_of(trade),
        quantity=quantity,
        price=price,
        fee=fee,
        fee_currency=currency,
        liquidity=Liquidity.MAKER if trade.get("takerOrMaker") == "maker" else Liquidity.TAKER,
        at_ns=int(told_ms) * NS_PER_MS,
    )


def listed(order: Order, coid: str, key: str) -> VenueOrder:
    """An open order as the snapshot has it."""
    return VenueOrder(
        coid,
        str(order.get("id") or ""),
        key,
        side_of(order),
        number(order.get("amount")) or ZERO,
        filled_of(order) or ZERO,
        stop_of(order),
    )


def stop_of(order: Order) -> Decimal | None:
    """Where an order waits to be reached, under whichever name ccxt has it for this venue."""
    return number(order.get("triggerPrice")) or number(order.get("stopLossPrice"))


def side_of(told: Order | Trade) -> Side:
    """Buy or sell."""
    return Side.SELL if told.get("side") == "sell" else Side.BUY


def traded(trades: Sequence[Trade]) -> Decimal:
    """How much was executed."""
    return sum((number(trade.get("amount")) or ZERO for trade in trades), ZERO)


def _fee(trade: Trade, contract: Instrument) -> tuple[Decimal, str]:
    fee = trade.get("fee") or {}
    cost, currency = number(fee.get("cost")), fee.get("currency")
    return (ZERO, contract.quote) if cost is None or not currency else (cost, str(currency))
