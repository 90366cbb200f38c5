"""What Tradovate is asked: an order and all that became of it, and everything an account has.

An answer is believed only where its parts agree: an order that is over has the fills its terms or the
exchange's own count ask for, or nothing is said about it yet.
"""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Protocol, TypeVar

import msgspec

from neuratrade.core.model import facts as f
from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.errors import Refused, UsageError
from neuratrade.core.model.events import VenueOrder, VenueSnapshot
from neuratrade.core.model.instrument import Instrument, instrument_key
from neuratrade.core.model.orders import Fill
from neuratrade.feeds.clock import Clock
from neuratrade.venues.limiter import Urgency
from neuratrade.venues.tradovate.entities import (
    WireAccount,
    WireCash,
    WireCommand,
    WireContract,
    WireFill,
    WireFillFee,
    WireOrder,
    WirePosition,
    WireVersion,
)
from neuratrade.venues.tradovate.errors import Doubtful, Missing, short
from neuratrade.venues.tradovate.hearing import busted, corrected
from neuratrade.venues.tradovate.register import Register, filled_by
from neuratrade.venues.tradovate.words import OVER, STOPS, WORKING, end_of, fill_of, side_of

VENUE = "tradovate"
T = TypeVar("T")


class Ask(Protocol):
    """Sends one request, see `Link.ask`."""

    async def __call__(
        self, endpoint: str, *, query: str = "", body: str = "", urgency: Urgency = Urgency.ASK
    ) -> msgspec.Raw:
        """What its answer holds."""
        ...


class Questions:
    """Asks about one account. contracts: what is traded, by the venue's number; may grow."""

    def __init__(
        self,
        ask: Ask,
        register: Register,
        account_id: str,
        contracts: Mapping[int, Instrument],
        clock: Clock,
    ) -> None:
        self._ask = ask
        self._register = register
        self._account_id = account_id
        self._contracts = contracts
        self._clock = clock
        self._names: dict[int, str] = {}

    async def contract_number(self, name: str) -> int:
        """The venue's number of a contract. Raises UsageError where it has none of that name."""
        try:
            raw = await self._ask("contract/find", query=f"name={name}", urgency=Urgency.PROTECT)
        except Missing:
            raise UsageError(
                f"Tradovate has no contract {name}: names are root, month letter and last digit of the year"
            ) from None
        return msgspec.json.decode(raw, type=WireContract).id

    # one order

    async def number_of(self, coid: str, urgency: Urgency) -> int | None:
        """The venue's number of an order of ours; None where it has none by our id."""
        if self._register.number(coid) is None:
            await self._learn_commands(urgency)
        return self._register.number(coid)

    async def name_of(self, number: int, urgency: Urgency) -> str:
        """Our id of an order, empty for one of others. Raises Doubtful where nobody says."""
        if self._register.coid(number) is None:
            await self._learn_commands(urgency)
        coid = self._register.coid(number)
        if coid is None:
            raise Doubtful(f"nothing says who placed order {number}")
        return coid

    async def look_at(self, number: int, coid: str, urgency: Urgency) -> list[f.VenueEvent]:
        """All that became of an order. Raises Doubtful where the answers do not agree yet."""
        try:
            raw = await self._ask("order/item", query=f"id={number}", urgency=urgency)
        except Missing:
            raise Doubtful(f"order {number} was made, and is not there") from None
        order = msgspec.json.decode(raw, type=WireOrder)
        if order.id != number:
            raise Doubtful(f"order {number} was asked for, another was told")
        self._register.learn(order)
        versions = await self._list(WireVersion, "orderVersion/deps", f"masterid={number}", urgency)
        self._learn(versions)
        listed = await self._list(WireFill, "fill/deps", f"masterid={number}", urgency)
        fills = sorted((fill for fill in listed if fill.order_id == number), key=lambda fill: fill.id)
        self._learn(fills)
        await self._learn_fees(fills, urgency)
        return self._told(order, coid, fills)

    def _told(self, order: WireOrder, coid: str, fills: list[WireFill]) -> list[f.VenueEvent]:
        now_ns, state, filled = self._clock.now_ns(), order.ord_status, filled_by(fills)
        if state == "Rejected" and not fills:
            return [end_of(state, coid, ZERO, "", now_ns)]
        if state not in WORKING and state not in OVER:
            raise Doubtful(f"the order is {state}: neither taken nor refused")
        version = self._register.versions.get(order.id)
        if state == "Filled" and (version is None or filled != version.order_qty):
            raise Doubtful(f"the order is filled, fills of {filled} are listed")
        if filled < self._register.reported(order.id) and all(fill.active is not False for fill in fills):
            raise Doubtful(
                f"{self._register.reported(order.id)} of it are filled, fills of {filled} are listed"
            )
        told: list[f.VenueEvent] = [f.OrderAccepted(now_ns, coid, str(order.id))]
        if fills and version is not None and version.order_type in STOPS:
            # The venue does not say that a stop was reached: what was filled proves it.
            told.append(f.OrderTriggered(now_ns, coid))
        for fill in fills:
            told += self._told_fill(fill, coid, now_ns)
        if state in OVER:
            told.append(end_of(str(state), coid, filled, "", now_ns))
        return told

    def _told_fill(self, fill: WireFill, coid: str, now_ns: int) -> list[f.VenueEvent]:
        contract = self._contracts.get(fill.contract_id)
        if contract is None:
            raise Doubtful("a fill of another contract is listed")
        if fill.active is False:
            return [busted(fill, coid, now_ns)]
        made = f.OrderFilled(now_ns, self._fill(fill, coid, contract))
        if not self._register.is_dearer(fill, contract):
            return [made]
        # It may have been told before at the contract's commission.
        return [made, corrected(fill, coid, self._register.fee(fill, contract), now_ns)]

    # everything

    async def snapshot(self, account_id: str) -> VenueSnapshot:
        """Everything there is, asked for from now on."""
        asked_ns = self._clock.now_ns()
        orders = [
            order
            for order in await self._list(WireOrder, "order/list")
            if order.account_id == self._register.account
        ]
        self._learn(orders)
        live = [order for order in orders if order.ord_status not in OVER]
        if live:
            numbers = ",".join(str(order.id) for order in live)
            self._learn(await self._list(WireVersion, "orderVersion/ldeps", f"masterids={numbers}"))
        listed = await self._list(WireFill, "fill/list")
        mine = {order.id for order in orders}
        fills = [fill for fill in listed if fill.order_id in mine]
        self._learn(fills)
        await self._learn_fees(fills, Urgency.ASK)
        if any(self._register.coid(number) is None for number in mine):
            await self._learn_commands(Urgency.ASK)
        positions, costs = await self._positions()
        money = await self.money()
        forced = {order.id for order in orders if order.admin}
        told = [(fill, self._listed_fill(fill)) for fill in fills if fill.contract_id in self._contracts]
        items = [(order, await self._listed(order)) for order in live]
        return VenueSnapshot(
            self._clock.now_ns(),
            account_id,
            asked_ns,
            plain=tuple(item for order, item in items if not self._is_waiting(order)),
            conditional=tuple(item for order, item in items if self._is_waiting(order)),
            positions=positions,
            costs=costs,
            balances=self._balances(money),
            fills=tuple(item for fill, item in told if fill.order_id not in forced),
            liquidations=tuple(item for fill, item in told if fill.order_id in forced),
        )

    async def money(self) -> WireCash:
        """Cash, margin and profit. Raises Doubtful for an answer that says why there is none."""
        body = msgspec.json.encode({"accountId": self._register.account}).decode()
        raw = await self._ask("cashBalance/getcashbalancesnapshot", body=body)
        told = msgspec.json.decode(raw, type=WireCash)
        if told.error_text or told.total_cash_value is None:
            raise Doubtful(f"the money of the account is not told: {short(told.error_text)}")
        return told

    def _balances(self, money: WireCash) -> dict[str, Decimal]:
        currencies = {contract.quote for contract in self._contracts.values()} or {"USD"}
        return dict.fromkeys(currencies, money.total_cash_value or ZERO)

    async def _positions(self) -> tuple[dict[str, Decimal], dict[str, Decimal] | None]:
        """Signed contracts by instrument, and what they were entered at; None where a price is not told."""
        held = {contract.key: ZERO for contract in self._contracts.values()}
        costs: dict[str, Decimal] = {}
        told = True
        for item in await self._list(WirePosition, "position/list"):
            if item.account_id == self._register.account and item.net_pos:
                key = await self._key_of(item.contract_id)
                held[key] = item.net_pos
                contract = self._contracts.get(item.contract_id)
                if item.net_price is None or contract is None:
                    told = False
                else:
                    costs[key] = item.net_pos * item.net_price * contract.multiplier
        return held, costs if told else None

    async def _listed(self, order: WireOrder) -> VenueOrder:
        version = self._register.versions.get(order.id)
        if version is None or order.contract_id is None:
            raise Doubtful(f"order {order.id} is listed without its terms")
        return VenueOrder(
            self._register.coid(order.id) or "",
            str(order.id),
            await self._key_of(order.contract_id),
            side_of(order.action),
            version.order_qty,
            filled_by(self._register.fills(order.id)),
            version.stop_price if version.order_type in STOPS else None,
        )

    def _is_waiting(self, order: WireOrder) -> bool:
        """Whether it is a stop that was not reached yet, as far as that shows."""
        version = self._register.versions.get(order.id)
        return version is not None and version.order_type in STOPS and not self._register.fills(order.id)

    def _listed_fill(self, fill: WireFill) -> Fill:
        made = self._fill(fill, self._register.coid(fill.order_id) or "", self._contracts[fill.contract_id])
        return msgspec.structs.replace(made, quantity=ZERO) if fill.active is False else made

    def _fill(self, fill: WireFill, coid: str, contract: Instrument) -> Fill:
        fee, now_ns = self._register.fee(fill, contract), self._clock.now_ns()
        return fill_of(fill, coid, self._account_id, contract.key, fee, contract.quote, now_ns)

    # lists

    async def _key_of(self, number: int) -> str:
        contract = self._contracts.get(number)
        if contract is not None:
            return contract.key
        if number not in self._names:
            raw = await self._ask("contract/item", query=f"id={number}")
            self._names[number] = msgspec.json.decode(raw, type=WireContract).name
        return instrument_key(self._names[number], VENUE)

    async def _learn_commands(self, urgency: Urgency) -> None:
        self._learn(await self._list(WireCommand, "command/list", urgency=urgency))

    async def _learn_fees(self, fills: list[WireFill], urgency: Urgency) -> None:
        unknown = [str(fill.id) for fill in fills if not self._register.has_fee(fill)]
        if unknown:
            numbers = f"masterids={','.join(unknown)}"
            self._learn(await self._list(WireFillFee, "fillFee/ldeps", numbers, urgency))

    def _learn(self, entities: Iterable[msgspec.Struct]) -> None:
        for entity in entities:
            self._register.learn(entity)

    async def _list(
        self, kind: type[T], endpoint: str, query: str = "", urgency: Urgency = Urgency.ASK
    ) -> list[T]:
        raw = await self._ask(endpoint, query=query, urgency=urgency)
        many: list[T] = msgspec.json.decode(raw, type=list[kind])  # type: ignore[valid-type]
        return many


async def account_of(ask: Ask, name: str | None) -> WireAccount:
    """The account that is traded. name: where there are several.

    Raises UsageError where it is not clear which, Refused for one that may not trade.
    """
    listed = msgspec.json.decode(await ask("account/list"), type=list[WireAccount])
    named = [item for item in listed if name is None or item.name == name]
    if not named:
        raise UsageError(f"this login has no account {name or ''}: it has {_names(listed)}")
    able = [item for item in named if not (item.readonly or item.closed or item.restricted)]
    if len(able) > 1:
        raise UsageError(f"this login has several accounts: say which of {_names(able)} is traded")
    if able:
        return able[0]
    states = ("readonly", "closed", "restricted")
    why = ", ".join(state for state in states if any(getattr(item, state) for item in named))
    raise Refused(f"the account {_names(named)} may not trade ({why}): settle that with Tradovate first")


def _names(accounts: list[WireAccount]) -> str:
    return ", ".join(item.name for item in accounts) or "none"
