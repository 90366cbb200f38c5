"""How Binance USD-M futures word what a matching engine knows: symbols, orders, trades, refusals.

Prices and sizes are text, times and ids numbers. An order with a stop is an algo order with an id of its own;
once triggered there is a plain order beside it with another id and the client id of the algo order. Source:
developers.binance.com, what ccxt 4.5.90 reads of it, and recorded frames.
"""

from collections.abc import Iterable
from decimal import Decimal

from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import NS_PER_DAY, NS_PER_HOUR, NS_PER_MINUTE, NS_PER_MS, Bar, BookLevel
from neuratrade.core.model.orders import OrderType, Side, TimeInForce
from neuratrade.rehearsal.orders import Execution, Reason, SimOrder, Status
from neuratrade.rehearsal.tape import Print, decimals, plain

Row = dict[str, object]
FIRST_ORDER = 8_000_000_000
FIRST_ALGO = 1_000_000_000_000_000
NEVER = 4_133_404_800_000
SPANS = {
    **{f"{count}m": count * NS_PER_MINUTE for count in (1, 3, 5, 15, 30)},
    **{f"{count}h": count * NS_PER_HOUR for count in (1, 2, 4, 6, 8, 12)},
    **{f"{count}d": count * NS_PER_DAY for count in (1, 3)},
}
"""Candle spans by the name Binance has for them."""

REFUSALS = {
    Reason.DUPLICATE: (-4116, "ClientOrderId is duplicated."),
    Reason.UNKNOWN_SYMBOL: (-1121, "Invalid symbol."),
    Reason.UNKNOWN_ORDER: (-2011, "Unknown order sent."),
    Reason.GRID: (-4014, "Price not increased by tick size."),
    Reason.MINIMUM: (-4164, "Order's notional must be no smaller than 5 (unless you choose reduce only)."),
    Reason.BALANCE: (-2019, "Margin is insufficient."),
    Reason.WOULD_TRIGGER: (-2021, "Order would immediately trigger."),
    Reason.NOT_REDUCING: (-2022, "ReduceOnly Order is rejected."),
    Reason.NO_MARKET: (-4131, "The counterparty's best price does not meet the PERCENT_PRICE filter limit."),
    Reason.PLANNED: (-2010, "NEW_ORDER_REJECTED"),
}
_TYPES = {
    OrderType.MARKET: "MARKET",
    OrderType.LIMIT: "LIMIT",
    OrderType.STOP: "STOP_MARKET",
    OrderType.STOP_LIMIT: "STOP",
}
_STATES = {
    Status.OPEN: "NEW",
    Status.PARTIAL: "PARTIALLY_FILLED",
    Status.FILLED: "FILLED",
    Status.CANCELLED: "CANCELED",
    Status.EXPIRED: "EXPIRED",
}


def symbol(contract: Instrument) -> str:
    """`BTCUSDT`."""
    return contract.base + contract.quote


def ms(at_ns: int) -> int:
    """Milliseconds since the epoch."""
    return at_ns // NS_PER_MS


def order_id(order: SimOrder) -> int:
    """The id of the plain order."""
    return FIRST_ORDER + order.order_id


def algo_id(order: SimOrder) -> int:
    """The id of the algo order."""
    return FIRST_ALGO + order.order_id


def client_id(order: SimOrder) -> str:
    """What its owner called it, or what the venue did."""
    return order.ticket.client_id.replace("~", "auto_")


def is_algo(order: SimOrder) -> bool:
    """Whether an order was asked for with a stop."""
    return order.ticket.stop_price is not None


def is_placed(order: SimOrder) -> bool:
    """Whether there is a plain order of it."""
    return not is_algo(order) or order.triggered


def status(order: SimOrder) -> str:
    """Of the plain order. What a market order did not find expires."""
    gone = (
        order.limit_price is None and order.status is Status.CANCELLED and order.triggered is is_algo(order)
    )
    return "EXPIRED" if gone else _STATES[order.status]


def algo_status(order: SimOrder) -> str:
    """Of the algo order."""
    if order.triggered:
        return "TRIGGERED" if order.is_live else "FINISHED"
    return {Status.CANCELLED: "CANCELED", Status.EXPIRED: "EXPIRED"}.get(order.status, "NEW")


def kind(order: SimOrder) -> str:
    """Type of the plain order."""
    return "MARKET" if order.limit_price is None else "LIMIT"


def algo_kind(order: SimOrder) -> str:
    """`STOP_MARKET` or `STOP`."""
    return _TYPES[order.ticket.order_type]


def force(order: SimOrder) -> str:
    """`GTC`, `IOC` or `GTD`."""
    return order.ticket.time_in_force.value.upper()


def good_till(order: SimOrder) -> int:
    """When it expires, milliseconds, 0 for never."""
    return 0 if order.ticket.time_in_force is not TimeInForce.GTD else ms(order.ticket.expires_ns or 0)


def mean(order: SimOrder) -> str:
    """Mean price of what was filled."""
    return plain(order.average_price.normalize()) if order.average_price else "0"


def symbol_row(contract: Instrument) -> Row:
    """As `exchangeInfo` has it."""
    digits = decimals(contract.tick)
    sizes = {
        "stepSize": plain(contract.lot),
        "maxQty": "1000",
        "minQty": plain(contract.min_quantity),
    }
    required = contract.initial_margin * 100
    return {
        "symbol": symbol(contract),
        "pair": symbol(contract),
        "contractType": "PERPETUAL",
        "deliveryDate": NEVER,
        "onboardDate": 1569398400000,
        "status": "TRADING",
        "maintMarginPercent": plain((contract.maintenance_margin or ZERO) * 100, 4),
        "requiredMarginPercent": plain(required, 4),
        "baseAsset": contract.base,
        "quoteAsset": contract.quote,
        "marginAsset": contract.quote,
        "pricePrecision": digits,
        "quantityPrecision": decimals(contract.lot),
        "baseAssetPrecision": 8,
        "quotePrecision": 8,
        "underlyingType": "COIN",
        "underlyingSubType": [],
        "settlePlan": 0,
        "triggerProtect": "0.0500",
        "liquidationFee": "0.012000",
        "marketTakeBound": "0.30",
        "filters": [
            {
                "minPrice": plain(contract.tick),
                "maxPrice": "1000000",
                "filterType": "PRICE_FILTER",
                "tickSize": plain(contract.tick),
            },
            {"filterType": "LOT_SIZE", **sizes},
            {"filterType": "MARKET_LOT_SIZE", **sizes},
            {"limit": 200, "filterType": "MAX_NUM_ORDERS"},
            {"limit": 10, "filterType": "MAX_NUM_ALGO_ORDERS"},
            {"notional": plain(contract.min_notional), "filterType": "MIN_NOTIONAL"},
            {
                "multiplierDown": "0.8500",
                "multiplierUp": "1.1500",
                "multiplierDecimal": "4",
                "filterType": "PERCENT_PRICE",
            },
        ],
        "orderTypes": ["LIMIT", "MARKET", "STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET"],
        "timeInForce": ["GTC", "IOC", "FOK", "GTX"],
    }


def order_row(order: SimOrder, contract: Instrument) -> Row:
    """A plain order."""
    return {
        "avgPrice": mean(order),
        "clientOrderId": client_id(order),
        "closePosition": False,
        "cumQty": plain(order.filled),
        "cumQuote": plain(order.value * contract.multiplier),
        "executedQty": plain(order.filled),
        "goodTillDate": good_till(order),
        "orderId": order_id(order),
        "origQty": plain(order.quantity),
        "origType": kind(order),
        "positionSide": "BOTH",
        "price": plain(order.limit_price or ZERO),
        "priceMatch": "NONE",
        "priceProtect": False,
        "reduceOnly": order.ticket.reduce_only,
        "selfTradePreventionMode": "EXPIRE_MAKER",
        "side": order.ticket.side.value.upper(),
        "status": status(order),
        "stopPrice": "0",
        "symbol": symbol(contract),
        "time": ms(order.created_ns),
        "timeInForce": force(order),
        "type": kind(order),
        "updateTime": ms(order.updated_ns),
        "workingType": "CONTRACT_PRICE",
    }


def algo_row(order: SimOrder, contract: Instrument, *, closes: bool) -> Row:
    """An algo order. closes: whether it closes whatever is held."""
    return {
        "actualOrderId": str(order_id(order)) if order.triggered else "",
        "actualPrice": mean(order),
        "algoId": algo_id(order),
        "algoStatus": algo_status(order),
        "algoType": "CONDITIONAL",
        "clientAlgoId": client_id(order),
        "closePosition": closes,
        "createTime": ms(order.created_ns),
        "goodTillDate": good_till(order),
        "icebergQuantity": None,
        "orderType": algo_kind(order),
        "positionSide": "BOTH",
        "price": plain(order.limit_price or ZERO),
        "priceMatch": "NONE",
        "priceProtect": False,
        "quantity": "0" if closes else plain(order.quantity),
        "reduceOnly": order.ticket.reduce_only,
        "selfTradePreventionMode": "EXPIRE_MAKER",
        "side": order.ticket.side.value.upper(),
        "symbol": symbol(contract),
        "timeInForce": force(order),
        "triggerPrice": plain(order.stop_price or ZERO),
        "triggerTime": ms(order.updated_ns) if order.triggered else 0,
        "updateTime": ms(order.updated_ns),
        "workingType": "CONTRACT_PRICE",
    }


def trade_row(done: Execution, contract: Instrument, realised: Decimal) -> Row:
    """An execution as `userTrades` has it."""
    return {
        "buyer": done.side is Side.BUY,
        "commission": plain(done.fee),
        "commissionAsset": done.fee_currency,
        "id": done.number,
        "maker": done.is_maker,
        "marginAsset": contract.quote,
        "orderId": FIRST_ORDER + done.order_id,
        "positionSide": "BOTH",
        "price": plain(done.price),
        "qty": plain(done.quantity),
        "quoteQty": plain(contract.notional(done.quantity, done.price)),
        "realizedPnl": plain(realised),
        "side": done.side.value.upper(),
        "symbol": symbol(contract),
        "time": ms(done.at_ns),
    }


def levels(side: Iterable[BookLevel]) -> list[list[str]]:
    """Price and size of each level."""
    return [[plain(level.price), plain(level.quantity)] for level in side]


def aggregate_row(item: Print) -> Row:
    """A public trade as `aggTrades` and the stream have it."""
    return {
        "a": item.number,
        "p": plain(item.price),
        "q": plain(item.quantity),
        "f": item.number,
        "l": item.number,
        "T": ms(item.at_ns),
        "m": not item.buys,
    }


def candle(bar: Bar) -> list[object]:
    """A candle as `klines` has it. Who bought at market is not known: none of it."""
    prices = [plain(price) for price in (bar.open, bar.high, bar.low, bar.close)]
    turnover = plain(bar.volume * bar.close)
    return [ms(bar.open_ns), *prices, plain(bar.volume), ms(bar.close_ns) - 1, turnover, 1, "0", "0", "0"]
