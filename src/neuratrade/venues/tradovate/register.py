"""What is known of orders at Tradovate: which number has which of our ids, and what fills of it cost.

Our id is on the command that made an order, the terms on its versions, the costs on entities of their own;
all of them come in any order, and twice. What an order's state is, nobody should take from here: it is asked.
"""

from decimal import Decimal

import msgspec

from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.instrument import Instrument
from neuratrade.venues.tradovate.entities import (
    WireCommand,
    WireExecutionReport,
    WireFill,
    WireFillFee,
    WireOrder,
    WireVersion,
)

NEW = "New"


class Register:
    """Entities of one account as they were last told. account: its number."""

    def __init__(self, account: int) -> None:
        self.account = account
        self.orders: dict[int, WireOrder] = {}
        self.versions: dict[int, WireVersion] = {}
        self.commands: dict[int, WireCommand] = {}
        self._coids: dict[int, str] = {}
        self._numbers: dict[str, int] = {}
        self._fills: dict[int, dict[int, WireFill]] = {}
        self._fees: dict[int, Decimal] = {}
        self._reported: dict[int, Decimal] = {}

    def learn(self, entity: msgspec.Struct) -> None:
        """Takes an entity in. Of versions the newest holds; a count of what was filled never falls."""
        match entity:
            case WireOrder():
                if entity.account_id == self.account:
                    self.orders[entity.id] = entity
            case WireVersion():
                known = self.versions.get(entity.order_id)
                if known is None or known.id <= entity.id:
                    self.versions[entity.order_id] = entity
            case WireCommand():
                self.commands[entity.id] = entity
                if entity.command_type == NEW:
                    self.name(entity.order_id, entity.cl_ord_id or "")
            case WireExecutionReport():
                filled = entity.cum_qty or ZERO
                self._reported[entity.order_id] = max(filled, self._reported.get(entity.order_id, ZERO))
            case WireFill():
                self._fills.setdefault(entity.order_id, {})[entity.id] = entity
            case WireFillFee():
                self._fees[entity.id] = entity.total
            case _:
                pass

    def name(self, number: int, coid: str) -> None:
        """An order has an id of ours; empty for one that somebody else placed."""
        self._coids.setdefault(number, coid)
        if coid:
            self._numbers.setdefault(coid, number)

    def coid(self, number: int) -> str | None:
        """Our id of an order: empty for one of others, None while nobody said."""
        return self._coids.get(number)

    def number(self, coid: str) -> int | None:
        """The venue's number of an order of ours, where it was told."""
        return self._numbers.get(coid)

    def reported(self, number: int) -> Decimal:
        """The most the exchange said was filled of an order."""
        return self._reported.get(number, ZERO)

    def fills(self, number: int) -> list[WireFill]:
        """Fills of an order that were told, oldest first, those that were taken back among them."""
        return [fill for _, fill in sorted(self._fills.get(number, {}).items())]

    def fill(self, fill_id: int) -> WireFill | None:
        """A fill by its number."""
        return next((fills[fill_id] for fills in self._fills.values() if fill_id in fills), None)

    def fee(self, fill: WireFill, contract: Instrument) -> Decimal:
        """What a fill cost: as told, else by the contract's commission."""
        known = self._fees.get(fill.id)
        return contract.commission * fill.qty if known is None else known

    def has_fee(self, fill: WireFill) -> bool:
        """Whether the venue told what a fill cost."""
        return fill.id in self._fees

    def is_dearer(self, fill: WireFill, contract: Instrument) -> bool:
        """Whether a fill is known to cost something else than the contract's commission."""
        return self.fee(fill, contract) != contract.commission * fill.qty


def filled_by(fills: list[WireFill]) -> Decimal:
    """How much fills come to, without those that were taken back."""
    return sum((fill.qty for fill in fills if fill.active is not False), ZERO)
