"""An approval through splits and rolls: it allows what it allowed before in the new terms, and never more.

The sender folds the same facts by code of its own: here both are held to agree.
"""

import dataclasses
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from neuratrade.core.model import commands as c
from neuratrade.core.model import facts as f
from neuratrade.core.model.approval import Approved, Envelope, seal
from neuratrade.core.model.errors import Refused
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.intent import Direction, EntryType, Iceberg, OpenIntent, Twap
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.model.orders import OrderRequest, OrderRole, OrderType, Side
from neuratrade.core.model.venue_rules import PAPER_RULES, VenueRules
from neuratrade.hands.sender import Sender
from neuratrade.store.keys import Ed25519Signer, verify
from tests.simulation.hand import Hand
from tests.simulation.world import FUTURE, PERP, SPOT, D, intent

ENTRY, STOP = OrderRole.ENTRY, OrderRole.STOP
REPLACING = replace(PAPER_RULES, amends_stops=False)


class Watched:
    """A hand whose every fact the sender reads, and whose every order the sender must let pass."""

    def __init__(self, rules: VenueRules = REPLACING) -> None:
        self.signer = Ed25519Signer()
        self.hand = Hand(rules=rules)
        self.hand.engine.config = dataclasses.replace(self.hand.engine.config, signer=self.signer)
        self.sender = Sender(verify)
        started = next(fact for fact in self.hand.facts if isinstance(fact, f.RunStarted))
        self.hand.step(replace(started, key_id=self.signer.key_id, public_key=self.signer.public_key))
        self._read = 0
        self.read()

    def read(self) -> None:
        """Teaches the sender what is new."""
        for fact in self.hand.facts[self._read :]:
            self.sender.learn(fact)
        self._read = len(self.hand.facts)

    def act(self, action: f.CorporateActed) -> list[Approved]:
        """Applies an action, carries its cancels out, and returns the orders that follow, all cleared."""
        hand = self.hand
        hand.step(action)
        sent: list[Approved] = []
        for _ in range(5):
            commands, hand.commands = hand.commands, []
            self.read()
            for command in commands:
                taken: list[c.Command] = []
                if isinstance(command, c.CancelOrder):
                    coid = command.client_order_id
                    filled = hand.state.orders[coid].filled
                    hand.step(f.OrderCancelled(hand.now_ns, coid, "asked", filled))
                    taken = hand.commands
                elif isinstance(command, c.SubmitOrder):
                    self.sender.check(command.order, hand.now_ns)
                    sent.append(command.order)
                hand.commands = taken
        self.read()
        return sent

    def forged(self, envelope: Envelope, role: OrderRole, side: Side, quantity: D) -> Approved:
        """An order a faulty engine might journal under this approval."""
        kind = OrderType.MARKET
        name = f"forged{role.value}{quantity}".ljust(32, "0")
        request = OrderRequest(
            name,
            envelope.account_id,
            envelope.instrument,
            side,
            kind,
            quantity,
            role,
            envelope.bracket_id,
        )
        self.sender.learn(f.OrderPlanned(self.hand.now_ns, request))
        return seal(request, envelope, lambda *_: None)


def split(hand: Hand, ratio: int, per: int, item: Instrument = SPOT) -> f.CorporateActed:
    kind = f.ActionKind.SPLIT
    return f.CorporateActed(hand.now_ns, "paper", item.key, kind, D(ratio), per=D(per), action_id="s")


def held(item: Instrument, direction: Direction = Direction.LONG) -> OpenIntent:
    if direction is Direction.LONG:
        return replace(intent(instrument=item), quantity=D(4))
    return intent(instrument=item, direction=direction, stop=105, targets=((90, 1),), quantity=4)


@pytest.mark.parametrize(("ratio", "per", "units"), [(2, 1, 8), (1, 2, 2), (3, 2, 6)])
@pytest.mark.parametrize(
    ("item", "direction"), [(SPOT, Direction.LONG), (PERP, Direction.LONG), (PERP, Direction.SHORT)]
)
def test_the_stop_of_all_that_is_held_passes_the_sender_after_a_split(
    ratio: int, per: int, units: int, item: Instrument, direction: Direction
) -> None:
    world = Watched()
    world.hand.enter(held(item, direction))
    (stop,) = world.act(split(world.hand, ratio, per, item))
    assert stop.request.role is STOP
    assert stop.request.quantity == units
    assert world.sender.used == {world.hand.bracket.bracket_id: D(units)}


@pytest.mark.parametrize(("ratio", "per"), [(2, 1), (1, 2)])
def test_a_split_frees_nothing_of_an_approval_that_was_used_up(ratio: int, per: int) -> None:
    world = Watched()
    world.hand.enter(held(SPOT))
    world.act(split(world.hand, ratio, per))
    more = world.forged(world.hand.bracket.envelope, ENTRY, Side.BUY, SPOT.lot)
    with pytest.raises(Refused, match="stopped at the sender"):
        world.sender.check(more, world.hand.now_ns)


def test_after_a_reverse_split_the_old_number_of_units_may_not_be_sold() -> None:
    world = Watched()
    world.hand.enter(held(SPOT))
    world.act(split(world.hand, 1, 2))
    too_much = world.forged(world.hand.bracket.envelope, OrderRole.EXIT, Side.SELL, D(4))
    with pytest.raises(Refused, match="stopped at the sender"):
        world.sender.check(too_much, world.hand.now_ns)
    right = world.forged(world.hand.bracket.envelope, OrderRole.EXIT, Side.SELL, D(2))
    world.sender.check(right, world.hand.now_ns)


def test_the_approval_from_before_a_split_is_worth_nothing_after_it() -> None:
    world = Watched()
    world.hand.enter(held(SPOT))
    before = world.hand.bracket.envelope
    world.act(split(world.hand, 2, 1))
    old = world.forged(before, OrderRole.EXIT, Side.SELL, D(4))
    with pytest.raises(Refused, match="not the one that was journaled"):
        world.sender.check(old, world.hand.now_ns)


def test_an_entry_that_filled_half_before_a_split_gives_back_its_rest_in_new_units() -> None:
    world = Watched()
    world.hand.propose(replace(held(SPOT), order_type=EntryType.LIMIT))
    world.hand.accept(ENTRY)
    world.hand.fill(ENTRY, 1, 100)
    world.hand.accept(STOP)
    world.act(split(world.hand, 2, 1))
    bracket = world.hand.bracket
    assert bracket.held == 2
    assert bracket.entry_used == 2
    assert world.sender.used == {bracket.bracket_id: D(2)}


def _roll(hand: Hand) -> f.CorporateActed:
    successor = replace(FUTURE, asset="ESZ/USDT")
    kind = f.ActionKind.ROLL
    return f.CorporateActed(
        hand.now_ns, "paper", FUTURE.key, kind, amount=D(3), successor=successor, action_id="r"
    )


@pytest.mark.parametrize(
    ("item", "action"),
    [(SPOT, lambda hand: split(hand, 2, 1)), (SPOT, lambda hand: split(hand, 1, 2)), (FUTURE, _roll)],
    ids=["split", "reverse split", "roll"],
)
def test_a_sender_restored_from_state_after_an_action_allows_what_the_one_that_read_along_allows(
    item: Instrument, action: Callable[[Hand], f.CorporateActed]
) -> None:
    world = Watched()
    world.hand.enter(held(item))
    world.act(action(world.hand))
    restored = Sender(verify)
    restored.restore(world.hand.state)
    assert restored.used == world.sender.used
    name = world.hand.bracket.bracket_id
    books = [sender._books.open_book(name) for sender in (world.sender, restored)]
    first, second = books
    assert first is not None
    assert second is not None
    assert (first.envelope, first.used, first.held) == (second.envelope, second.used, second.held)


@pytest.mark.parametrize(
    "execution", [Twap(4, 40 * NS_PER_SECOND), Iceberg(D(1))], ids=["by time", "iceberg"]
)
def test_a_sliced_entry_sends_no_further_slice_after_a_split_and_guards_what_it_has(
    execution: Twap | Iceberg,
) -> None:
    world = Watched()
    hand = world.hand
    proposal = replace(held(SPOT), execution=execution)
    if isinstance(execution, Iceberg):
        proposal = replace(proposal, order_type=EntryType.LIMIT)
    hand.propose(proposal)
    hand.accept(ENTRY)
    hand.fill(ENTRY, "0.5", 100)
    hand.accept(STOP)
    sent = world.act(split(hand, 2, 1))
    assert [order.request.role for order in sent] == [STOP]
    hand.step(f.OrderAccepted(hand.now_ns, sent[0].request.client_order_id, "V2"))
    before = len(hand.facts)
    hand.wait(120_000)
    planned = [fact for fact in hand.facts[before:] if isinstance(fact, f.OrderPlanned)]
    assert planned == []
    assert hand.bracket.held == 1
    assert hand.bracket.protected


def test_a_split_between_two_slices_ends_the_entry() -> None:
    world = Watched()
    hand = world.hand
    hand.propose(replace(held(SPOT), execution=Twap(4, 40 * NS_PER_SECOND)))
    hand.accept(ENTRY)
    hand.fill(ENTRY, 1, 100)
    hand.accept(STOP)
    (sent,) = world.act(split(hand, 2, 1))
    hand.step(f.OrderAccepted(hand.now_ns, sent.request.client_order_id, "V2"))
    before = len(hand.facts)
    hand.wait(120_000)
    assert not any(isinstance(fact, f.OrderPlanned) for fact in hand.facts[before:])
    assert hand.bracket.entry_over
    assert (hand.bracket.held, hand.bracket.protected) == (D(2), True)
