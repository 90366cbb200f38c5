"""Exits that an exchange ties to an entry, and legs that end each other: what native brackets are made of.

Venue-neutral: `Opens` says when legs begin to work, `Tie` what a leg does to the others. Promise: nothing
works for a leg before its exchange would let it, and a leg that its exchange could not place is not made up
for: its part of the position stays bare, as it would there. Refused: legs of legs, legs that follow a price.
"""

from collections.abc import Callable, Sequence
from decimal import Decimal
from enum import StrEnum

import msgspec

from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.orders import OrderType, TimeInForce
from neuratrade.rehearsal.matching import MatchingEngine
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


class Opens(StrEnum):
    """When the legs of an entry begin to work, and for how much.

    EACH_FILL: every fill places legs of its own, of its size. FIRST_FILL: one set, from the first fill on,
    larger with every further one. FULL_FILL: once the entry is filled whole; never, if it ends before.
    FULL_FILL_OR_END: once nothing more can come of the entry, for what was filled.
    """

    EACH_FILL = "each fill"
    FIRST_FILL = "first fill"
    FULL_FILL = "full fill"
    FULL_FILL_OR_END = "full fill or end"


class Tie(StrEnum):
    """What a leg does to the other legs of its exit.

    NONE: nothing. CANCELS: the first sign of life (its stop is reached, a part is filled) ends the others.
    REDUCES: each fill takes as much from the others, which work on. With both, legs end together.
    """

    NONE = "none"
    CANCELS = "cancels"
    REDUCES = "reduces"


class Leg(msgspec.Struct, frozen=True):
    """One exit of an entry. client_id: empty where it gets none. quantity: None for what was filled."""

    order_type: OrderType
    stop_price: Decimal | None = None
    limit_price: Decimal | None = None
    client_id: str = ""
    quantity: Decimal | None = None
    takes_profit: bool = False
    post_only: bool = False
    time_in_force: TimeInForce = TimeInForce.GTC


class Exit(msgspec.Struct, frozen=True):
    """What is attached to an entry. ends_together: whether the end of a leg that is held ends the entry, too.

    reduces_only: whether its legs may only reduce a position.
    """

    legs: tuple[Leg, ...]
    opens: Opens
    tie: Tie = Tie.NONE
    ends_together: bool = False
    reduces_only: bool = False


class Family(msgspec.Struct):
    """Orders that belong together. group: its name at the engine; entry_id: None for a pair without one.

    came_of: the entry whose fill placed these legs, where every fill places its own. leg_ids: held, working
    and done, in order. refused: why a leg could not be placed, by its order.
    """

    group: str
    tie: Tie
    entry_id: int | None = None
    exit: Exit | None = None
    came_of: int | None = None
    leg_ids: list[int] = []
    refused: dict[int, Reason] = {}
    is_over: bool = False


class Attachments:
    """Keeps the legs of one matching engine. families: by group. unplaced: fills no leg came of."""

    def __init__(self, engine: MatchingEngine) -> None:
        self._engine = engine
        self._expected: dict[str, Exit] = {}
        self.families: dict[str, Family] = {}
        self.unplaced: list[tuple[Execution, Reason]] = []
        engine.follow(self._on_change)

    def found(self, tie: Tie) -> Family:
        """A family without orders, to place them in."""
        family = Family(f"exit {self._engine.next_number()}", tie)
        self.families[family.group] = family
        return family

    def place(
        self,
        entry: Ticket,
        exit_: Exit,
        hand_over: Callable[[Ticket], SimOrder],
        family: Family | None = None,
    ) -> SimOrder:
        """Takes an entry with its legs. hand_over: takes the entry. Raises Rejected, and nothing happened."""
        for leg in exit_.legs:
            known = self._engine.find(leg.client_id) if leg.client_id else None
            if known is not None and (known.is_live or not self._engine.rules.frees_client_ids):
                raise Rejected(Reason.DUPLICATE, leg.client_id)
        family = family or self.found(exit_.tie)
        self._expected[family.group] = exit_
        try:
            return hand_over(msgspec.structs.replace(entry, group=family.group))
        finally:
            self._expected.pop(family.group, None)

    def place_tied(
        self,
        tickets: Sequence[Ticket],
        tie: Tie,
        hand_over: Callable[[Ticket], SimOrder],
        family: Family | None = None,
    ) -> Family:
        """Takes legs of a position that is there already: all of them or none. Raises Rejected."""
        family = family or self.found(tie)
        tickets = [msgspec.structs.replace(ticket, group=family.group) for ticket in tickets]
        for ticket in tickets:
            self._engine.check(ticket)
        for ticket in tickets:
            if family.is_over:
                break
            try:
                hand_over(ticket)
            except Rejected:
                # Only a plan of faults refuses what was checked: then the legs before it go, too.
                self._end(family, besides=None, lapse=False)
                raise
        return family

    def family(self, order_id: int) -> Family | None:
        """What an order belongs to, None for one that stands alone."""
        order = self._engine.orders.get(order_id)
        return None if order is None else self.families.get(order.ticket.group)

    def legs(self, family: Family) -> list[SimOrder]:
        """The legs of a family, in order."""
        return [self._engine.orders[number] for number in family.leg_ids]

    # within

    def _on_change(self, change: Change) -> None:
        order = change.order
        family = self.family(order.order_id)
        if family is None:
            return
        exit_ = self._expected.pop(family.group, None)
        if exit_ is not None:
            self._adopt(family, order, exit_)
        elif order.order_id == family.entry_id and family.exit is not None:
            if not family.is_over:
                self._entry_changed(family, family.exit, change)
        else:
            if order.order_id not in family.leg_ids:
                family.leg_ids.append(order.order_id)
            if not family.is_over:
                self._leg_changed(family, change)

    def _adopt(self, family: Family, entry: SimOrder, exit_: Exit) -> None:
        family.entry_id, family.exit = entry.order_id, exit_
        if exit_.opens is Opens.EACH_FILL:
            return
        for leg in exit_.legs:
            self._engine.hold(self._ticket(entry.ticket, exit_, leg, ZERO, family.group))

    def _ticket(self, entry: Ticket, exit_: Exit, leg: Leg, quantity: Decimal, group: str) -> Ticket:
        return Ticket(
            client_id=leg.client_id or f"~{self._engine.next_number()}",
            symbol=entry.symbol,
            side=entry.side.opposite,
            order_type=leg.order_type,
            quantity=leg.quantity or quantity or entry.quantity,
            limit_price=leg.limit_price,
            stop_price=leg.stop_price,
            time_in_force=leg.time_in_force,
            reduce_only=exit_.reduces_only,
            takes_profit=leg.takes_profit,
            post_only=leg.post_only,
            group=group,
        )

    # the entry

    def _entry_changed(self, family: Family, exit_: Exit, change: Change) -> None:
        done, order = change.execution, change.order
        if done is not None and exit_.opens is Opens.EACH_FILL:
            self._open_anew(exit_, order.ticket, done)
        elif done is not None and exit_.opens is Opens.FIRST_FILL:
            self._open_or_grow(family, done)
        elif order.status is Status.FILLED:
            self._open(family, order.filled)
        elif not order.is_live:
            is_covered = exit_.opens is Opens.FULL_FILL_OR_END and order.filled > 0
            if is_covered:
                self._open(family, order.filled)
            elif exit_.opens in (Opens.FULL_FILL, Opens.FULL_FILL_OR_END) or order.filled == 0:
                self._end(family, besides=order.order_id, lapse=change.kind is ChangeKind.EXPIRED)

    def _open_anew(self, exit_: Exit, entry: Ticket, done: Execution) -> None:
        family = self.found(exit_.tie)
        family.came_of = done.order_id
        for leg in exit_.legs:
            ticket = self._ticket(entry, exit_, leg, done.quantity, family.group)
            try:
                self._engine.place(ticket)
            except Rejected as rejected:
                self.unplaced.append((done, rejected.reason))

    def _open_or_grow(self, family: Family, done: Execution) -> None:
        for leg in self.legs(family):
            if leg.status is Status.HELD:
                self._release(family, leg, done.total)
            elif leg.is_live:
                self._engine.resize(leg.order_id, done.quantity)

    def _open(self, family: Family, filled: Decimal) -> None:
        legs = family.exit.legs if family.exit is not None else ()
        for leg, order in zip(legs, self.legs(family), strict=True):
            if order.status is Status.HELD:
                self._release(family, order, leg.quantity or filled)

    def _release(self, family: Family, order: SimOrder, quantity: Decimal) -> None:
        try:
            self._engine.release(order.order_id, quantity)
        except Rejected as rejected:
            family.refused[order.order_id] = rejected.reason
            self._engine.lapse(order.order_id)

    # the legs

    def _leg_changed(self, family: Family, change: Change) -> None:
        order, kind = change.order, change.kind
        if kind in (ChangeKind.CANCELLED, ChangeKind.EXPIRED):
            ends_entry = family.exit is not None and family.exit.ends_together
            if family.tie is not Tie.NONE or ends_entry:
                self._end(family, besides=order.order_id, lapse=kind is ChangeKind.EXPIRED)
        elif family.tie is Tie.CANCELS and kind in (ChangeKind.TRIGGERED, ChangeKind.TRADED):
            self._end(family, besides=order.order_id, lapse=True)
        elif family.tie is Tie.REDUCES and change.execution is not None:
            for leg in self.legs(family):
                if leg.order_id != order.order_id and leg.is_live and leg.status is not Status.HELD:
                    self._engine.resize(leg.order_id, -change.execution.quantity)

    def _end(self, family: Family, besides: int | None, *, lapse: bool) -> None:
        """Ends what is left of a family. lapse: whether it expires; else it is cancelled."""
        family.is_over = True
        others = [*self.legs(family)]
        if family.entry_id is not None and family.exit is not None and family.exit.ends_together:
            others.append(self._engine.orders[family.entry_id])
        for order in others:
            if order.order_id != besides and order.is_live:
                (self._engine.lapse if lapse else self._engine.cancel)(order.order_id)
