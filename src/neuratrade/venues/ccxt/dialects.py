"""How single exchanges are spoken to: Binance spot and USD-M futures, Kraken and OKX spot.

Each says only where it differs from the cautious default. What was tried against a simulator of ours is no
proof of the venue: every venue is to be rehearsed on its own sandbox before money is.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar

from yarl import URL

from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.orders import OrderRequest, OrderType
from neuratrade.core.model.venue_rules import VenueRules
from neuratrade.venues.ccxt.dialect import STOPS, Asked, Dialect, Lists, Permissions
from neuratrade.venues.ccxt.errors import kinds_of
from neuratrade.venues.ccxt.exchange import Exchange, Order, Params, Trade
from neuratrade.venues.ccxt.markets import number
from neuratrade.venues.ccxt.words import stop_of, text
from neuratrade.venues.limiter import Budget
from neuratrade.venues.port import DeadMan, NativeExit


class BinanceSpot(Dialect):
    """Binance spot: stops of both kinds in the one list of orders; look-ups by our id."""

    order_types = frozenset(OrderType)
    rules = VenueRules(
        stop_market=True,
        stop_limit=True,
        amends_stops=False,
        balance_lock=True,
        sells_only_what_is_held=True,
    )
    doubtful_codes = frozenset(
        {"-1000", "-1001", "-1003", "-1006", "-1007", "-1008", "-1015", "-1016", "-1034"}
    )
    options: ClassVar[Mapping[str, Any]] = {
        "defaultType": "spot",
        "fetchMarkets": {"types": ["spot"]},
        "fetchCurrencies": False,
        "fetchMargins": False,
        "warnOnFetchOpenOrdersWithoutSymbol": False,
        "recvWindow": 5000,
    }
    fee_in_base = True
    answers_fills = True
    # 6,000 of weight a minute, and 100 orders in ten seconds: here an order counts as the hundredth part.
    budget = Budget(800, 10.0, 400)
    settle_s = 5.0
    native_exits = frozenset(NativeExit)
    dead_man = DeadMan.NONE
    asks_permissions = True
    weights: ClassVar[Mapping[str, int]] = {
        "openOrders": 80,
        "account": 20,
        "myTrades": 20,
        "exchangeInfo": 20,
    }
    weight_otherwise = 8

    def weigh(self, method: str, url: URL) -> int:
        """By the last word of its path, as the venue documents it for the whole account."""
        return self.weights.get(url.name, self.weight_otherwise)

    def objection(self, exchange: Exchange) -> str | None:
        """None: it is known."""
        return None

    async def find(self, exchange: Exchange, symbol: str, coid: str) -> Order | None:
        """GET order by `origClientOrderId`."""
        return await exchange.fetch_order("", symbol, {"clientOrderId": coid})

    async def cancel(self, exchange: Exchange, symbol: str, coid: str, order_id: str | None) -> Order:
        """DELETE order by `origClientOrderId`."""
        return await exchange.cancel_order("", symbol, {"clientOrderId": coid})

    async def executions(self, exchange: Exchange, symbol: str, order: Order) -> Sequence[Trade]:
        """GET myTrades of the order."""
        return await exchange.fetch_my_trades(symbol, None, None, {"orderId": order["id"]})

    async def open_orders(self, exchange: Exchange, symbols: Sequence[str]) -> Lists:
        """GET openOrders of the whole account."""
        return self.sorted_out(await exchange.fetch_open_orders(), [])

    def is_triggered(self, order: Order) -> bool:
        """`isWorking` in lists, `w` in frames; of an order without a stop they say that it is in the book."""
        info = order["info"]
        return stop_of(order) is not None and bool(info.get("isWorking", info.get("w", False)))

    def client_id_of(self, trade: Trade) -> str | None:
        """`c` of the frame that told of it; lists name none."""
        told = trade["info"].get("c")
        return None if told is None else str(told)

    def acknowledges(self, message: object) -> bool:
        """Answers carry the number of what they answer."""
        return isinstance(message, dict) and message.get("id") is not None

    async def permissions(self, exchange: Exchange) -> Permissions:
        """GET apiRestrictions."""
        asked: Any = exchange
        told = await asked.sapi_get_account_apirestrictions()
        found = [
            name
            for name in ("enableWithdrawals", "enableInternalTransfer", "permitsUniversalTransfer")
            if _yes(told, name)
        ]
        if "enableWithdrawals" not in told:
            return Permissions(None, "the answer does not say whether it may withdraw")
        open_to_all = "" if _yes(told, "ipRestrict") else "; it may be used from any address"
        return Permissions(bool(found), (", ".join(found) or "trades only") + open_to_all)


class BinanceUsdm(BinanceSpot):
    """Binance USD-M futures: conditional orders are kept apart, on the algo endpoints."""

    rules = VenueRules(
        stop_market=True,
        stop_limit=True,
        amends_stops=False,
        balance_lock=False,
        sells_only_what_is_held=True,
    )
    doubtful_codes = BinanceSpot.doubtful_codes | {"-1010", "-2021", "-4116"}
    options: ClassVar[Mapping[str, Any]] = {
        "defaultType": "swap",
        "defaultSubType": "linear",
        "fetchMarkets": {"types": ["linear"]},
        # Nobody would wait for it, and its failure would fill the log.
        "watchPositions": {"fetchPositionsSnapshot": False, "awaitPositionsSnapshot": False},
        "fetchCurrencies": False,
        "fetchMargins": False,
        "warnOnFetchOpenOrdersWithoutSymbol": False,
        "recvWindow": 5000,
    }
    fee_in_base = False
    answers_fills = False
    subscribes = False
    native_exits = frozenset()
    dead_man = DeadMan.OFF
    # 2,400 of weight a minute, and 300 orders in ten seconds.
    budget = Budget(300, 10.0, 150)
    weights: ClassVar[Mapping[str, int]] = {
        "openOrders": 40, "openAlgoOrders": 40, "account": 5, "balance": 5, "positionRisk": 5,
        "userTrades": 5,
    }  # fmt: skip
    weight_otherwise = 1

    async def find(self, exchange: Exchange, symbol: str, coid: str) -> Order | None:
        """Among the plain orders, then among the conditional ones."""
        with suppress_missing():
            return await exchange.fetch_order("", symbol, {"clientOrderId": coid})
        return await exchange.fetch_order("", symbol, {"clientOrderId": coid, "trigger": True})

    async def cancel(self, exchange: Exchange, symbol: str, coid: str, order_id: str | None) -> Order:
        """In the list it is in."""
        found = await self.find(exchange, symbol, coid)
        trigger = {"trigger": True} if found is not None and _is_algo(found) else {}
        return await exchange.cancel_order("", symbol, {"clientOrderId": coid, **trigger})

    async def executions(self, exchange: Exchange, symbol: str, order: Order) -> Sequence[Trade]:
        """Of the order in the book; a conditional one names it once it was reached."""
        order_id = order["info"].get("actualOrderId") if _is_algo(order) else order["id"]
        if not order_id:
            return []
        return await exchange.fetch_my_trades(symbol, None, None, {"orderId": order_id})

    async def open_orders(self, exchange: Exchange, symbols: Sequence[str]) -> Lists:
        """Both lists of the whole account."""
        plain = await exchange.fetch_open_orders()
        return Lists(plain, await exchange.fetch_open_orders(None, None, None, {"trigger": True}))

    def is_triggered(self, order: Order) -> bool:
        """An order in the book came of it."""
        info = order["info"]
        return bool(info.get("actualOrderId") or info.get("ai"))

    def acknowledges(self, message: object) -> bool:
        """Nothing is asked on its stream: the address says whose it is."""
        return False


class Kraken(Dialect):
    """Kraken spot: stops in the one list of orders; our id finds an order in the lists of open and closed."""

    order_types = frozenset(OrderType)
    rules = VenueRules(
        stop_market=True,
        stop_limit=True,
        amends_stops=False,
        balance_lock=True,
        sells_only_what_is_held=True,
    )
    # Its nonce has to rise from request to request, so none may overtake another.
    one_at_a_time = True
    # A counter of 15 that one question raises by 1 or 2 and each three seconds lower by 1; orders and their
    # ends are counted apart.
    budget = Budget(60, 60.0, 40)
    settle_s = 10.0
    native_exits = frozenset({NativeExit.ONE_LEG})
    asks_permissions = True

    def objection(self, exchange: Exchange) -> str | None:
        """None: it is known."""
        return None

    async def find(self, exchange: Exchange, symbol: str, coid: str) -> Order | None:
        """OpenOrders, then ClosedOrders, by `cl_ord_id`."""
        for order in await exchange.fetch_open_orders(symbol, None, None, {"clientOrderId": coid}):
            if order.get("clientOrderId") == coid:
                return order
        for order in await exchange.fetch_closed_orders(symbol, None, None, {"cl_ord_id": coid}):
            if order.get("clientOrderId") == coid:
                return order
        return None

    async def cancel(self, exchange: Exchange, symbol: str, coid: str, order_id: str | None) -> Order:
        """CancelOrder by `cl_ord_id`."""
        return await exchange.cancel_order("", symbol, {"clientOrderId": coid})

    async def executions(self, exchange: Exchange, symbol: str, order: Order) -> Sequence[Trade]:
        """TradesHistory since the order was placed."""
        since = order.get("timestamp")
        found = await exchange.fetch_my_trades(symbol, None if since is None else int(since) - 1000)
        return [trade for trade in found if str(trade.get("order")) == str(order["id"])]

    async def open_orders(self, exchange: Exchange, symbols: Sequence[str]) -> Lists:
        """OpenOrders of the whole account."""
        return self.sorted_out(await exchange.fetch_open_orders(), [])

    def client_id(self, order: Order) -> str:
        """`cl_ord_id`: in streams, ccxt looks for another one. Later frames of an order leave it out."""
        return str(order["info"].get("cl_ord_id") or "")

    def heard(self, order: Order) -> Order:
        """How much of it is filled is `cum_qty`, in every frame."""
        filled = number(order["info"].get("cum_qty"))
        return order if filled is None else {**order, "filled": text(filled)}

    def waits(self, order: Order) -> bool:
        """A stop that was reached is open, one that waits is pending."""
        kind = str(
            (order["info"].get("descr") or {}).get("ordertype") or order["info"].get("order_type") or ""
        )
        return kind.startswith("stop-loss") and not self.is_triggered(order)

    def is_triggered(self, order: Order) -> bool:
        """Its trigger has been hit."""
        info = order["info"]
        return bool(number(info.get("stopprice")) and (number(info.get("vol_exec")) or ZERO) > 0)

    def acknowledges(self, message: object) -> bool:
        """The answer to a subscription."""
        return isinstance(message, dict) and message.get("method") == "subscribe"

    async def permissions(self, exchange: Exchange) -> Permissions:
        """GetApiKeyInfo."""
        asked: Any = exchange
        told = (await asked.private_post_getapikeyinfo())["result"]
        if not told.get("permissions"):
            return Permissions(None, "the answer names no permissions")
        granted = [str(item) for item in told["permissions"]]
        found = [item for item in granted if "withdraw" in item]
        return Permissions(bool(found), ", ".join(found) or "trades only")


class Okx(Dialect):
    """OKX: conditional orders are algo orders, in a list and under ids of their own."""

    order_types = frozenset(OrderType)
    rules = VenueRules(
        stop_market=True,
        stop_limit=True,
        amends_stops=False,
        balance_lock=True,
        sells_only_what_is_held=True,
    )
    doubtful_codes = frozenset({"50001", "50004", "50005", "50026", "51016", "50013"})
    options: ClassVar[Mapping[str, Any]] = {"createMarketBuyOrderRequiresPrice": False, "tgtCcy": "base_ccy"}
    fee_in_base = True
    # The strictest of the endpoints asked here takes 20 in two seconds.
    budget = Budget(20, 2.0, 10)
    native_exits = frozenset(NativeExit)
    asks_permissions = True

    def objection(self, exchange: Exchange) -> str | None:
        """None: it is known."""
        return None

    def ask(self, request: OrderRequest, contract: Instrument) -> Asked:
        """With the mode it is traded in, and what the size of a market order counts."""
        asked = super().ask(request, contract)
        more = {"tdMode": "cross"} if contract.is_derivative else {"tdMode": "cash", "tgtCcy": "base_ccy"}
        params = asked.params | more
        if request.order_type in STOPS:
            params["algoClOrdId"] = params.pop("clientOrderId")
        return asked._replace(params=params)

    async def find(self, exchange: Exchange, symbol: str, coid: str) -> Order | None:
        """Among the plain orders, then among the algo orders: the order in the book, once there is one."""
        with suppress_missing():
            return await exchange.fetch_order("", symbol, {"clientOrderId": coid})
        algo = await exchange.fetch_order("", symbol, {"clientOrderId": coid, "trigger": True})
        if not algo["info"].get("ordId"):
            # Its stop was never reached, and the row of an algo order does not count what is filled.
            return {**algo, "filled": "0"}
        with suppress_missing():
            return await exchange.fetch_order(str(algo["info"]["ordId"]), symbol, {})
        return algo

    async def cancel(self, exchange: Exchange, symbol: str, coid: str, order_id: str | None) -> Order:
        """In the list it is in."""
        found = await self.find(exchange, symbol, coid)
        if found is None or not found["info"].get("algoClOrdId"):
            return await exchange.cancel_order("", symbol, {"clientOrderId": coid})
        if _is_in_book(found):
            # ccxt calls it by the number of the algo order that it came of.
            return await exchange.cancel_order(str(found["info"]["ordId"]), symbol, {})
        gone = await exchange.cancel_order(str(found["id"]), symbol, {"trigger": True})
        # The stream leaves algo orders out, and an exit waits for the proof that its stop is gone.
        with suppress(Exception):
            return await self.find(exchange, symbol, coid) or gone
        return gone

    async def executions(self, exchange: Exchange, symbol: str, order: Order) -> Sequence[Trade]:
        """Fills of the order in the book; an algo order names it once it was reached."""
        order_id = order["info"].get("ordId") or order["id"]
        return await exchange.fetch_my_trades(symbol, None, None, {"ordId": order_id})

    async def open_orders(self, exchange: Exchange, symbols: Sequence[str]) -> Lists:
        """Pending orders, and pending algo orders of both types of stops."""
        plain = await exchange.fetch_open_orders()
        stops = await exchange.fetch_open_orders(
            None, None, None, {"trigger": True, "ordType": "conditional"}
        )
        others = await exchange.fetch_open_orders(None, None, None, {"trigger": True, "ordType": "trigger"})
        return Lists(plain, [*stops, *others])

    def is_triggered(self, order: Order) -> bool:
        """`effective` is the state of an algo order whose trigger was hit; what came of it names that."""
        info = order["info"]
        if _is_in_book(order):
            return bool(info.get("algoId"))
        return info.get("state") in ("effective", "partially_effective")

    def client_id(self, order: Order) -> str:
        """That of the algo order it came of, or its own."""
        return str(order["info"].get("algoClOrdId") or order.get("clientOrderId") or "")

    def client_id_of(self, trade: Trade) -> str | None:
        """Told with each fill."""
        return trade["info"].get("algoClOrdId") or trade["info"].get("clOrdId") or None

    def with_fee(self, trade: Trade) -> Trade:
        """The venue tells what is paid below zero; ccxt turns that round in lists, not in streams."""
        info = trade["info"]
        cost, currency = (
            (info.get("fillFee"), info.get("fillFeeCcy"))
            if info.get("fillFee")
            else (info.get("fee"), info.get("feeCcy"))
        )
        told = number(cost)
        return trade if told is None else {**trade, "fee": {"cost": text(-told), "currency": currency}}

    def acknowledges(self, message: object) -> bool:
        """Log-ins and subscriptions are answered by events."""
        return isinstance(message, dict) and message.get("event") in ("login", "subscribe")

    async def permissions(self, exchange: Exchange) -> Permissions:
        """The account's configuration names what the key may do."""
        asked: Any = exchange
        told = str((await asked.private_get_account_config())["data"][0].get("perm", ""))
        return Permissions("withdraw" in told if told else None, told or "the answer names no permissions")


DIALECTS: dict[str, type[Dialect]] = {
    "binance": BinanceSpot,
    "binanceusdm": BinanceUsdm,
    "kraken": Kraken,
    "okx": Okx,
}


def dialect_of(name: str) -> Dialect:
    """How an exchange is spoken to; the cautious default for one that is not known here."""
    return DIALECTS.get(name, Dialect)()


class suppress_missing(suppress):  # noqa: N801 - reads as a statement
    """Lets `OrderNotFound` pass, whatever module it comes from."""

    def __init__(self) -> None:
        super().__init__(Exception)

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        """Only where the venue said that there is none."""
        return isinstance(error, Exception) and "OrderNotFound" in kinds_of(error)


def _is_in_book(order: Order) -> bool:
    """Whether a row of OKX is a plain order: only those count what is filled."""
    return "accFillSz" in order["info"]


def _is_algo(order: Order) -> bool:
    return "algoId" in order["info"]


def _yes(told: Params, name: str) -> bool:
    return str(told.get(name)).lower() == "true"
