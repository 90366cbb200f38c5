"""A simulated exchange in engine time: it is stepped, never awaited, and the same inputs give the same fills.

Requests arrive after half the latency, answers come back after the other half. It keeps its own books and
refuses what a venue would refuse (grid, minimum, money). It invents nothing: every fill comes from a bar,
a quote or a trade that was replayed.
"""

import heapq
from collections import OrderedDict
from decimal import Decimal

import msgspec

from neuratrade.core.engine.fold.actions import rewrite_holdings
from neuratrade.core.engine.ledger import book_fill, credit, equity_of
from neuratrade.core.engine.margin import maintenance_needed
from neuratrade.core.engine.state import AccountState, DeskState, instrument_of_position
from neuratrade.core.engine.terms import level
from neuratrade.core.model import facts as f
from neuratrade.core.model.account import Account
from neuratrade.core.model.decimals import BASIS_POINTS, ZERO, is_multiple
from neuratrade.core.model.events import VenueOrder, VenueSnapshot
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.intent import Direction
from neuratrade.core.model.market import NS_PER_MS, Bar, Quote, Trade
from neuratrade.core.model.orders import Fill, Liquidity, OrderRequest, OrderType, Side, TimeInForce
from neuratrade.venues.paper.costs import PaperCosts
from neuratrade.venues.paper.prices import (
    Phase,
    Tape,
    after_impact,
    limit_price,
    market_base,
    stop_base,
    takeable,
    taking_price,
)
from neuratrade.venues.paper.refusals import objection

REMEMBERED = 10_000
Answer = f.VenueEvent | f.Liquidated | VenueSnapshot


class Resting(msgspec.Struct):
    """An order the venue has. resting: it survived its arrival, so it waits in the book."""

    request: OrderRequest
    quantity: Decimal
    stop_price: Decimal | None
    filled: Decimal = ZERO
    fills: int = 0
    triggered: bool = False
    resting: bool = False

    @property
    def remaining(self) -> Decimal:
        """What may still be filled."""
        return self.quantity - self.filled

    @property
    def waits(self) -> bool:
        """Whether its stop has yet to be reached."""
        return self.stop_price is not None and not self.triggered


class Arrival(msgspec.Struct, frozen=True):
    """Something on its way to the venue."""

    kind: str
    client_order_id: str
    request: OrderRequest | None = None
    quantity: Decimal = ZERO
    stop_price: Decimal = ZERO


class PaperExchange:
    """One account at a simulated venue.

    Drive it by `submit`, `cancel`, `amend`, `look_up` and market data; take what is due by `run_next`
    until `next_due_ns` lies beyond the present.
    """

    def __init__(
        self, account: Account, instruments: dict[str, Instrument], cash: Decimal, costs: PaperCosts
    ) -> None:
        self.costs = costs
        self.instruments = dict(instruments)
        self.account = AccountState(account, {account.currency: cash})
        self.orders: dict[str, Resting] = {}
        self._tapes = {key: Tape() for key in instruments}
        self._queue: list[tuple[int, int, Arrival | Answer]] = []
        self._sequence = 0
        self._ended: OrderedDict[str, list[f.VenueEvent]] = OrderedDict()
        self._half_ns = costs.latency_ms * NS_PER_MS // 2
        self._liquidations = 0
        self.liquidates = any(item.maintenance_margin is not None for item in instruments.values())

    def restore(self, state: DeskState) -> None:
        """Takes over the working orders and the account from durable state after a restart."""
        mine = state.accounts[self.account.account.account_id]
        self.account = msgspec.json.decode(msgspec.json.encode(mine), type=AccountState)
        for coid, order in state.orders.items():
            if order.is_live and order.venue_order_id:
                self.orders[coid] = Resting(
                    order.request,
                    order.quantity,
                    order.stop_price,
                    filled=order.filled,
                    fills=len(order.executions),
                    triggered=order.request.order_type is OrderType.STOP and order.filled > 0,
                    resting=True,
                )
                if order.request.expires_ns is not None:
                    due_ns = max(order.request.expires_ns, state.now_ns)
                    self._push(due_ns, Arrival("expire", coid))

    def hear(self, fact: f.Fact) -> None:
        """Takes what happened to the account or a contract itself: a venue knows that before we do.

        A corporate action ends every order in its contract, as most venues do.
        """
        match fact:
            case f.CashMoved():
                credit(self.account, fact.currency, fact.amount)
            case f.InstrumentUpdated(instrument=contract):
                self.instruments[contract.key] = contract
            case f.CorporateActed():
                self._act(fact)
            case _:
                pass

    def _act(self, action: f.CorporateActed) -> None:
        old = self.instruments[action.instrument]
        new = action.successor or old
        if action.kind is not f.ActionKind.DIVIDEND:
            for order in list(self.orders.values()):
                if order.request.instrument == old.key:
                    self._cancel(order, action.kind.value, action.at_ns)
        rewrite_holdings(self.account, old, action)
        self.instruments[new.key] = new
        last = self._tapes[old.key].last
        if new.key != old.key:
            self._tapes.setdefault(new.key, Tape())
        elif action.kind is f.ActionKind.SPLIT:
            self._tapes[new.key] = Tape()
        tape = self._tapes[new.key]
        if tape.last is None and last is not None:
            tape.last = level(action, last)

    # requests

    def submit(self, request: OrderRequest, at_ns: int) -> None:
        """Sends an order on its way. A client id the venue already has changes nothing."""
        self._arrive(at_ns, Arrival("submit", request.client_order_id, request))

    def cancel(self, client_order_id: str, at_ns: int) -> None:
        """Asks for the end of an order."""
        self._arrive(at_ns, Arrival("cancel", client_order_id))

    def amend(self, client_order_id: str, quantity: Decimal, stop_price: Decimal, at_ns: int) -> None:
        """Asks for another quantity (filled part included) and stop price."""
        self._arrive(at_ns, Arrival("amend", client_order_id, None, quantity, stop_price))

    def look_up(self, client_order_id: str, at_ns: int) -> None:
        """Asks what became of an order."""
        self._arrive(at_ns, Arrival("look_up", client_order_id))

    def take_snapshot(self, at_ns: int) -> None:
        """Asks for everything the account has."""
        self._arrive(at_ns, Arrival("snapshot", ""))

    # time

    @property
    def next_due_ns(self) -> int | None:
        """When the next thing happens, or None."""
        return self._queue[0][0] if self._queue else None

    def run_next(self) -> Answer | None:
        """Lets the next thing happen; the event that reaches us by it, if any."""
        due_ns, _, what = heapq.heappop(self._queue)
        if isinstance(what, Arrival):
            self._handle(what, due_ns)
            return None
        return what

    # market data

    def open_bar(self, bar: Bar) -> None:
        """A bar begins: what rests meets its open."""
        self._live_through(bar, Phase.OPEN, bar.open_ns)

    def range_bar(self, bar: Bar, at_ns: int) -> None:
        """The bar's whole range was traded: stops first, then limits."""
        self._live_through(bar, Phase.RANGE, at_ns)

    def shut_bar(self, bar: Bar) -> None:
        """The bar is over: orders that arrive now wait for the next one."""
        tape = self._tapes[bar.instrument]
        tape.phase, tape.last = Phase.SHUT, bar.close

    @property
    def is_idle(self) -> bool:
        """Whether no order rests and nothing is on its way: then market data has nothing to meet."""
        return not self.orders and not self._queue

    def pass_bar(self, bar: Bar) -> None:
        """A whole bar while idle: leaves the tape as its open, its range and its end would."""
        tape = self._tapes[bar.instrument]
        if tape.bar is None or tape.bar.open_ns != bar.open_ns:
            tape.taken = {}
        tape.bar, tape.phase, tape.last = bar, Phase.SHUT, bar.close

    def pass_to(self, instrument: str, price: Decimal) -> None:
        """Bars went by that met nothing; the last of them closed at `price`."""
        self._tapes[instrument].last = price

    def see_quote(self, quote: Quote) -> None:
        """A new best bid and ask."""
        tape = self._tapes[quote.instrument]
        tape.quote, tape.taken = quote, {}
        tape.last = quote.mid if quote.mid is not None else tape.last
        self._match(quote.instrument, quote.at_ns)
        self._liquidate_if_short(quote.at_ns)

    def see_trade(self, trade: Trade) -> None:
        """A public trade; quotes decide fills, trades only the last price."""
        self._tapes[trade.instrument].last = trade.price

    def equity(self) -> Decimal | None:
        """The account's worth by the venue's own books, at last prices."""
        return equity_of(self.account, self.instruments, self.last_prices)

    @property
    def last_prices(self) -> dict[str, Decimal]:
        """The last price of each instrument that had one."""
        return {key: tape.last for key, tape in self._tapes.items() if tape.last is not None}

    def _live_through(self, bar: Bar, phase: Phase, at_ns: int) -> None:
        tape = self._tapes[bar.instrument]
        if tape.bar is None or tape.bar.open_ns != bar.open_ns:
            tape.taken = {}
        tape.bar, tape.phase, tape.last = bar, phase, bar.open if phase is Phase.OPEN else bar.close
        self._match(bar.instrument, at_ns)
        self._liquidate_if_short(at_ns)

    def _liquidate_if_short(self, at_ns: int) -> None:
        """Closes every margined position once equity no longer covers what has to be kept for them."""
        if not self.liquidates:
            return
        prices = self.last_prices
        equity = self.equity()
        needed = maintenance_needed(self.account, self.instruments, prices, {})
        if not needed or equity is None or equity >= needed:
            return
        for key, position in list(self.account.positions.items()):
            contract = self.instruments[instrument_of_position(key)]
            if contract.maintenance_margin is not None and position.quantity:
                self._liquidate(contract, position.quantity, at_ns)

    def _liquidate(self, contract: Instrument, held: Decimal, at_ns: int) -> None:
        side, direction = (Side.SELL, Direction.LONG) if held > 0 else (Side.BUY, Direction.SHORT)
        found = market_base(self._tapes[contract.key], side)
        if found is None:
            return
        for order in list(self.orders.values()):
            if order.request.instrument == contract.key:
                self._cancel(order, "liquidated", at_ns)
        price = taking_price(contract, self.costs, side, *found)
        self._liquidations += 1
        fill = Fill(
            trade_id=f"L{at_ns}-{self._liquidations}",
            client_order_id="",
            account_id=self.account.account.account_id,
            instrument=contract.key,
            side=side,
            quantity=abs(held),
            price=price,
            fee=contract.notional(held, price) * contract.taker_fee_bps / BASIS_POINTS
            + contract.commission * abs(held),
            fee_currency=contract.quote,
            liquidity=Liquidity.TAKER,
            at_ns=at_ns,
            paper_trade=True,
        )
        book_fill(self.account, contract, fill, direction)
        self._answer(f.Liquidated(at_ns, fill), at_ns)

    def _match(self, instrument: str, at_ns: int) -> None:
        if not self.orders:
            return
        here = [order for order in self.orders.values() if order.request.instrument == instrument]
        if len(here) > 1:
            here.sort(key=lambda order: order.request.order_type is not OrderType.STOP)
        for order in here:
            self._try_fill(order, at_ns)
            if order.request.time_in_force is TimeInForce.IOC and order.remaining > 0:
                self._cancel(order, "IOC remainder", at_ns)

    # arrivals

    def _arrive(self, at_ns: int, arrival: Arrival) -> None:
        self._push(at_ns + self._half_ns, arrival)

    def _answer(self, event: Answer, at_ns: int) -> None:
        self._push(at_ns + self._half_ns, msgspec.structs.replace(event, at_ns=at_ns + self._half_ns))

    def _push(self, due_ns: int, what: "Arrival | Answer") -> None:
        self._sequence += 1
        heapq.heappush(self._queue, (due_ns, self._sequence, what))

    def _handle(self, arrival: Arrival, at_ns: int) -> None:
        coid = arrival.client_order_id
        order = self.orders.get(coid)
        match arrival.kind:
            case "submit":
                if arrival.request is not None and order is None and coid not in self._ended:
                    self._take(arrival.request, at_ns)
            case "look_up":
                self._tell(coid, order, at_ns)
            case "snapshot":
                self._answer(self._snapshot(at_ns), at_ns)
            case "expire":
                if order is not None:
                    self._end(order, f.OrderExpired(at_ns, coid, order.filled), at_ns)
            case "cancel" if order is not None:
                self._cancel(order, "asked", at_ns)
            case "amend" if order is not None and self._may_amend(order, arrival):
                order.quantity, order.stop_price = arrival.quantity, arrival.stop_price
                self._answer(f.OrderAmended(at_ns, coid, order.quantity, arrival.stop_price), at_ns)
                self._try_fill(order, at_ns)
            case _:
                self._answer(
                    f.RequestRejected(at_ns, coid, "no such working order, or terms off its grid"), at_ns
                )

    def _take(self, request: OrderRequest, at_ns: int) -> None:
        refused = objection(request, self.account, self.instruments, self.last_prices, self.costs)
        if refused is not None:
            self._remember(request.client_order_id, f.OrderRejected(at_ns, request.client_order_id, refused))
            self._answer(f.OrderRejected(at_ns, request.client_order_id, refused), at_ns)
            return
        order = Resting(request, request.quantity, request.stop_price)
        self.orders[request.client_order_id] = order
        self._answer(
            f.OrderAccepted(at_ns, request.client_order_id, f"P{request.client_order_id[:12]}"), at_ns
        )
        self._try_fill(order, at_ns)
        order.resting = True
        if request.time_in_force is TimeInForce.IOC and request.client_order_id in self.orders:
            waits = request.order_type is OrderType.MARKET and self._is_shut(request.instrument)
            if not waits:
                self._cancel(order, "IOC remainder", at_ns)
        elif request.expires_ns is not None:
            self._push(max(request.expires_ns, at_ns), Arrival("expire", request.client_order_id))

    def _may_amend(self, order: Resting, arrival: Arrival) -> bool:
        contract = self.instruments[order.request.instrument]
        on_grid = is_multiple(arrival.quantity, contract.lot) and is_multiple(
            arrival.stop_price, contract.tick
        )
        return on_grid and arrival.quantity > order.filled and contract.admits_price(arrival.stop_price)

    def _is_shut(self, instrument: str) -> bool:
        tape = self._tapes[instrument]
        return tape.quote is None and tape.phase is Phase.SHUT

    def _tell(self, coid: str, order: Resting | None, at_ns: int) -> None:
        for event in self._ended.get(coid, []):
            self._answer(event, at_ns)
        if order is not None:
            self._answer(f.OrderAccepted(at_ns, coid, f"P{coid[:12]}"), at_ns)
            if order.stop_price is not None:
                self._answer(f.OrderAmended(at_ns, coid, order.quantity, order.stop_price), at_ns)
            if order.triggered and order.request.order_type is OrderType.STOP_LIMIT:
                self._answer(f.OrderTriggered(at_ns, coid), at_ns)
        elif coid not in self._ended:
            self._answer(f.OrderNotFound(at_ns, coid), at_ns)
        elif isinstance(self._ended[coid][-1], f.OrderFilled):
            filled = sum((e.fill.quantity for e in self._ended[coid] if isinstance(e, f.OrderFilled)), ZERO)
            self._answer(f.OrderCancelled(at_ns, coid, "filled whole", filled), at_ns)

    def _snapshot(self, at_ns: int) -> VenueSnapshot:
        listed = [
            VenueOrder(
                coid,
                f"P{coid[:12]}",
                order.request.instrument,
                order.request.side,
                order.quantity,
                order.filled,
                order.stop_price,
            )
            for coid, order in self.orders.items()
        ]
        held: dict[str, Decimal] = {}
        for key, position in self.account.positions.items():
            name = instrument_of_position(key)
            held[name] = held.get(name, ZERO) + position.quantity
        return VenueSnapshot(
            at_ns,
            self.account.account.account_id,
            at_ns,
            plain=tuple(item for item in listed if not self.orders[item.client_order_id].waits),
            conditional=tuple(item for item in listed if self.orders[item.client_order_id].waits),
            positions=held,
            balances=dict(self.account.balances),
        )

    # fills

    def _try_fill(self, order: Resting, at_ns: int) -> None:
        request = order.request
        tape = self._tapes[request.instrument]
        if tape.phase is Phase.RANGE and tape.quote is None and not (request.role.reduces or order.resting):
            return  # an entry that arrives inside a bar waits for the next: its price may be gone already
        contract = self.instruments[request.instrument]
        waited = order.waits
        found = self._price(order, tape, contract)
        if waited and order.triggered and request.order_type is OrderType.STOP_LIMIT:
            self._answer(f.OrderTriggered(at_ns, request.client_order_id), at_ns)
        if found is None:
            return
        price, liquidity = found
        quantity = min(order.remaining, takeable(tape, request.side, contract, self.costs))
        if quantity <= 0:
            return
        if liquidity is Liquidity.TAKER and self.costs.impact_bps:
            price = self._moved(request, tape, contract, price, quantity)
        self._fill(order, contract, quantity, price, liquidity, at_ns)

    def _moved(
        self, request: OrderRequest, tape: Tape, contract: Instrument, price: Decimal, quantity: Decimal
    ) -> Decimal:
        """The price after our own taking, never beyond the order's limit."""
        moved = after_impact(contract, self.costs, tape, request.side, price, quantity)
        limit = request.limit_price
        if limit is None:
            return moved
        return min(moved, limit) if request.side is Side.BUY else max(moved, limit)

    def _price(self, order: Resting, tape: Tape, contract: Instrument) -> tuple[Decimal, Liquidity] | None:
        request, costs = order.request, self.costs
        side = request.side
        if request.order_type is OrderType.LIMIT and request.limit_price is not None:
            resting = order.resting
            price = limit_price(tape, side, request.limit_price, resting=resting, through=costs.through)
            if price is None:
                return None
            return price, Liquidity.MAKER if resting and price == request.limit_price else Liquidity.TAKER
        if order.stop_price is not None and not order.triggered:
            base = stop_base(tape, side, order.stop_price)
            if base is None:
                return None
            order.triggered = True
            return _within(request, taking_price(contract, costs, side, base, tape.quote is None))
        market = market_base(tape, side)
        if market is None:
            return None
        return _within(request, taking_price(contract, costs, side, market[0], market[1]))

    def _fill(
        self,
        order: Resting,
        contract: Instrument,
        quantity: Decimal,
        price: Decimal,
        liquidity: Liquidity,
        at_ns: int,
    ) -> None:
        request = order.request
        in_base = contract.fee_in_base and request.side is Side.BUY
        bps = contract.maker_fee_bps if liquidity is Liquidity.MAKER else contract.taker_fee_bps
        paid = quantity if in_base else contract.notional(quantity, price)
        fee = paid * bps / BASIS_POINTS
        if contract.commission and not in_base:
            fee += contract.commission * quantity
        order.fills += 1
        fill = Fill(
            trade_id=f"{request.client_order_id[:16]}-{order.fills}",
            client_order_id=request.client_order_id,
            account_id=request.account_id,
            instrument=request.instrument,
            side=request.side,
            quantity=quantity,
            price=price,
            fee=fee,
            fee_currency=contract.base if in_base else contract.quote,
            liquidity=liquidity,
            at_ns=at_ns,
            paper_trade=True,
        )
        book_fill(self.account, contract, fill, request.direction)
        order.filled += quantity
        tape = self._tapes[request.instrument]
        tape.taken[request.side] = tape.taken.get(request.side, ZERO) + quantity
        event = f.OrderFilled(at_ns, fill)
        self._remember(request.client_order_id, event)
        self._answer(event, at_ns)
        if order.remaining <= 0:
            self.orders.pop(request.client_order_id, None)

    def _cancel(self, order: Resting, reason: str, at_ns: int) -> None:
        coid = order.request.client_order_id
        self._end(order, f.OrderCancelled(at_ns, coid, reason, order.filled), at_ns)

    def _end(self, order: Resting, event: f.VenueEvent, at_ns: int) -> None:
        coid = order.request.client_order_id
        self.orders.pop(coid, None)
        self._remember(coid, event)
        self._answer(event, at_ns)

    def _remember(self, coid: str, event: f.VenueEvent) -> None:
        self._ended.setdefault(coid, []).append(event)
        while len(self._ended) > REMEMBERED:
            self._ended.popitem(last=False)


def _within(request: OrderRequest, price: Decimal) -> tuple[Decimal, Liquidity] | None:
    """What is taken at a price, unless that is beyond the limit of a stop-limit."""
    limit = request.limit_price if request.order_type is OrderType.STOP_LIMIT else None
    if limit is not None and (price - limit) * request.side.sign > 0:
        return None
    return price, Liquidity.TAKER
