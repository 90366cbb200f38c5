"""What Alpaca's words about orders, executions and holdings mean for the desk.

An execution is known by its order and the quantity filled with it, since the stream and the list of
activities name it by different ids but both state that quantity. The venue tells no fees. Those of coins are
reckoned from the contract's schedule, a limit order counting as the maker once it rested a moment. Stocks
pay no commission; the regulatory fees on sales (cents, charged to the cash at the end of the day) are not
reckoned, so until a snapshot the books are better by them than the account.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from neuratrade.core.model import facts as f
from neuratrade.core.model.decimals import BASIS_POINTS, ZERO
from neuratrade.core.model.events import VenueOrder
from neuratrade.core.model.instrument import Instrument, InstrumentKind, instrument_key
from neuratrade.core.model.orders import Fill, Liquidity, OrderRequest, OrderType, Side
from neuratrade.feeds.clock import Clock
from neuratrade.venues.alpaca.wire import ENDED, Activity, WireAccount, WireOrder, WirePosition

NAME = "alpaca"
RESTED = timedelta(milliseconds=250)
"""A limit order that is filled this long after it came was in the book."""


class Books:
    """Of one account. orders: as the venue told them last, by its id. ids: its ids, by ours."""

    def __init__(self, account_id: str, contracts: Sequence[Instrument], clock: Clock) -> None:
        self.orders: dict[str, WireOrder] = {}
        self.ids: dict[str, str] = {}
        self._account_id = account_id
        self._contracts = {item.asset: item for item in contracts}
        self._by_plain_name = {item.asset.replace("/", ""): item for item in contracts}
        self._clock = clock

    def learn(self, order: WireOrder) -> WireOrder:
        """Keeps what the venue says of an order."""
        self.orders[order.id] = order
        self.ids[order.client_order_id] = order.id
        return order

    def in_the_way(self, request: OrderRequest, symbol: str) -> list[WireOrder]:
        """Orders that work, by all that was heard, and that the venue takes no such order opposite to."""
        return [
            item
            for item in self.orders.values()
            if item.symbol == symbol and item.status not in ENDED and _could_meet(request, item)
        ]

    def contract_of(self, key: str) -> Instrument:
        """The contract of an instrument's key. Raises KeyError for one that is not traded here."""
        return self._contracts[key.partition("@")[0]]

    def contract_named(self, symbol: str) -> Instrument | None:
        """The contract of a symbol, with its slash or without."""
        return self._by_plain_name.get(symbol.replace("/", ""))

    def fill_of(self, order: WireOrder, activity: Activity) -> Fill:
        """An execution as it is listed."""
        return self.fill(order, activity.qty, activity.price, activity.cum_qty, activity.transaction_time)

    def fill(
        self, order: WireOrder, quantity: Decimal, price: Decimal, total: Decimal, at: datetime | None
    ) -> Fill:
        """An execution. total: filled of its order with this one."""
        contract, side = self.contract_named(order.symbol), side_of(order)
        rested = order.type == "limit" and order.time_in_force != "ioc"
        came = order.created_at
        maker = rested and at is not None and came is not None and at - came >= RESTED
        fee, currency = _fee(contract, side, quantity, price, maker=maker)
        return Fill(
            trade_id=f"{order.id}:{total.normalize():f}",
            client_order_id=order.client_order_id,
            account_id=self._account_id,
            instrument=self._key_of(order.symbol),
            side=side,
            quantity=quantity,
            price=price,
            fee=fee,
            fee_currency=currency,
            liquidity=Liquidity.MAKER if maker else Liquidity.TAKER,
            at_ns=self._clock.now_ns(),
        )

    def listed(self, order: WireOrder) -> VenueOrder:
        """An open order."""
        return VenueOrder(
            order.client_order_id,
            order.id,
            self._key_of(order.symbol),
            side_of(order),
            order.qty or ZERO,
            order.filled_qty,
            order.stop_price,
        )

    def holdings(self, positions: Sequence[WirePosition]) -> dict[str, Decimal]:
        """Signed quantities, by key."""
        return {self._key_of(item.symbol): _signed(item) for item in positions}

    def balances(self, account: WireAccount, positions: Sequence[WirePosition]) -> dict[str, Decimal]:
        """Cash, and what is held of the contracts that are traded here."""
        found = {account.currency: account.cash}
        for item in positions:
            contract = self.contract_named(item.symbol)
            if contract is not None:
                found[contract.base] = _signed(item)
        return found

    def _key_of(self, symbol: str) -> str:
        contract = self.contract_named(symbol)
        return instrument_key(symbol, NAME) if contract is None else contract.key


def side_of(order: WireOrder) -> Side:
    """Which side an order is on; a short sale is a sale."""
    return Side.SELL if order.side.startswith("sell") else Side.BUY


def _could_meet(request: OrderRequest, order: WireOrder) -> bool:
    """Whether the venue would refuse one for the other: always, unless two limits keep them apart.

    Source: docs.alpaca.markets/us/docs/user-protection (Preventing Wash Trades), as of September 2026.
    """
    if side_of(order) is request.side:
        return False
    buys = request.side is Side.BUY
    limited = request.order_type in (OrderType.LIMIT, OrderType.STOP_LIMIT) and order.type.endswith("limit")
    ours, theirs = request.limit_price, order.limit_price
    if not limited or ours is None or theirs is None:
        return True
    return ours >= theirs if buys else theirs >= ours


def is_reached(order: WireOrder) -> bool:
    """Whether it is a stop that was reached. The venue does not tell; what was filled proves it."""
    return order.stop_price is not None and order.filled_qty > 0


def end_of(order: WireOrder, now_ns: int) -> f.VenueEvent:
    """What is told of an order that is over."""
    if order.status == "expired":
        return f.OrderExpired(now_ns, order.client_order_id, order.filled_qty)
    return f.OrderCancelled(now_ns, order.client_order_id, order.status, order.filled_qty)


def _fee(
    contract: Instrument | None, side: Side, quantity: Decimal, price: Decimal, *, maker: bool
) -> tuple[Decimal, str]:
    """What the schedule says. Crypto pays in what it receives."""
    if contract is None or contract.kind is not InstrumentKind.SPOT:
        return ZERO, "USD"
    share = (contract.maker_fee_bps if maker else contract.taker_fee_bps) / BASIS_POINTS
    if side is Side.BUY and contract.fee_in_base:
        return quantity * share, contract.base
    return quantity * price * share, contract.quote


def _signed(position: WirePosition) -> Decimal:
    return -abs(position.qty) if position.side == "short" else position.qty
