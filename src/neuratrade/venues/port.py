"""The port every outside venue implements: what it is asked, what it says, and what may never be assumed.

Promise to the venue: it is only ever given a `Cleared` order, one that the gate approved, the journal holds
and the sender let pass. Demand on the venue: a call either returns, or raises `VenueRefused` when it is
proven that nothing happened. Whatever else a call raises, time-outs and its own bugs included, means that
nobody knows what happened: the order is looked up, never sent again. So an adapter may not retry a request
that changes anything, and may not turn a doubtful answer into a refusal.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Never, Protocol, final

import msgspec

from neuratrade.core.model.approval import Approved
from neuratrade.core.model.commands import CancelOrder, LookUpOrder
from neuratrade.core.model.errors import Refused, Terminal
from neuratrade.core.model.events import VenueSnapshot
from neuratrade.core.model.facts import VenueEvent
from neuratrade.core.model.orders import OrderRequest, OrderType, TimeInForce
from neuratrade.venues.keys import KeyCheck
from neuratrade.venues.limiter import Budget


class VenueRefused(Terminal):
    """The venue proved that it did not do what it was asked: an answer of its own that says so."""


class TooManyRequests(Exception):
    """The venue wants to be left alone for a while. What was asked may have been done all the same.

    retry_after_s: for how long.
    """

    def __init__(self, words: str, retry_after_s: float = 1.0) -> None:
        super().__init__(words)
        self.retry_after_s = retry_after_s


@final
class Cleared:
    """An approved order that the sender let pass: the only order a venue may be given."""

    __slots__ = ("_order",)
    _order: Approved

    if TYPE_CHECKING:

        def __new__(cls, _only_clear_makes_one: Never, /) -> "Cleared": ...

    else:

        def __new__(cls, *_: object, **__: object) -> "Cleared":
            """Refuses: an order is cleared by the sender, never by a constructor."""
            raise Refused("a cleared order can only be made by the sender; send an intent instead")

    def __init_subclass__(cls) -> None:
        """Refuses: a subclass could answer with another order than the one that was checked."""
        raise Refused("Cleared cannot be subclassed; send an intent instead")

    def __setattr__(self, name: str, value: object) -> None:
        """Refuses: what was checked is what is sent."""
        raise Refused(f"a cleared order cannot be changed: {name} stays as the sender saw it")

    @property
    def request(self) -> OrderRequest:
        """The order as it is to be sent."""
        return self._order.request

    @property
    def expires_ns(self) -> int:
        """When the approval of an entry ends."""
        return self._order.envelope.expires_ns


def clear(order: Approved, check: Callable[[Approved], None]) -> Cleared:
    """The order, once `check` let it pass. Raises what `check` raises; the sender is the only caller."""
    if type(order) is not Approved:
        raise Refused(f"a {type(order).__name__} is no approved order; send an intent instead")
    check(order)
    cleared = object.__new__(Cleared)
    object.__setattr__(cleared, "_order", order)
    return cleared


def request_of(order: Cleared) -> OrderRequest:
    """The order inside. Every venue unwraps by this. Raises Refused for anything but a cleared order."""
    if type(order) is not Cleared:
        raise Refused(f"a {type(order).__name__} did not pass the sender: no venue takes it")
    return order.request


class NativeExit(StrEnum):
    """Exits a venue ties together by itself (docs/decisions/0010-native-brackets.md).

    BRACKET: an entry with stop and target. OCO: stop and target of a position. ONE_LEG: an entry with one of
    them.
    """

    BRACKET = "bracket"
    OCO = "OCO"
    ONE_LEG = "one leg"


class DeadMan(StrEnum):
    """A switch at the venue that cancels what rests once we are silent. None is ever armed.

    OFF: there is one, but it takes protective stops with it, or nobody has shown that it spares them.
    """

    NONE = "has none"
    OFF = "off"


class Capabilities(msgspec.Struct, frozen=True):
    """What a venue can do, and what of it the desk makes use of.

    order_types: those the adapter sends. times_in_force: those the venue itself keeps to; what is to rest
    until a time is ended by the desk's own timer elsewhere. amends: whether a resting stop can be changed in
    place. settle_s: how long after an unanswered submission the venue may still take the order in; until then
    a look-up that finds nothing proves nothing. native_exits: what the venue has, used or not. trusted_exits:
    those of them whose legs are shown to leave no filled unit bare through silence and a crash; only such a
    form may ever be used.
    asks_permissions: whether it can be asked what a key may do. rate: what the adapter keeps under, None
    where nothing is counted.
    """

    order_types: frozenset[OrderType]
    amends: bool
    settle_s: float
    times_in_force: frozenset[TimeInForce] = frozenset({TimeInForce.GTC, TimeInForce.IOC})
    native_exits: frozenset[NativeExit] = frozenset()
    trusted_exits: frozenset[NativeExit] = frozenset()
    dead_man: DeadMan = DeadMan.NONE
    asks_permissions: bool = False
    rate: Budget | None = None


class StreamOpened(msgspec.Struct, frozen=True):
    """The stream of events stands: from here on the venue tells of everything that happens."""


class Venue(Protocol):
    """One account at one venue. Calls may run side by side; those of one order come one after the other.

    A call returns what its answer says happened, in order, stamped with the time of the answer; empty when
    that will come by `events`. The same thing may be told by both: executions are known by their trade id.
    """

    @property
    def capabilities(self) -> Capabilities:
        """What this venue can do; does not change while it is in use."""
        ...

    @property
    def key_check(self) -> KeyCheck:
        """What is known of the key by now."""
        ...

    async def submit(self, order: Cleared) -> Sequence[VenueEvent]:
        """Sends an order, once. Raises VenueRefused when the venue proved that it did not take it."""
        ...

    async def cancel(self, order: CancelOrder) -> Sequence[VenueEvent]:
        """Asks for the end of an order. `OrderCancelled` only where the answer proves it."""
        ...

    async def amend(self, order: Cleared, quantity: Decimal, stop_price: Decimal) -> Sequence[VenueEvent]:
        """Changes a resting stop; `quantity` counts what it already filled."""
        ...

    async def look_up(self, order: LookUpOrder) -> Sequence[VenueEvent]:
        """All that became of an order: accepted, amended, every fill, its end. Or `OrderNotFound`.

        One that is filled whole has an end too, `OrderCancelled` with all of it: how large a resized stop was
        at its end is known by nothing else.
        """
        ...

    async def snapshot(self, account_id: str) -> VenueSnapshot:
        """Everything at the venue right now, asked for after the call began."""
        ...

    async def ping(self) -> None:
        """Asks for something that changes nothing. Raises where there is no answer."""
        ...

    def events(self) -> AsyncIterator[VenueEvent | StreamOpened]:
        """Connects and tells what happens, `StreamOpened` first. Ends or raises when the stream is lost.

        A stream that is silent must be probed: one that is dead may not look like a quiet market.
        """
        ...
