"""Order lists at the Binance spot simulator: OCO, OTO and OTOCO, over REST and in the user data stream.

Pending orders are placed once the working order is filled whole, for the quantity they were asked with; what
an order of a list does first (its stop is reached, a part of it is filled) ends its counterpart; the end of
one by request is the end of all. What cannot be placed then, for lack of coins after the fee or for a price
that is passed, expires with its list: nothing is left of it. Source: binance-spot-api-docs a5e0bc3 of July
2026 (`rest-api.md`, `user-data-stream.md` on `eR`, `faqs/opo.md`). Refused here though Binance has it: OPO,
OPOCO, icebergs, trailing and pegged legs, the old `order/oco`.
"""

from collections.abc import Callable

import msgspec
from aiohttp import web

from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.orders import OrderType, TimeInForce
from neuratrade.rehearsal import binance_spot_words as words
from neuratrade.rehearsal.attached import Attachments, Exit, Family, Opens, Tie
from neuratrade.rehearsal.binance_spot_door import Asked, Door, missing
from neuratrade.rehearsal.binance_spot_legs import force_of, leg_of, name_of, needed, pair, side_of, ticket_of
from neuratrade.rehearsal.binance_spot_words import Json, Refusal, millis, symbol_id
from neuratrade.rehearsal.matching import MatchingEngine
from neuratrade.rehearsal.orders import Change, ChangeKind, Reason, Rejected, SimOrder, Status, Ticket


class OrderList(msgspec.Struct):
    """A list. contingency: `OCO` or `OTO`, which an OTOCO is, too. is_placed: whether it was told of."""

    number: int
    client_id: str
    contingency: str
    contract: Instrument
    family: Family
    at_ns: int
    is_placed: bool = False
    is_done: bool = False


class OrderLists:
    """The lists of one account. on_change: told each `listStatus`."""

    def __init__(
        self,
        engine: MatchingEngine,
        attachments: Attachments,
        door: Door,
        contract_of: Callable[[Asked], Instrument],
        hand_over: Callable[[Ticket], SimOrder],
        now_ns: Callable[[], int],
    ) -> None:
        self._engine = engine
        self._attachments = attachments
        self._door = door
        self._contract = contract_of
        self._hand_over = hand_over
        self._now_ns = now_ns
        self._lists: dict[str, OrderList] = {}
        self.on_change: list[Callable[[Json], None]] = []
        engine.follow(self._followed)

    def routes(self) -> list[web.RouteDef]:
        """Below `/api/v3`."""
        signed = self._door.signed
        return [
            web.post("/api/v3/orderList/oco", signed(1, self._oco)),
            web.post("/api/v3/orderList/oto", signed(1, lambda asked: self._triggering(asked, ("pending",)))),
            web.post(
                "/api/v3/orderList/otoco",
                signed(1, lambda asked: self._triggering(asked, ("pendingAbove", "pendingBelow"))),
            ),
            web.get("/api/v3/orderList", signed(4, lambda asked: self._body(self._find(asked)))),
            web.get("/api/v3/openOrderList", signed(6, lambda _: self._bodies(only_open=True))),
            web.get("/api/v3/allOrderList", signed(20, lambda _: self._bodies(only_open=False))),
            web.delete("/api/v3/orderList", signed(1, self._cancel)),
        ]

    # what others ask of an order

    def of(self, order: SimOrder) -> OrderList | None:
        """The list an order belongs to."""
        return self._lists.get(order.ticket.group)

    def number_of(self, order: SimOrder) -> int:
        """`orderListId`."""
        found = self.of(order)
        return words.NO_LIST if found is None else found.number

    def reason(self, change: Change) -> str:
        """`eR` of an order that its list let expire, empty elsewhere."""
        family = self._attachments.family(change.order.order_id)
        if family is None or change.kind is not ChangeKind.EXPIRED or not family.leg_ids:
            return ""
        if change.order.order_id in family.refused:
            return "REJECTED"
        entry = None if family.entry_id is None else self._engine.orders[family.entry_id]
        if entry is not None and entry.status is not Status.FILLED:
            return "OTO_PHASE_ONE_EXPIRED"
        return "OCO_TRIGGER"

    def end(self, found: OrderList) -> Json:
        """Cancels a list; what is said of it then."""
        live = [order for order in self._orders(found) if order.is_live]
        if not live:
            raise Refusal(400, -2011, "Unknown order sent.")
        self._engine.cancel(live[0].order_id)
        reports = [words.cancelled_body(order, found.contract, found.number) for order in live]
        return self._body(found) | {"orderReports": reports}

    # new lists

    def _oco(self, asked: Asked) -> Json:
        contract, name = self._begin(asked, 2)
        side, quantity = side_of(asked, "side"), needed(asked, "quantity")
        legs = [leg_of(asked, prefix, quantity) for prefix in ("above", "below")]
        tickets = [ticket_of(contract, side, leg, quantity) for leg in pair(legs)]
        made = self._new("OCO", contract, name, Tie.CANCELS)
        try:
            self._attachments.place_tied(tickets, Tie.CANCELS, self._hand_over, made.family)
        except Rejected as rejected:
            del self._lists[made.family.group]
            if rejected.reason in (Reason.WOULD_TAKE, Reason.WOULD_TRIGGER):
                told = "The relationship of the prices for the orders is not correct."
                raise Refusal(400, -2010, told) from rejected
            raise
        return self._placed(made)

    def _triggering(self, asked: Asked, prefixes: tuple[str, ...]) -> Json:
        contract, name = self._begin(asked, 1 + len(prefixes))
        kind = asked.get("workingType")
        if kind not in ("LIMIT", "LIMIT_MAKER"):
            raise Refusal(400, -1116, "Invalid orderType.")
        force = force_of(asked, "workingTimeInForce") if kind == "LIMIT" else TimeInForce.GTC
        side, pending = side_of(asked, "workingSide"), side_of(asked, "pendingSide")
        if pending is side:
            # The venue takes lists that build up, too; a desk has no use for them.
            raise Refusal(400, -1117, "Invalid side.")
        quantity = needed(asked, "pendingQuantity")
        legs = [leg_of(asked, prefix, quantity) for prefix in prefixes]
        entry = Ticket(
            name_of(asked, "workingClientOrderId"),
            contract.key,
            side,
            OrderType.LIMIT,
            needed(asked, "workingQuantity"),
            needed(asked, "workingPrice"),
            time_in_force=force,
            post_only=kind == "LIMIT_MAKER",
        )
        tie = Tie.CANCELS if len(legs) > 1 else Tie.NONE
        exit_ = Exit(tuple(pair(legs)), Opens.FULL_FILL, tie, ends_together=True)
        made = self._new("OTO", contract, name, tie)
        try:
            self._attachments.place(entry, exit_, self._hand_over, made.family)
        except Rejected:
            del self._lists[made.family.group]
            raise
        return self._placed(made)

    def _begin(self, asked: Asked, orders: int) -> tuple[Instrument, str]:
        self._door.count_orders(orders)
        contract, name = self._contract(asked), name_of(asked, "listClientOrderId")
        if any(item.client_id == name and not item.is_done for item in self._lists.values()):
            raise Refusal(400, -2010, "Duplicate order sent.")
        return contract, name

    def _new(self, contingency: str, contract: Instrument, name: str, tie: Tie) -> OrderList:
        family, number_ = self._attachments.found(tie), self._engine.next_number()
        made = OrderList(number_, name, contingency, contract, family, self._now_ns())
        self._lists[family.group] = made
        return made

    def _placed(self, made: OrderList) -> Json:
        made.is_placed = True
        self._tell(made)
        self._check_done(made)
        reports = [words.report_body(order, made.contract, made.number) for order in self._orders(made)]
        for report in reports:
            # The answer shows pending orders as they were before the working one was filled.
            if made.contingency == "OTO" and report["orderId"] != made.family.entry_id:
                report |= {"status": "PENDING_NEW", "workingTime": -1, "executedQty": words.text(ZERO)}
        return self._body(made) | {"orderReports": reports}

    # changes of lists

    def _followed(self, change: Change) -> None:
        found = self.of(change.order)
        if found is None or found.is_done or not found.is_placed:
            return
        opened = change.kind is ChangeKind.ACCEPTED and change.order.order_id != found.family.entry_id
        if opened and change.order.order_id == found.family.leg_ids[-1]:
            self._tell(found)
        self._check_done(found)

    def _check_done(self, found: OrderList) -> None:
        if not found.is_done and not any(order.is_live for order in self._orders(found)):
            found.is_done = True
            self._tell(found)

    def _tell(self, found: OrderList) -> None:
        body = self._body(found)
        event = {
            "e": "listStatus",
            "E": millis(self._now_ns()),
            "s": body["symbol"],
            "g": found.number,
            "c": found.contingency,
            "l": body["listStatusType"],
            "L": body["listOrderStatus"],
            "r": "NONE",
            "C": found.client_id,
            "T": millis(self._now_ns()),
            "O": [
                {"s": item["symbol"], "i": item["orderId"], "c": item["clientOrderId"]}
                for item in body["orders"]
            ],
        }
        for hear in self.on_change:
            hear(event)

    # questions

    def _orders(self, found: OrderList) -> list[SimOrder]:
        entry = [] if found.family.entry_id is None else [self._engine.orders[found.family.entry_id]]
        return [*entry, *self._attachments.legs(found.family)]

    def _body(self, found: OrderList) -> Json:
        symbol = symbol_id(found.contract)
        return {
            "orderListId": found.number,
            "contingencyType": found.contingency,
            "listStatusType": "ALL_DONE" if found.is_done else "EXEC_STARTED",
            "listOrderStatus": "ALL_DONE" if found.is_done else "EXECUTING",
            "listClientOrderId": found.client_id,
            "transactionTime": millis(found.at_ns),
            "symbol": symbol,
            "orders": [
                {"symbol": symbol, "orderId": order.order_id, "clientOrderId": order.ticket.client_id}
                for order in self._orders(found)
            ],
        }

    def _bodies(self, *, only_open: bool) -> list[Json]:
        return [self._body(item) for item in self._lists.values() if not (only_open and item.is_done)]

    def _find(self, asked: Asked, by: str = "origClientOrderId") -> OrderList:
        if not (asked.get("orderListId") or asked.get(by)):
            raise missing("orderListId")
        for found in reversed(self._lists.values()):
            told = {"orderListId": str(found.number), by: found.client_id}
            if all(asked.get(name, value) == value for name, value in told.items()):
                return found
        raise Refusal(400, -2018 if by == "origClientOrderId" else -2011, "Order list does not exist.")

    def _cancel(self, asked: Asked) -> Json:
        self._contract(asked)
        found = self._find(asked, "listClientOrderId")
        return self.end(found)
