"""What an account at Alpaca may trade: shares that are free, buying power, shorts, and no wash trades.

Shares that an order to leave holds are free for no other one, and one order does not turn a position over. A
new order that could meet one of the account's own on the other side is refused, by the vendor's table: a
stop without a limit always, so none can be placed while an entry on the other side rests. That holds for
crypto too.
Source: docs.alpaca.markets/us/docs/user-protection (as of 16 September 2026), /docs/orders-at-alpaca.
"""

from collections.abc import Sequence
from decimal import Decimal

from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.orders import OrderType, Side
from neuratrade.rehearsal.alpaca_answers import FORBIDDEN, NotTaken, invalid, text, uuid_of
from neuratrade.rehearsal.matching import MatchingEngine
from neuratrade.rehearsal.orders import SimOrder, Ticket

MULTIPLIER = Decimal(2)
"""Buying power by equity, of a margin account over night."""
SHORTS_FROM = Decimal(2000)
"""Equity from which on an account may sell short, dollars."""
SHORT_OVER_ASK = Decimal("1.03")
LIMITED = (OrderType.LIMIT, OrderType.STOP_LIMIT)


class Means:
    """Of the account of one matching engine. hard_to_borrow: assets that nobody lends."""

    def __init__(self, engine: MatchingEngine) -> None:
        self._engine = engine
        self.hard_to_borrow: set[str] = set()

    def check(self, ticket: Ticket, *, is_complex: bool = False, without: SimOrder | None = None) -> None:
        """Raises NotTaken for what may not be traded now.

        is_complex: of an order class, which may stand opposite to anything. without: is to be replaced.
        """
        contract = self._engine.contracts[ticket.symbol]
        others = [item for item in self._engine.open_orders(ticket.symbol) if item is not without]
        if not is_complex:
            _check_wash(ticket, others)
        if contract.kind is InstrumentKind.EQUITY:
            self._check_shares(contract, ticket, others)

    def held(self, contract: Instrument) -> Decimal:
        """Signed shares or coins."""
        return self._engine.account.balances.get(contract.base, ZERO)

    def worth(self, contract: Instrument) -> Decimal:
        """What is held of a contract, at the price it could be sold for; negative where it is owed."""
        quote = self._engine.quotes.get(contract.key)
        return ZERO if quote is None or quote.bid is None else self.held(contract) * quote.bid

    @property
    def cash(self) -> Decimal:
        """Dollars."""
        return self._engine.account.balances.get("USD", ZERO)

    @property
    def equity(self) -> Decimal:
        """Dollars, with all that is held."""
        return self.cash + sum((self.worth(item) for item in self._engine.contracts.values()), ZERO)

    @property
    def lends(self) -> bool:
        """Whether it is a margin account."""
        return self._engine.rules.lends

    @property
    def buying_power(self) -> Decimal:
        """What may be opened still, dollars."""
        if not self.lends:
            return self._engine.free("USD")
        used = sum((abs(self.worth(item)) for item in self._engine.contracts.values()), ZERO)
        return MULTIPLIER * self.equity - used - self._waiting()

    def free_shares(self, contract: Instrument) -> Decimal:
        """What of a holding no order to leave it holds back, unsigned."""
        held = self.held(contract)
        leaves = Side.SELL if held > 0 else Side.BUY
        return abs(held) - _held_back(self._engine.open_orders(contract.key), leaves)

    def _check_shares(self, contract: Instrument, ticket: Ticket, others: Sequence[SimOrder]) -> None:
        held = self.held(contract)
        if held and ticket.side is (Side.SELL if held > 0 else Side.BUY):
            back = _held_back(others, ticket.side)
            if ticket.quantity > abs(held) - back:
                raise self._too_few(contract, ticket.quantity, held, back)
            return
        if ticket.side is Side.SELL:
            self._check_short(contract)
        cost = self._cost(ticket)
        if self.lends and cost > self.buying_power:
            raise NotTaken(
                403,
                FORBIDDEN,
                "insufficient buying power",
                buying_power=text(self.buying_power),
                cost_basis=text(cost),
            )

    def _too_few(self, contract: Instrument, asked: Decimal, held: Decimal, back: Decimal) -> NotTaken:
        free = abs(held) - back
        return NotTaken(
            403,
            FORBIDDEN,
            f"insufficient qty available for order (requested: {text(asked)}, available: {text(free)})",
            available=text(free),
            existing_qty=text(abs(held)),
            held_for_orders=text(back),
            symbol=contract.asset,
        )

    def _check_short(self, contract: Instrument) -> None:
        if not self.lends or self.equity < SHORTS_FROM:
            raise NotTaken(403, FORBIDDEN, "account is not allowed to short")
        if contract.asset in self.hard_to_borrow:
            raise invalid(f'asset "{contract.asset}" cannot be sold short')

    def _cost(self, ticket: Ticket) -> Decimal:
        """What opening is reckoned at: a purchase at its limit or the ask, a short at 3 % over the ask."""
        quote = self._engine.quotes.get(ticket.symbol)
        ask = ZERO if quote is None or quote.ask is None else quote.ask
        if ticket.side is Side.SELL:
            return max(ticket.limit_price or ZERO, ask * SHORT_OVER_ASK) * ticket.quantity
        return (ticket.limit_price or ticket.stop_price or ask) * ticket.quantity

    def _waiting(self) -> Decimal:
        """What open orders would open."""
        found = ZERO
        for order in self._engine.open_orders():
            held = self.held(self._engine.contracts[order.ticket.symbol])
            if held * order.ticket.side.sign >= 0:
                found += self._cost(order.ticket) * order.remaining / order.quantity
        return found


def _held_back(orders: Sequence[SimOrder], side: Side) -> Decimal:
    """What orders of one side hold; of the exits of one group only the largest."""
    alone, groups = ZERO, dict[str, Decimal]()
    for order in orders:
        if order.ticket.side is not side:
            continue
        group = order.ticket.group
        if group:
            groups[group] = max(groups.get(group, ZERO), order.remaining)
        else:
            alone += order.remaining
    return alone + sum(groups.values(), ZERO)


def _check_wash(ticket: Ticket, others: Sequence[SimOrder]) -> None:
    for other in others:
        if other.ticket.side is not ticket.side and _could_meet(ticket, other.ticket):
            raise NotTaken(
                403,
                FORBIDDEN,
                "potential wash trade detected. use complex orders",
                existing_order_id=uuid_of(other.order_id),
                reject_reason=f"opposite side {other.ticket.order_type.value} order exists",
            )


def _could_meet(new: Ticket, other: Ticket) -> bool:
    buys, sells = (new, other) if new.side is Side.BUY else (other, new)
    if buys.order_type not in LIMITED or sells.order_type not in LIMITED:
        return True
    return buys.limit_price is not None and buys.limit_price >= (sells.limit_price or ZERO)
