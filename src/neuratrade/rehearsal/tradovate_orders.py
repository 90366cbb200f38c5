"""Orders at Tradovate: placed, changed, cancelled, alone or linked.

An order number is no acceptance: the exchange may still refuse, which a command report tells. Nothing looks
at `clOrdId`: the same order sent twice is two orders.
"""

from collections import Counter
from collections.abc import Callable

from neuratrade.core.model.decimals import ZERO
from neuratrade.rehearsal.faults import Troubles
from neuratrade.rehearsal.orders import Rejected, Ticket
from neuratrade.rehearsal.tradovate_book import ACCOUNT, Book, Order
from neuratrade.rehearsal.tradovate_contracts import Contracts, Listed
from neuratrade.rehearsal.tradovate_hours import Hours
from neuratrade.rehearsal.tradovate_links import Links
from neuratrade.rehearsal.tradovate_money import ACCOUNT_ID
from neuratrade.rehearsal.tradovate_risk import Risk
from neuratrade.rehearsal.tradovate_terms import Terms, check, terms_of
from neuratrade.rehearsal.tradovate_words import FAILURES, Failed, Said

LINKED = ("bracket1", "bracket2")


class Orders:
    """What changes orders, by endpoint. submissions: how often each client id was sent."""

    def __init__(
        self,
        book: Book,
        contracts: Contracts,
        risk: Risk,
        hours: Hours,
        troubles: Troubles,
        now_ns: Callable[[], int],
        submissions: Counter[str],
    ) -> None:
        self._engine = book.engine
        self._book = book
        self._contracts = contracts
        self._risk = risk
        self._hours = hours
        self._now_ns = now_ns
        self._submissions = submissions
        self._links = Links(book, troubles, risk.watch)
        self.changes: dict[str, Callable[[Said], Said]] = {
            "order/placeorder": self.place,
            "order/placeoso": self.place_oso,
            "order/placeoco": self.place_oco,
            "order/modifyorder": self.modify,
            "order/cancelorder": self.cancel,
            "order/liquidateposition": self.liquidate,
            "order/liquidatepositions": self.liquidate_all,
        }
        risk.flatten = self.flatten

    # placing

    def place(self, body: Said) -> Said:
        """`order/placeorder`."""
        self._count(body)
        try:
            order, ticket = self._new(body)
        except Failed as failed:
            return _no(failed) | {"orderId": 0}
        self._links.hand(order, ticket)
        self._links.settle()
        return {"orderId": order.number}

    def place_oso(self, body: Said) -> Said:
        """`order/placeoso`: an order with brackets, which are linked where there are two."""
        brackets = [self._leg(body, body[name]) for name in LINKED if body.get(name)]
        self._count(body, *brackets)
        check(body, ("action", "symbol", "orderQty", "orderType", "bracket1"))
        try:
            listed, terms = self._checked(body)
            legs = [self._checked(item)[1] for item in brackets]
        except Failed as failed:
            return _no(failed) | {"orderId": 0}
        parent, ticket = self._made(body, listed, terms)
        said = {"orderId": parent.number}
        held = []
        for place, (item, leg) in enumerate(zip(brackets, legs, strict=True), 1):
            order, later = self._made(item, listed, leg)
            order.parent = parent.number
            self._links.waiting[order.number] = (order, later)
            held.append(order)
            said[f"oso{place}Id"] = order.number
        _link(*held)
        for order in held:
            self._book.move(order, "Suspended")
            self._book.report(order, "ExecutionSuspended")
        self._links.hand(parent, ticket)
        self._links.settle()
        return said

    def place_oco(self, body: Said) -> Said:
        """`order/placeoco`: two orders of which one cancels the other."""
        check(body, ("action", "symbol", "orderQty", "orderType", "other"))
        other = self._leg(body, body["other"])
        self._count(body, other)
        try:
            listed, terms = self._checked(body)
            _, second = self._checked(other)
        except Failed as failed:
            return _no(failed) | {"orderId": 0}
        one, two = self._made(body, listed, terms), self._made(other, listed, second)
        _link(one[0], two[0])
        for order, ticket in (one, two):
            self._links.hand(order, ticket)
        self._links.settle()
        return {"orderId": one[0].number, "ocoId": two[0].number}

    def _count(self, *bodies: Said) -> None:
        for body in bodies:
            if body.get("clOrdId"):
                self._submissions[str(body["clOrdId"])] += 1

    def _leg(self, body: Said, leg: Said) -> Said:
        """A linked order as a body of its own."""
        shared = ("accountId", "accountSpec", "symbol", "orderQty", "isAutomated")
        return {name: body[name] for name in shared if name in body} | leg

    def _new(self, body: Said) -> tuple[Order, Ticket]:
        check(body)
        return self._made(body, *self._checked(body))

    def _checked(self, body: Said) -> tuple[Listed, Terms]:
        """What of an order is refused before it has a number. Raises Failed."""
        check(body)
        listed = self._contracts.find(str(body["symbol"]))
        if listed is None or listed.instrument is None:
            raise Failed("InvalidContract", f"{body['symbol']} is not traded here")
        if body.get("accountId", ACCOUNT_ID) != ACCOUNT_ID or body.get("accountSpec", ACCOUNT) != ACCOUNT:
            raise Failed("Unauthorized", "not an account of this user")
        terms = terms_of(body, listed.instrument)
        if not self._hours.is_open(self._now_ns()):
            raise Failed("SessionClosed", "Trading is closed")
        self._risk.admit(body, listed, terms)
        quote = self._engine.quotes.get(listed.instrument.key)
        if quote is None:
            raise Failed("NoQuote", "there is no market")
        return listed, terms

    def _made(self, body: Said, listed: Listed, terms: Terms) -> tuple[Order, Ticket]:
        now_ns = self._now_ns()
        instrument = listed.instrument
        assert instrument is not None  # noqa: S101 - `_checked` refused it otherwise
        client_id = str(body.get("clOrdId") or f"~{self._book.next_id()}")
        version = terms.version()
        action, key = str(body["action"]), instrument.key
        order = Order(0, key, listed.number, action, now_ns, client_id, version, trail=terms.trail)
        order.admin = bool(body.get("admin"))
        self._book.add(order)
        return order, terms.ticket(client_id, instrument, action, self._hours.ends_ns(now_ns))

    # changing

    def modify(self, body: Said) -> Said:
        """`order/modifyorder`: an order without a field it had is an order without it."""
        check(body, ("orderId", "orderQty", "orderType"))
        order = self._book.orders.get(int(body["orderId"]))
        try:
            if order is None or not order.is_live:
                raise Failed("TooLate", "the order is over")
            if not self._hours.is_open(self._now_ns()):
                raise Failed("SessionClosed", "Trading is closed")
            instrument = self._engine.contracts[order.key]
            terms = terms_of({"timeInForce": order.version["timeInForce"], **body}, instrument)
            if terms.kind != order.version["orderType"]:
                raise Failed("Unsupported", "the type of an order stays")
            if order.trail is not None and terms.trail not in (None, order.trail):
                raise Failed("TrailingStopNonOrderQtyModify", "only the quantity of a trailing stop changes")
        except Failed as failed:
            return _no(failed)
        number = self._book.command(order, "Modify", str(body.get("clOrdId") or ""))
        self._amend(order, terms)
        self._links.settle()
        return {"commandId": number}

    def _amend(self, order: Order, terms: Terms) -> None:
        if order.number in self._links.waiting:
            ticket = self._links.waiting[order.number][1]
            action = order.action
            instrument = self._engine.contracts[order.key]
            later = terms.ticket(ticket.client_id, instrument, action, self._hours.ends_ns(self._now_ns()))
            self._links.waiting[order.number] = (order, later)
            self._book.revise(order, terms.version())
            self._book.report(order, "ExecutionSuspended")
            return
        sim = self._book.sim(order)
        if sim is None:
            return
        stop = sim.stop_price if order.trail is not None else terms.stop
        before = order.version
        self._book.revise(order, terms.version())
        try:
            self._engine.amend(sim.order_id, terms.quantity, terms.price, stop)
        except Rejected as error:
            reason = FAILURES.get(error.reason, "OtherExecutionRelated")
            self._book.revise(order, before)
            self._book.report(order, "ExecutionRejected", reason, str(error))

    def cancel(self, body: Said) -> Said:
        """`order/cancelorder`."""
        check(body, ("orderId",))
        order = self._book.orders.get(int(body["orderId"]))
        if order is None or not order.is_live:
            return _no(Failed("TooLate", "the order is over"))
        number = self._links.end(order, str(body.get("clOrdId") or ""))
        self._links.settle()
        return {"commandId": number}

    # positions

    def liquidate(self, body: Said) -> Said:
        """`order/liquidateposition`: cancels the orders of a contract and sends what closes its position."""
        check(body, ("accountId", "contractId", "admin"))
        listed = self._contracts.listed.get(int(body["contractId"]))
        if listed is None or listed.instrument is None or body["accountId"] != ACCOUNT_ID:
            return _no(Failed("InvalidContract", "no such contract")) | {"orderId": 0}
        if not self._hours.is_open(self._now_ns()):
            return _no(Failed("SessionClosed", "Trading is closed")) | {"orderId": 0}
        return {"orderId": self.flatten(listed)}

    def liquidate_all(self, body: Said) -> Said:
        """`order/liquidatepositions`: of several positions."""
        check(body, ("positions", "admin"))
        rows = self._book.rows["position"]
        wanted = [rows[int(number)] for number in body["positions"] if int(number) in rows]
        if len(wanted) != len(body["positions"]) or not self._hours.is_open(self._now_ns()):
            return {"ok": False, "errorText": "not all of these can be closed"}
        for row in wanted:
            self.flatten(self._contracts.listed[int(row["contractId"])])
        return {"ok": True}

    def flatten(self, listed: Listed) -> int:
        """Cancels all orders of a contract and closes its position; the closing order, 0 for none."""
        for order in [item for item in self._book.orders.values() if item.contract_id == listed.number]:
            if order.is_live:
                self._links.end(order)
        instrument = listed.instrument
        held = ZERO if instrument is None else self._engine.account.position(instrument.key)
        number = 0
        if held:
            terms = Terms("Market", abs(held), None, None, None, "Day", None)
            action = "Sell" if held > 0 else "Buy"
            order, ticket = self._made({"action": action, "admin": True}, listed, terms)
            self._links.hand(order, ticket)
            number = order.number
        self._links.settle()
        return number


def _link(*orders: Order) -> None:
    if len(orders) == 2:
        one, two = orders
        one.oco, two.oco = two.number, one.number


def _no(failed: Failed) -> Said:
    return {"failureReason": failed.reason, "failureText": str(failed)}
