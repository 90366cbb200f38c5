"""What Tradovate keeps and tells, as far as it is used: entities with numbers for ids and for prices.

Numbers become decimals from their text, never through a float. Unknown fields, states and reasons are let be:
enumerations are plain text here, so that a new word is no error. Every field may be null by the schema.
Source: the vendor's OpenAPI description and its pages on entities, read in November 2026.
"""

from decimal import Decimal

import msgspec

from neuratrade.core.model.decimals import ZERO


class WireAccount(msgspec.Struct, frozen=True, rename="camel"):
    """An account. name: what orders call its `accountSpec`. Its old fields `active`, `archived` are gone."""

    id: int
    name: str
    restricted: bool | None = None
    closed: bool | None = None
    readonly: bool | None = None


class WireContract(msgspec.Struct, frozen=True, rename="camel"):
    """A contract by its name, as in `ESZ6`."""

    id: int
    name: str


class WireOrder(msgspec.Struct, frozen=True, rename="camel"):
    """An order; how large and at which price is told by its versions. admin: made by the venue."""

    id: int
    account_id: int
    contract_id: int | None = None
    action: str | None = None
    ord_status: str | None = None
    admin: bool | None = None


class WireVersion(msgspec.Struct, frozen=True, rename="camel"):
    """Terms of an order; the version with the highest id holds."""

    id: int
    order_id: int
    order_qty: Decimal
    order_type: str | None = None
    price: Decimal | None = None
    stop_price: Decimal | None = None


class WireCommand(msgspec.Struct, frozen=True, rename="camel"):
    """Something asked of an order; our id of the order is here alone."""

    id: int
    order_id: int
    command_type: str | None = None
    cl_ord_id: str | None = None


class WireCommandReport(msgspec.Struct, frozen=True, rename="camel"):
    """What became of a command."""

    id: int
    command_id: int
    command_status: str | None = None
    reject_reason: str | None = None
    text: str | None = None


class WireExecutionReport(msgspec.Struct, frozen=True, rename="camel"):
    """What the exchange said of an order. cumQty: filled in all by then."""

    id: int
    order_id: int
    exec_type: str | None = None
    ord_status: str | None = None
    cum_qty: Decimal | None = None
    reject_reason: str | None = None
    text: str | None = None


class WireFill(msgspec.Struct, frozen=True, rename="camel"):
    """An execution. active: False once it was taken back."""

    id: int
    order_id: int
    contract_id: int
    action: str
    qty: Decimal
    price: Decimal
    timestamp: str | None = None
    active: bool | None = None


class WireFillFee(msgspec.Struct, frozen=True, rename="camel"):
    """What a fill cost, in parts. Nothing in it names the fill but its own id, which is the fill's."""

    id: int
    clearing_fee: Decimal | None = None
    exchange_fee: Decimal | None = None
    nfa_fee: Decimal | None = None
    brokerage_fee: Decimal | None = None
    ip_fee: Decimal | None = None
    commission: Decimal | None = None
    order_routing_fee: Decimal | None = None

    @property
    def total(self) -> Decimal:
        """All parts of it."""
        parts = (
            self.clearing_fee,
            self.exchange_fee,
            self.nfa_fee,
            self.brokerage_fee,
            self.ip_fee,
            self.commission,
            self.order_routing_fee,
        )
        return sum((part for part in parts if part is not None), ZERO)


class WirePosition(msgspec.Struct, frozen=True, rename="camel"):
    """A position. netPos: negative where short. netPrice: the mean of what it was entered at."""

    account_id: int
    contract_id: int
    net_pos: Decimal
    net_price: Decimal | None = None


class WireCash(msgspec.Struct, frozen=True, rename="camel"):
    """Money of an account, US dollars. totalCashValue: without what open positions gained."""

    total_cash_value: Decimal | None = None
    initial_margin: Decimal | None = None
    maintenance_margin: Decimal | None = None
    net_liq: Decimal | None = None
    open_pnl: Decimal | None = msgspec.field(default=None, name="openPnL")
    realised_pnl: Decimal | None = msgspec.field(default=None, name="realizedPnL")
    error_text: str | None = None


class Prop(msgspec.Struct, frozen=True, rename="camel"):
    """An event of user data. entity: one, or a list of them."""

    entity_type: str
    entity: msgspec.Raw


class PlaceResult(msgspec.Struct, frozen=True, rename="camel"):
    """The answer to a new order."""

    order_id: int | None = None
    failure_reason: str | None = None
    failure_text: str | None = None


class CommandResult(msgspec.Struct, frozen=True, rename="camel"):
    """The answer to a cancel."""

    command_id: int | None = None
    failure_reason: str | None = None
    failure_text: str | None = None


class Violation(msgspec.Struct, frozen=True, rename="camel"):
    """What about a request is not as it has to be."""

    description: str = ""


class Violations(msgspec.Struct, frozen=True, rename="camel"):
    """The words of status 400."""

    violations: list[Violation] = []
    error_text: str | None = None


class Shutdown(msgspec.Struct, frozen=True, rename="camel"):
    """Why a connection is ended."""

    reason_code: str = "no reason given"


ENTITIES: dict[str, type[msgspec.Struct]] = {
    "order": WireOrder,
    "orderVersion": WireVersion,
    "command": WireCommand,
    "commandReport": WireCommandReport,
    "executionReport": WireExecutionReport,
    "fill": WireFill,
    "fillFee": WireFillFee,
}
"""Entities that are read when they are told of; others are let pass."""

ASKED_FOR = (
    "user", "account", "position", "order", "orderVersion", "command", "commandReport", "executionReport",
    "fill", "fillFee", "cashBalance", "marginSnapshot", "contract", "contractMaturity", "product",
)  # fmt: skip
"""Entities a connection asks to be told of: none is told of that was not asked for."""
