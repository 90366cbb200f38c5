"""What Tradovate's user data comes to, in our words, whichever order it comes in.

An event about an order whose id of ours is not known yet is kept until it is. Where what was told is not
enough to say how an order ended, somebody has to look: `doubt` is told of it.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from decimal import Decimal

import msgspec

from neuratrade.core.model import facts as f
from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.instrument import Instrument
from neuratrade.feeds.clock import Clock
from neuratrade.venues.tradovate.entities import (
    ASKED_FOR,
    ENTITIES,
    Prop,
    WireCommand,
    WireCommandReport,
    WireExecutionReport,
    WireFill,
    WireFillFee,
    WireOrder,
)
from neuratrade.venues.tradovate.register import NEW, Register
from neuratrade.venues.tradovate.words import OVER, REJECTIONS, WORKING, end_of, fill_of

Build = Callable[[str], f.VenueEvent]


class Hearing:
    """Reads events. contracts: what is traded, by the venue's number. doubt: takes orders to look at.

    unknown: entities of kinds nobody knows, counted.
    """

    def __init__(
        self,
        register: Register,
        contracts: Mapping[int, Instrument],
        account_id: str,
        clock: Clock,
        doubt: Callable[[int], None],
    ) -> None:
        self._register = register
        self._contracts = contracts
        self._account_id = account_id
        self._clock = clock
        self._doubt = doubt
        self._kept: dict[int, list[Build]] = {}
        self._reports: dict[int, WireCommandReport] = {}
        self._reasons: dict[int, str] = {}
        self._accepted: set[int] = set()
        self._ended: dict[int, Decimal] = {}
        self.unknown: Counter[str] = Counter()

    def is_settled(self, number: int) -> bool:
        """Whether all that was told of an order could be passed on, its end among it."""
        return number in self._ended and number not in self._kept

    def take(self, prop: Prop) -> list[f.VenueEvent]:
        """What an event comes to. Raises msgspec.DecodeError or ValueError for one without sense."""
        kind = ENTITIES.get(prop.entity_type)
        if kind is None:
            if prop.entity_type not in ASKED_FOR:
                self.unknown[prop.entity_type[:40]] += 1
            return []
        told: list[f.VenueEvent] = []
        for entity in _decoded(prop.entity, kind):
            self._register.learn(entity)
            told += self._read(entity)
        return told

    def named(self, number: int) -> list[f.VenueEvent]:
        """What was kept until an order's id was known."""
        coid = self._register.coid(number)
        if coid is None:
            return []
        return _known(coid, self._kept.pop(number, []))

    def _read(self, entity: msgspec.Struct) -> list[f.VenueEvent]:
        match entity:
            case WireOrder():
                return self._order(entity)
            case WireCommand():
                report = self._reports.pop(entity.id, None)
                return self.named(entity.order_id) + ([] if report is None else self._command_report(report))
            case WireCommandReport():
                return self._command_report(entity)
            case WireExecutionReport():
                return self._execution(entity)
            case WireFill():
                return self._fill(entity)
            case WireFillFee():
                return self._fee(entity)
            case _:
                return []

    def _order(self, order: WireOrder) -> list[f.VenueEvent]:
        if order.account_id != self._register.account or order.contract_id not in self._contracts:
            return []
        if order.ord_status in WORKING:
            return self._accept(order.id)
        if order.ord_status == "Rejected" and not self._register.fills(order.id):
            return self._end(order.id, "Rejected", ZERO, "")
        if order.ord_status in OVER and order.ord_status != "Filled" and order.id not in self._ended:
            # The exchange's own report says how much of it was filled; it mostly comes right behind.
            self._doubt(order.id)
        return []

    def _execution(self, report: WireExecutionReport) -> list[f.VenueEvent]:
        order = self._register.orders.get(report.order_id)
        if order is not None and order.contract_id not in self._contracts:
            return []
        if report.exec_type == "New":
            return self._accept(report.order_id)
        if report.exec_type in ("Canceled", "Expired", "Rejected") and report.ord_status in OVER:
            if report.cum_qty is None and report.exec_type != "Rejected":
                self._doubt(report.order_id)
                return []
            filled = report.cum_qty or ZERO
            return self._end(report.order_id, str(report.exec_type), filled, report.text or "")
        return []

    def _command_report(self, report: WireCommandReport) -> list[f.VenueEvent]:
        if report.command_status not in REJECTIONS:
            return []
        command = self._register.commands.get(report.command_id)
        if command is None:
            self._reports[report.command_id] = report
            return []
        words = f"{report.text or 'no words of its own'} ({report.reject_reason or report.command_status})"
        number = command.order_id
        if command.command_type == NEW:
            # What proves that it is over is the order itself: here it is only said that this was not done.
            self._reasons[number] = words
            if number not in self._ended:
                self._doubt(number)
            return []
        now_ns = self._clock.now_ns()
        return self._tell(number, lambda coid: f.RequestRejected(now_ns, coid, words))

    def _fill(self, fill: WireFill) -> list[f.VenueEvent]:
        contract = self._contracts.get(fill.contract_id)
        order = self._register.orders.get(fill.order_id)
        if contract is None or (order is not None and order.admin):
            # What the venue does of its own is no order of ours: a snapshot tells of it as such.
            return []
        now_ns = self._clock.now_ns()
        if fill.active is False:
            return self._tell(fill.order_id, lambda coid: busted(fill, coid, now_ns))
        fee = self._register.fee(fill, contract)
        made = fill_of(fill, "", self._account_id, contract.key, fee, contract.quote, now_ns)
        return self._tell(
            fill.order_id,
            lambda coid: f.OrderFilled(now_ns, msgspec.structs.replace(made, client_order_id=coid)),
        )

    def _fee(self, told: WireFillFee) -> list[f.VenueEvent]:
        fill = self._register.fill(told.id)
        contract = None if fill is None else self._contracts.get(fill.contract_id)
        if fill is None or contract is None or not self._register.is_dearer(fill, contract):
            return []
        now_ns, fee = self._clock.now_ns(), told.total
        return self._tell(fill.order_id, lambda coid: corrected(fill, coid, fee, now_ns))

    def _accept(self, number: int) -> list[f.VenueEvent]:
        if number in self._accepted or number in self._ended:
            return []
        self._accepted.add(number)
        now_ns = self._clock.now_ns()
        return self._tell(number, lambda coid: f.OrderAccepted(now_ns, coid, str(number)))

    def _end(self, number: int, state: str, filled: Decimal, reason: str) -> list[f.VenueEvent]:
        if self._ended.get(number) == filled:
            return []
        self._ended[number] = filled
        now_ns, words = self._clock.now_ns(), self._reasons.get(number) or reason
        return self._tell(number, lambda coid: end_of(state, coid, filled, words, now_ns))

    def _tell(self, number: int, build: Build) -> list[f.VenueEvent]:
        coid = self._register.coid(number)
        if coid is not None:
            return _known(coid, [build])
        self._kept.setdefault(number, []).append(build)
        self._doubt(number)
        return []


def _known(coid: str, builds: list[Build]) -> list[f.VenueEvent]:
    """Events of an order whose id is known. Of one that is not ours, executions alone are told."""
    events = [build(coid) for build in builds]
    return [event for event in events if coid or isinstance(event, f.OrderFilled)]


def busted(fill: WireFill, coid: str, now_ns: int) -> f.VenueEvent:
    """An execution that was taken back."""
    return f.FillCorrected(now_ns, coid, str(fill.id), ZERO, fill.price, ZERO)


def corrected(fill: WireFill, coid: str, fee: Decimal, now_ns: int) -> f.VenueEvent:
    """An execution that cost something else than was thought."""
    return f.FillCorrected(now_ns, coid, str(fill.id), fill.qty, fill.price, fee)


def _decoded(raw: msgspec.Raw, kind: type[msgspec.Struct]) -> list[msgspec.Struct]:
    """One entity, or a list of them."""
    if bytes(raw).lstrip()[:1] == b"[":
        many: list[msgspec.Struct] = msgspec.json.decode(raw, type=list[kind])  # type: ignore[valid-type]
        return many
    return [msgspec.json.decode(raw, type=kind)]
