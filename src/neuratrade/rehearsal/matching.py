"""The matching engine behind every venue simulator: orders of one account against a market that is played.

The market is a row of quotes with sizes, from recorded data. An order takes what is there at the best
price, then walks on a tick at a time, so large orders come back in parts; what rests is filled when the other
side reaches it, and by no more than is there: all orders share one quote, who came first is served first.
Fills, locks and refusals follow the exchange's rules, and nothing here knows the desk.
"""

import copy
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import NamedTuple

import msgspec

from neuratrade.core.model.decimals import BASIS_POINTS, ONE, ZERO, floor_to, is_multiple
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import Quote
from neuratrade.core.model.orders import Side, TimeInForce
from neuratrade.rehearsal.accounts import SimAccount
from neuratrade.rehearsal.orders import (
    Change,
    ChangeKind,
    Execution,
    Reason,
    Rejected,
    SimOrder,
    Status,
    Ticket,
)

MOST_LEVELS = 5
"""A taking order walks at most so many ticks; what is left of it then is gone."""

Listener = Callable[[Change], None]
Watcher = Callable[[Quote], None]


def _always(_contract: Instrument, _at_ns: int) -> bool:
    return True


class Rules(NamedTuple):
    """How one exchange differs from another.

    locks_sales: a second sale is refused while open ones hold all of the base (conditional ones included).
    refuses_crossed_stops: a stop that is reached already is refused instead of triggered.
    lends: whether what is owned may be sold short and bought on credit; how far is for the simulator to say.
    locks_conditionals: whether an order that waits for its stop holds money back; where it does not, it is
    ended when its stop is reached and the money is gone.
    frees_client_ids: whether a client id may be used again once its order is over.
    fee_step: the books keep fees in such steps, rounded down; zero where they keep every digit.
    trades: whether a contract is traded at a time; outside of it orders are taken, and all of them rest.
    ignores_client_ids: whether an order of a client id that is there already is one more order.
    nets_margin: whether the part of an order that only closes a position needs no margin.
    """

    locks_sales: bool = True
    refuses_crossed_stops: bool = True
    lends: bool = False
    locks_conditionals: bool = True
    frees_client_ids: bool = False
    fee_step: Decimal = ZERO
    trades: Callable[[Instrument, int], bool] = _always
    ignores_client_ids: bool = False
    nets_margin: bool = False


class MatchingEngine:
    """One account at one exchange. contracts: by key. now_ns: the exchange's clock."""

    def __init__(
        self,
        contracts: Iterable[Instrument],
        balances: Mapping[str, Decimal],
        now_ns: Callable[[], int],
        rules: Rules | None = None,
    ) -> None:
        self.contracts = {item.key: item for item in contracts}
        self.account = SimAccount(balances)
        self.rules = rules or Rules()
        self.orders: dict[int, SimOrder] = {}
        self.quotes: dict[str, Quote] = {}
        self.by_client_id: dict[str, int] = {}
        self.executions: list[Execution] = []
        self.share = ONE
        self._now_ns = now_ns
        self._listeners: list[Listener] = []
        self._followers: list[Listener] = []
        self._watchers: list[Watcher] = []
        self._numbers = 0
        self._taken: dict[tuple[str, Side, Decimal], Decimal] = {}

    def listen(self, listener: Listener) -> None:
        """Tells `listener` of every change from now on, in order."""
        self._listeners.append(listener)

    def follow(self, follower: Listener) -> None:
        """Calls `follower` once everybody was told of a change: it may place, change and end orders."""
        self._followers.append(follower)

    def watch(self, watcher: Watcher) -> None:
        """Tells `watcher` of every quote from now on, once what rests has met it."""
        self._watchers.append(watcher)

    def next_number(self) -> int:
        """A number nothing at this exchange has yet."""
        self._numbers += 1
        return self._numbers

    # questions

    def find(self, client_id: str) -> SimOrder | None:
        """An order by the id its owner gave it."""
        number = self.by_client_id.get(client_id)
        return None if number is None else self.orders[number]

    def open_orders(self, symbol: str | None = None) -> list[SimOrder]:
        """Orders that work. Those that are held back are not among them."""
        return [
            order
            for order in self.orders.values()
            if order.is_live
            and order.status is not Status.HELD
            and (symbol is None or order.ticket.symbol == symbol)
        ]

    def free(self, currency: str, group: str = "") -> Decimal:
        """What may be spent of a currency. group: of an exit; what its other legs hold counts as free."""
        holding = [
            item
            for item in self.open_orders()
            if (self.rules.locks_conditionals or not item.is_conditional)
            and not (group and item.ticket.group == group)
        ]
        locked = self.account.locked(holding, self.contracts)
        return self.account.balances.get(currency, ZERO) - locked.get(currency, ZERO)

    def margin(self) -> Decimal:
        """What derivative positions tie up, quote currency."""
        held = ZERO
        for key, holding in self.account.positions.items():
            contract = self.contracts[key]
            held += contract.notional(holding.quantity, holding.entry_price) * contract.initial_margin
        return held

    def takeable(self, ticket: Ticket) -> Decimal:
        """How much an order would find at once."""
        quote, contract = self.quotes.get(ticket.symbol), self.contracts[ticket.symbol]
        best = None if quote is None else quote.ask if ticket.side is Side.BUY else quote.bid
        if quote is None or best is None:
            return ZERO
        size = (quote.ask_size if ticket.side is Side.BUY else quote.bid_size) * self.share
        total = ZERO
        for depth in range(MOST_LEVELS):
            price = best + contract.tick * depth * ticket.side.sign
            if ticket.limit_price is not None and (ticket.limit_price - price) * ticket.side.sign < 0:
                break
            taken = self._taken.get((contract.key, ticket.side, price), ZERO)
            total += contract.round_quantity(max(size - taken, ZERO))
        return total

    # requests

    def place(self, ticket: Ticket) -> SimOrder:
        """Takes an order. Raises Rejected, and then nothing happened."""
        contract = self.check(ticket)
        order = self._enter(ticket, Status.OPEN)
        self._tell(ChangeKind.ACCEPTED, order)
        self._try(order, contract)
        return order

    def hold(self, ticket: Ticket) -> SimOrder:
        """Takes an order that is not to work yet: it is checked and holds money only once it is released."""
        known = self.find(ticket.client_id)
        if known is not None and (known.is_live or not self.rules.frees_client_ids):
            raise Rejected(Reason.DUPLICATE, ticket.client_id)
        order = self._enter(ticket, Status.HELD)
        self._tell(ChangeKind.HELD, order)
        return order

    def release(self, order_id: int, quantity: Decimal) -> SimOrder:
        """Lets a held order work, for `quantity`. Raises Rejected, and then it is held as before."""
        order = self._live(order_id)
        ticket = msgspec.structs.replace(order.ticket, quantity=quantity)
        contract = self.check(ticket, is_known=True)
        order.ticket, order.quantity, order.status = ticket, quantity, Status.OPEN
        order.was_placed = True
        order.updated_ns = self._now_ns()
        self._tell(ChangeKind.ACCEPTED, order)
        self._try(order, contract)
        return order

    def lapse(self, order_id: int) -> SimOrder:
        """Ends an order by the exchange's own rule. Raises Rejected where there is none that works."""
        order = self._live(order_id)
        self._end(order, Status.EXPIRED, ChangeKind.EXPIRED)
        return order

    def resize(self, order_id: int, by: Decimal) -> SimOrder:
        """Makes a working order larger or smaller by the exchange's own rule; one with nothing left ends."""
        order = self._live(order_id)
        order.quantity += by
        order.updated_ns = self._now_ns()
        if order.remaining <= 0:
            self._end(order, Status.CANCELLED, ChangeKind.CANCELLED)
        else:
            self._tell(ChangeKind.AMENDED, order)
        return order

    def cancel(self, order_id: int) -> SimOrder:
        """Takes an order away. Raises Rejected where there is none that works."""
        order = self._live(order_id)
        self._end(order, Status.CANCELLED, ChangeKind.CANCELLED)
        return order

    def amend(
        self, order_id: int, quantity: Decimal, limit_price: Decimal | None, stop_price: Decimal | None
    ) -> SimOrder:
        """Gives a working order other terms; `quantity` counts what was filled. Raises Rejected."""
        order = self._live(order_id)
        contract = self.contracts[order.ticket.symbol]
        self._check_grid(contract, quantity, limit_price, stop_price)
        if quantity <= order.filled:
            raise Rejected(Reason.GRID, f"{order.filled} is filled already")
        before = (order.quantity, order.limit_price, order.stop_price)
        if self._lacks_margin(contract, order, quantity, limit_price or stop_price):
            raise Rejected(Reason.BALANCE)
        order.quantity, order.limit_price, order.stop_price = quantity, limit_price, stop_price
        if self._lacks(contract, order.ticket, ZERO):
            order.quantity, order.limit_price, order.stop_price = before
            raise Rejected(Reason.BALANCE)
        # At another price it is new to the book, and may take from it.
        order.resting = order.resting and limit_price == before[1]
        order.updated_ns = self._now_ns()
        self._tell(ChangeKind.AMENDED, order)
        self._try(order, contract)
        return order

    # the market

    def quote(self, quote: Quote) -> None:
        """The market moves: what rests meets it, stops first."""
        self.quotes[quote.instrument] = quote
        self._taken = {level: size for level, size in self._taken.items() if level[0] != quote.instrument}
        here = self.open_orders(quote.instrument)
        here.sort(key=lambda order: not order.is_conditional)
        contract = self.contracts[quote.instrument]
        for order in here:
            if order.is_live:
                self._try(order, contract)
        self.expire()
        for watcher in self._watchers:
            watcher(quote)

    def expire(self) -> None:
        """Ends what was to rest until now."""
        now_ns = self._now_ns()
        for order in self.open_orders():
            expires_ns = order.ticket.expires_ns
            if expires_ns is not None and now_ns >= expires_ns:
                self._end(order, Status.EXPIRED, ChangeKind.EXPIRED)

    # rules

    def check(self, ticket: Ticket, *, is_known: bool = False) -> Instrument:
        """The contract of an order that would be taken now. Raises Rejected. is_known: it is held already."""
        contract = self.contracts.get(ticket.symbol)
        if contract is None:
            raise Rejected(Reason.UNKNOWN_SYMBOL, ticket.symbol)
        asked_for = not is_known and not self.rules.ignores_client_ids
        known = self.find(ticket.client_id) if asked_for else None
        if known is not None and (known.is_live or not self.rules.frees_client_ids):
            raise Rejected(Reason.DUPLICATE, ticket.client_id)
        self._check_grid(contract, ticket.quantity, ticket.limit_price, ticket.stop_price)
        quote = self.quotes.get(contract.key)
        price = ticket.limit_price or ticket.stop_price or (None if quote is None else quote.mid)
        if price is None:
            raise Rejected(Reason.NO_MARKET, contract.key)
        if ticket.reduce_only:
            if self.account.position(contract.key) * ticket.side.sign >= 0:
                raise Rejected(Reason.NOT_REDUCING)
        elif contract.notional(ticket.quantity, price) < contract.min_notional:
            raise Rejected(Reason.MINIMUM, f"{contract.min_notional} {contract.quote}")
        # What holds no money back until it is reached is not asked for it when it is released, either.
        unasked = is_known and ticket.stop_price is not None and not self.rules.locks_conditionals
        if not unasked and self._lacks(contract, ticket, price):
            raise Rejected(Reason.BALANCE)
        watched = ticket.stop_price is not None and self.rules.refuses_crossed_stops
        if watched and quote is not None and self._is_reached(ticket, ticket.stop_price, quote):
            raise Rejected(Reason.WOULD_TRIGGER)
        if ticket.post_only and quote is not None:
            other = quote.ask if ticket.side is Side.BUY else quote.bid
            if other is not None and self._admits(ticket.limit_price, ticket.side, other):
                raise Rejected(Reason.WOULD_TAKE)
        return contract

    def _enter(self, ticket: Ticket, status: Status) -> SimOrder:
        now_ns = self._now_ns()
        order = SimOrder(
            self.next_number(), ticket, ticket.quantity, ticket.limit_price, ticket.stop_price, now_ns, now_ns
        )
        order.status, order.was_placed = status, status is not Status.HELD
        self.orders[order.order_id] = order
        self.by_client_id[ticket.client_id] = order.order_id
        return order

    def _check_grid(
        self, contract: Instrument, quantity: Decimal, limit: Decimal | None, stop: Decimal | None
    ) -> None:
        if quantity < contract.min_quantity or quantity <= 0 or not is_multiple(quantity, contract.lot):
            raise Rejected(Reason.GRID, f"quantity {quantity}, lot {contract.lot}")
        for price in (limit, stop):
            if price is not None and not (is_multiple(price, contract.tick) and contract.admits_price(price)):
                raise Rejected(Reason.GRID, f"price {price}, tick {contract.tick}")

    def _lacks(self, contract: Instrument, ticket: Ticket, price: Decimal) -> bool:
        """Whether money is missing. price: of a new order, zero for one whose terms count already."""
        asked, group = (ticket.quantity, ticket.group) if price else (ZERO, "")
        if contract.is_derivative:
            if ticket.reduce_only or not price:
                return False
            needed = contract.notional(self._opened(ticket, asked), price) * contract.initial_margin
            return needed > self.account.balances.get(contract.quote, ZERO) - self.margin()
        if self.rules.lends:
            return False
        if ticket.side is Side.BUY:
            return asked * price > self.free(contract.quote, group)
        if not self.rules.locks_sales:
            return False
        return asked > self.free(contract.base, group)

    def _lacks_margin(
        self, contract: Instrument, order: SimOrder, quantity: Decimal, price: Decimal | None
    ) -> bool:
        """Whether the margin is missing for what an order of a derivative would still open."""
        if not contract.is_derivative or order.ticket.reduce_only or price is None:
            return False
        opened = self._opened(order.ticket, quantity - order.filled)
        needed = contract.notional(opened, price) * contract.initial_margin
        return needed > self.account.balances.get(contract.quote, ZERO) - self.margin()

    def _opened(self, ticket: Ticket, quantity: Decimal) -> Decimal:
        """What of an order ties up margin."""
        if not self.rules.nets_margin:
            return quantity
        closed = max(-self.account.position(ticket.symbol) * ticket.side.sign, ZERO)
        return max(quantity - closed, ZERO)

    # fills

    def _try(self, order: SimOrder, contract: Instrument) -> None:
        if not self.rules.trades(contract, self._now_ns()):
            return
        quote = self.quotes.get(contract.key)
        if order.is_conditional:
            if quote is None or not self._is_reached(order.ticket, order.stop_price, quote):
                return
            order.triggered = True
            if not self.rules.locks_conditionals and self._lacks(contract, order.ticket, ZERO):
                order.triggered = False
                self._end(order, Status.EXPIRED, ChangeKind.EXPIRED)
                return
            self._tell(ChangeKind.TRIGGERED, order)
        if quote is not None:
            self._meet(order, contract, quote)
        if not order.is_live:
            return
        if order.limit_price is None:
            # A market order rests nowhere: what found nobody is gone.
            self._end(order, Status.CANCELLED, ChangeKind.CANCELLED)
        elif order.ticket.time_in_force is TimeInForce.IOC:
            self._end(order, Status.EXPIRED, ChangeKind.EXPIRED)
        else:
            order.resting = True

    def _meet(self, order: SimOrder, contract: Instrument, quote: Quote) -> None:
        buys = order.ticket.side is Side.BUY
        best, size = (quote.ask, quote.ask_size) if buys else (quote.bid, quote.bid_size)
        if best is None:
            return
        size *= self.share
        for depth in range(1 if order.resting else MOST_LEVELS):
            price = best + contract.tick * depth * order.ticket.side.sign
            if not order.is_live or not self._admits(order.limit_price, order.ticket.side, price):
                return
            paid = order.limit_price if order.resting and order.limit_price is not None else price
            level_of = (contract.key, order.ticket.side, price)
            left = contract.round_quantity(max(size - self._taken.get(level_of, ZERO), ZERO))
            quantity = min(order.remaining, left)
            if order.ticket.reduce_only:
                held = self.account.position(contract.key)
                quantity = min(quantity, max(-held * order.ticket.side.sign, ZERO))
            if quantity > 0:
                self._taken[level_of] = self._taken.get(level_of, ZERO) + quantity
                self._fill(order, contract, quantity, paid, maker=order.resting)

    def _admits(self, limit: Decimal | None, side: Side, price: Decimal) -> bool:
        return limit is None or (price <= limit if side is Side.BUY else price >= limit)

    def _is_reached(self, ticket: Ticket, stop: Decimal | None, quote: Quote) -> bool:
        price = quote.ask if ticket.side is Side.BUY else quote.bid
        if stop is None or price is None:
            return False
        return price >= stop if (ticket.side is Side.BUY) is not ticket.takes_profit else price <= stop

    def _fill(
        self, order: SimOrder, contract: Instrument, quantity: Decimal, price: Decimal, *, maker: bool
    ) -> None:
        ticket, now_ns = order.ticket, self._now_ns()
        in_base = contract.fee_in_base and ticket.side is Side.BUY and not contract.is_derivative
        bps = contract.maker_fee_bps if maker else contract.taker_fee_bps
        paid = quantity if in_base else contract.notional(quantity, price)
        fee = paid * bps / BASIS_POINTS + contract.commission * quantity
        order.filled += quantity
        order.value += quantity * price
        order.updated_ns = now_ns
        done = Execution(
            number=self.next_number(),
            order_id=order.order_id,
            client_id=ticket.client_id,
            symbol=ticket.symbol,
            side=ticket.side,
            quantity=quantity,
            price=price,
            fee=floor_to(fee, self.rules.fee_step) if self.rules.fee_step else fee,
            fee_currency=contract.base if in_base else contract.quote,
            is_maker=maker,
            total=order.filled,
            at_ns=now_ns,
        )
        order.executions.append(done)
        self.executions.append(done)
        self.account.book(contract, done)
        order.status = Status.FILLED if order.remaining <= 0 else Status.PARTIAL
        self._tell(ChangeKind.TRADED, order, done)

    def _live(self, order_id: int) -> SimOrder:
        order = self.orders.get(order_id)
        if order is None or not order.is_live:
            raise Rejected(Reason.UNKNOWN_ORDER, str(order_id))
        return order

    def _end(self, order: SimOrder, status: Status, kind: ChangeKind) -> None:
        order.status, order.updated_ns = status, self._now_ns()
        self._tell(kind, order)

    def _tell(self, kind: ChangeKind, order: SimOrder, execution: Execution | None = None) -> None:
        # A copy: what is told late still tells how it stood.
        change = Change(kind, copy.copy(order), self._now_ns(), execution)
        for listener in (*self._listeners, *self._followers):
            listener(change)
