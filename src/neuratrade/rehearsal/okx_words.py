"""How OKX words what a matching engine knows: instruments, orders, algo orders, executions, refusals.

Everything is text. An order with a stop is an algo order with an id of its own; once triggered there is a
plain order beside it, with another id and no client id, which names the algo order it came from. Fees are
negative. Source: the OKX v5 documentation, and what ccxt 4.5.90 reads of it.
"""

import zlib
from collections.abc import Iterable
from itertools import zip_longest

from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import NS_PER_MS, Bar, BookLevel
from neuratrade.core.model.orders import OrderType, Side, TimeInForce
from neuratrade.rehearsal.orders import Execution, Reason, Rejected, SimOrder, Status
from neuratrade.rehearsal.tape import Ladder, Print, plain

Row = dict[str, object]
FIRST_ORDER = 2_000_000_000_000_000_000
FIRST_ALGO = 3_000_000_000_000_000_000
CHECKED_LEVELS = 25
MARKET_PRICE = "-1"
_REFUSALS = {
    Reason.DUPLICATE: ("51016", "Client order ID already exists."),
    Reason.UNKNOWN_SYMBOL: ("51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist."),
    Reason.UNKNOWN_ORDER: ("51603", "Order does not exist"),
    Reason.GRID: ("51000", "Parameter px error"),
    Reason.MINIMUM: ("51020", "Your order should meet or exceed the minimum order amount."),
    Reason.BALANCE: ("51008", "Order failed. Insufficient balance in account."),
    Reason.NOT_REDUCING: ("51169", "You don't have any positions in this direction to reduce or close."),
    Reason.WOULD_TAKE: ("51000", "Parameter ordType error"),
    Reason.NO_MARKET: ("51022", "Contract suspended"),
    Reason.PLANNED: ("51010", "You can't complete this request under your current account mode."),
}
_STATES = {
    Status.OPEN: "live",
    Status.PARTIAL: "partially_filled",
    Status.FILLED: "filled",
    Status.CANCELLED: "canceled",
    Status.EXPIRED: "canceled",
}


def inst_id(contract: Instrument) -> str:
    """`BTC-USDT`, or `BTC-USDT-SWAP` of a perpetual."""
    return f"{contract.base}-{contract.quote}" + "-SWAP" * contract.is_derivative


def inst_type(contract: Instrument) -> str:
    """`SPOT` or `SWAP`."""
    return "SWAP" if contract.is_derivative else "SPOT"


def ms(at_ns: int) -> str:
    """Milliseconds since the epoch."""
    return str(at_ns // NS_PER_MS)


def order_id(order: SimOrder) -> str:
    """The id of the plain order."""
    return str(FIRST_ORDER + order.order_id)


def algo_id(order: SimOrder) -> str:
    """The id of the algo order."""
    return str(FIRST_ALGO + order.order_id)


def client_id(order: SimOrder) -> str:
    """What its owner called it, empty where nothing."""
    return "" if order.ticket.client_id.startswith("~") else order.ticket.client_id


def is_algo(order: SimOrder) -> bool:
    """Whether an order was asked for with a stop."""
    return order.ticket.stop_price is not None


def is_placed(order: SimOrder) -> bool:
    """Whether there is a plain order of it."""
    return not is_algo(order) or order.triggered


def instrument_row(contract: Instrument) -> Row:
    """As `public/instruments` has it."""
    swap = contract.is_derivative
    pair = f"{contract.base}-{contract.quote}"
    return {
        "alias": "",
        "baseCcy": "" if swap else contract.base,
        "category": "1",
        "ctMult": "1" if swap else "",
        "ctType": "linear" if swap else "",
        "ctVal": plain(contract.multiplier) if swap else "",
        "ctValCcy": contract.base if swap else "",
        "expTime": "",
        "instFamily": pair if swap else "",
        "instId": inst_id(contract),
        "instIdCode": 1,
        "instType": inst_type(contract),
        "lever": plain(1 / contract.initial_margin, 0) if swap else "",
        "listTime": "1548133413000",
        "lotSz": plain(contract.lot),
        "maxIcebergSz": "9999999999",
        "maxLmtSz": "9999999999",
        "maxMktSz": "1000000",
        "minSz": plain(contract.min_quantity),
        "optType": "",
        "quoteCcy": "" if swap else contract.quote,
        "ruleType": "normal",
        "settleCcy": contract.quote if swap else "",
        "state": "live",
        "stk": "",
        "tickSz": plain(contract.tick),
        "uly": pair if swap else "",
    }


def order_row(order: SimOrder, contract: Instrument, done: Execution | None = None) -> Row:
    """A plain order. done: the execution a frame tells of; the last one where None."""
    algo, ticket = is_algo(order), order.ticket
    last = done or (order.executions[-1] if order.executions else None)
    fee = sum((item.fee for item in order.executions), ZERO)
    ended = order.status in (Status.CANCELLED, Status.EXPIRED)
    return {
        "accFillSz": plain(order.filled),
        "algoClOrdId": client_id(order) if algo else "",
        "algoId": algo_id(order) if algo else "",
        "attachAlgoClOrdId": "",
        "attachAlgoOrds": [],
        "avgPx": plain(order.average_price.normalize()) if order.average_price else "",
        "cTime": ms(order.created_ns),
        "cancelSource": ("14" if ticket.time_in_force is TimeInForce.IOC else "1") if ended else "",
        "category": "normal",
        "ccy": "",
        "clOrdId": "" if algo else client_id(order),
        "fee": plain(-fee) if fee else "0",
        "feeCcy": last.fee_currency if last else contract.quote,
        "fillPx": plain(last.price) if last else "",
        "fillSz": plain(last.quantity) if last else "0",
        "fillTime": ms(last.at_ns) if last else "",
        "instId": inst_id(contract),
        "instType": inst_type(contract),
        "isTpLimit": "false",
        "lever": "" if not contract.is_derivative else plain(1 / contract.initial_margin, 0),
        "linkedAlgoOrd": {"algoId": algo_id(order) if algo else ""},
        "ordId": order_id(order),
        "ordType": _order_type(order),
        "pnl": "0",
        "posSide": "net" if contract.is_derivative else "",
        "px": "" if order.limit_price is None else plain(order.limit_price),
        "pxType": "",
        "pxUsd": "",
        "pxVol": "",
        "quickMgnType": "",
        "rebate": "0",
        "rebateCcy": contract.quote,
        "reduceOnly": "true" if ticket.reduce_only else "false",
        "side": ticket.side.value,
        "slOrdPx": "",
        "slTriggerPx": "",
        "slTriggerPxType": "",
        "source": "13" if algo else "",
        "state": _STATES[order.status],
        "stpId": "",
        "stpMode": "cancel_maker",
        "sz": plain(order.quantity),
        "tag": "",
        "tdMode": "cross" if contract.is_derivative else "cash",
        "tgtCcy": "base_ccy" if ticket.order_type is OrderType.MARKET and not contract.is_derivative else "",
        "tpOrdPx": "",
        "tpTriggerPx": "",
        "tpTriggerPxType": "",
        "tradeId": str(last.number) if last else "",
        "uTime": ms(order.updated_ns),
    }


def streamed_row(order: SimOrder, contract: Instrument, done: Execution | None) -> Row:
    """A plain order as the stream has it: the execution it tells of, or none."""
    row = order_row(order, contract, done)
    if done is None:
        row |= {"fillPx": "", "fillSz": "0", "fillTime": "", "tradeId": ""}
    return row | {
        "amendResult": "",
        "amendSource": "",
        "code": "0",
        "execType": _liquidity(done),
        "fillFee": plain(-done.fee) if done else "0",
        "fillFeeCcy": done.fee_currency if done else "",
        "fillFwdPx": "",
        "fillMarkPx": "",
        "fillMarkVol": "",
        "fillNotionalUsd": plain(contract.notional(done.quantity, done.price)) if done else "",
        "fillPnl": "0",
        "fillPxUsd": "",
        "fillPxVol": "",
        "lastPx": plain(done.price) if done else "",
        "msg": "",
        "notionalUsd": plain(contract.notional(order.quantity, order.limit_price or ZERO)),
        "reqId": "",
    }


def algo_row(order: SimOrder, contract: Instrument, kind: str) -> Row:
    """An algo order. kind: `conditional` or `trigger`."""
    conditional = kind == "conditional"
    limit = MARKET_PRICE if order.limit_price is None else plain(order.limit_price)
    stop = plain(order.stop_price or ZERO)
    placed = order.triggered
    return {
        "activePx": "",
        "actualPx": plain(order.average_price.normalize()) if order.average_price else "",
        "actualSide": "sl" if conditional and placed else "",
        "actualSz": plain(order.filled),
        "algoClOrdId": client_id(order),
        "algoId": algo_id(order),
        "amendPxOnTriggerType": "0",
        "attachAlgoOrds": [],
        "cTime": ms(order.created_ns),
        "callbackRatio": "",
        "callbackSpread": "",
        "ccy": "",
        "clOrdId": "",
        "closeFraction": "",
        "failCode": "51008" if order.status is Status.EXPIRED and not placed else "",
        "instId": inst_id(contract),
        "instType": inst_type(contract),
        "last": "",
        "lever": "" if not contract.is_derivative else plain(1 / contract.initial_margin, 0),
        "linkedOrd": {"ordId": ""},
        "moveTriggerPx": "",
        "ordId": order_id(order) if placed else "",
        "ordIdList": [order_id(order)] if placed else [],
        "ordPx": "" if conditional else limit,
        "ordType": kind,
        "posSide": "net" if contract.is_derivative else "",
        "pxLimit": "",
        "pxSpread": "",
        "pxVar": "",
        "quickMgnType": "",
        "reduceOnly": "true" if order.ticket.reduce_only else "false",
        "side": order.ticket.side.value,
        "slOrdPx": limit if conditional else "",
        "slTriggerPx": stop if conditional else "",
        "slTriggerPxType": "last" if conditional else "",
        "state": _algo_state(order),
        "sz": plain(order.quantity),
        "szLimit": "",
        "tag": "",
        "tdMode": "cross" if contract.is_derivative else "cash",
        "tgtCcy": "",
        "timeInterval": "",
        "tpOrdPx": "",
        "tpTriggerPx": "",
        "tpTriggerPxType": "",
        "triggerPx": "" if conditional else stop,
        "triggerPxType": "" if conditional else "last",
        "triggerTime": ms(order.updated_ns) if placed else "",
        "uTime": ms(order.updated_ns),
    }


def fill_row(done: Execution, order: SimOrder, contract: Instrument) -> Row:
    """An execution as `trade/fills` has it."""
    return {
        "billId": str(done.number),
        "clOrdId": "" if is_algo(order) else client_id(order),
        "execType": _liquidity(done),
        "fee": plain(-done.fee),
        "feeCcy": done.fee_currency,
        "fillFwdPx": "",
        "fillIdxPx": "",
        "fillMarkPx": "",
        "fillMarkVol": "",
        "fillPnl": "0",
        "fillPx": plain(done.price),
        "fillPxUsd": "",
        "fillPxVol": "",
        "fillSz": plain(done.quantity),
        "fillTime": ms(done.at_ns),
        "instId": inst_id(contract),
        "instType": inst_type(contract),
        "ordId": order_id(order),
        "posSide": "net",
        "side": done.side.value,
        "subType": "1" if done.side is Side.BUY else "2",
        "tag": "",
        "tradeId": str(done.number),
        "tradeQuoteCcy": contract.quote,
        "ts": ms(done.at_ns),
    }


def book_rows(ladder: Ladder, depth: int = 400) -> Row:
    """Levels as price, size, `0`, how many orders."""

    def rows(side: Iterable[BookLevel]) -> list[list[str]]:
        return [
            [plain(level.price), plain(level.quantity), "0", "1" if level.quantity else "0"] for level in side
        ]

    return {"asks": rows(ladder.asks[:depth]), "bids": rows(ladder.bids[:depth])}


def print_row(item: Print, contract: Instrument) -> Row:
    """A public trade."""
    return {
        "instId": inst_id(contract),
        "tradeId": str(item.number),
        "px": plain(item.price),
        "sz": plain(item.quantity),
        "side": "buy" if item.buys else "sell",
        "ts": ms(item.at_ns),
    }


def candle_row(bar: Bar, contract: Instrument, *, complete: bool) -> list[str]:
    """Time, open, high, low, close, volume in contracts, in base, in quote, whether it is complete."""
    base = bar.volume * contract.multiplier
    prices = [plain(price) for price in (bar.open, bar.high, bar.low, bar.close)]
    volumes = [plain(bar.volume), plain(base), plain(base * bar.close)]
    return [ms(bar.open_ns), *prices, *volumes, "1" if complete else "0"]


def checksum(ladder: Ladder) -> int:
    """CRC-32, signed, of the 25 best levels: bid and ask by turns, each price and size, with colons."""
    bids = [f"{plain(level.price)}:{plain(level.quantity)}" for level in ladder.bids[:CHECKED_LEVELS]]
    asks = [f"{plain(level.price)}:{plain(level.quantity)}" for level in ladder.asks[:CHECKED_LEVELS]]
    return crc(bids, asks)


def crc(bids: list[str], asks: list[str]) -> int:
    """The checksum of levels as text `price:size`."""
    text = ":".join(part for pair in zip_longest(bids, asks) for part in pair if part is not None)
    unsigned = zlib.crc32(text.encode())
    return unsigned - (1 << 32) if unsigned >= 1 << 31 else unsigned


def refusal(no: Rejected, side: Side | None = None) -> tuple[str, str]:
    """Code and message of a refusal of the matching engine."""
    if no.reason is Reason.WOULD_TRIGGER:
        if side is Side.BUY:
            return "51278", "SL trigger price can not be lower than the last price"
        return "51280", "SL trigger price can not be higher than the last price"
    if no.reason is Reason.GRID and no.detail.startswith("quantity"):
        return "51121", "Order quantity must be a multiple of the lot size."
    return _REFUSALS[no.reason]


def _order_type(order: SimOrder) -> str:
    if order.ticket.time_in_force is TimeInForce.IOC:
        return "ioc"
    return "market" if order.limit_price is None else "limit"


def _algo_state(order: SimOrder) -> str:
    if order.triggered:
        return "effective"
    return {Status.CANCELLED: "canceled", Status.EXPIRED: "order_failed"}.get(order.status, "live")


def _liquidity(done: Execution | None) -> str:
    return "" if done is None else "M" if done.is_maker else "T"
