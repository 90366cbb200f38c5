"""A sliced entry under any venue: never more than approved, nothing forgotten, every filled unit guarded."""

from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from neuratrade.core.engine.engine import Step
from neuratrade.core.engine.slices import schedule
from neuratrade.core.model import commands as c
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.intent import EntryType, Execution, Iceberg, Twap, Vwap
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.model.orders import OrderRole, OrderStatus
from neuratrade.hands.sender import Sender
from tests.simulation.hand import Hand
from tests.simulation.world import PERP, D, intent

LOTS = st.integers(60, 5000).map(lambda lots: PERP.lot * lots)
GAPS = st.integers(1, 20)
TIMED = st.one_of(
    st.builds(lambda n, gap: Twap(n, gap * (n - 1) * NS_PER_SECOND), st.integers(2, 12), GAPS),
    st.builds(
        lambda weights, gap: Vwap(
            tuple(Decimal(weight) for weight in [1, *weights]), gap * len(weights) * NS_PER_SECOND
        ),
        st.lists(st.integers(0, 50), min_size=1, max_size=10),
        GAPS,
    ),
)
SHOWN = st.integers(60, 900).map(lambda lots: Iceberg(PERP.lot * lots))
CHOICES = st.lists(st.sampled_from("AFFFPPCEUNRTTKXL"), min_size=5, max_size=60)


@given(TIMED, LOTS, st.integers(1, 200))
def test_the_slices_of_any_plan_add_up_and_each_is_worth_sending(
    execution: Twap | Vwap, quantity: D, least: int
) -> None:
    smallest = PERP.lot * min(least, int(quantity / PERP.lot))
    slots = schedule(execution, quantity, PERP, smallest)
    assert sum(slot.quantity for slot in slots) == quantity
    assert all(slot.quantity >= smallest and slot.quantity % PERP.lot == 0 for slot in slots)
    times = [slot.after_ns for slot in slots]
    assert times == sorted(set(times))
    assert times[0] >= 0
    assert times[-1] <= execution.span_ns


class Watched(Hand):
    """Every order also passes the sender, which keeps books of its own from the facts alone."""

    def __init__(self) -> None:
        self.sender = Sender(lambda *_: True)
        super().__init__()

    def _taken(self, step: Step) -> Step:
        for fact in step.facts:
            self.sender.learn(replace(fact, key_id="") if isinstance(fact, f.RunStarted) else fact)
        for command in step.commands:
            if isinstance(command, c.SubmitOrder):
                self.sender.check(command.order, self.now_ns)
        for bracket in self.state.brackets.values():
            assert self.sender.used.get(bracket.bracket_id, D(0)) == bracket.entry_used
        return super()._taken(step)


class Venue:
    """Answers the newest orders of one bracket as a list of letters says; counts what was asked for."""

    def __init__(self, execution: Execution, quantity: D) -> None:
        self.hand = Watched()
        limit = isinstance(execution, Iceberg)
        kind = EntryType.LIMIT if limit else EntryType.MARKET
        proposal = intent(quantity=quantity, order_type=kind, expiry_s=7200)
        self.hand.propose(replace(proposal, execution=execution))
        self.quantity = quantity

    def live_child(self) -> bool:
        bracket = self.hand.state.brackets.get("a")
        if bracket is None or bracket.entry_order is None:
            return False
        return self.hand.order(OrderRole.ENTRY).is_live

    def guard(self) -> None:
        """The venue confirms every stop that is on its way."""
        bracket = self.hand.state.brackets.get("a")
        if bracket is None or not bracket.stop_orders:
            return
        stop = self.hand.order(OrderRole.STOP)
        if stop.status is OrderStatus.PLANNED:
            self.hand.accept(OrderRole.STOP)
        stop = self.hand.order(OrderRole.STOP)
        if stop.asked == "amend":
            self.hand.amended(OrderRole.STOP, stop.asked_quantity, bracket.stop_price)
        assert bracket.protected or bracket.exit_reason is not None

    def fill(self, share: D) -> None:
        child = self.hand.order(OrderRole.ENTRY)
        part = PERP.round_quantity(child.remaining * share) or PERP.lot
        if 0 < part <= child.remaining and not child.status.is_final:
            self.hand.fill(OrderRole.ENTRY, part, 100)

    def stated_end(self, kind: type[f.OrderCancelled | f.OrderExpired], *, told: bool) -> None:
        child = self.hand.order(OrderRole.ENTRY)
        filled = child.filled if told else None
        coid = child.request.client_order_id
        self.hand.step(kind(self.hand.now_ns, coid, filled=filled))

    def say(self, letter: str) -> None:
        hand, live = self.hand, self.live_child()
        if letter == "T":
            hand.seconds(7)
        elif letter == "L":
            hand.wait(700)
        elif letter == "K":
            hand.recover()
        elif letter == "X" and len(hand.facts) % 7 == 0:
            hand.step(e.Halt(hand.now_ns, "op", "a whim"))
        elif live:
            self._answer(letter)
        self.check()
        self.guard()

    def _answer(self, letter: str) -> None:
        hand = self.hand
        match letter:
            case "A":
                hand.accept(OrderRole.ENTRY)
            case "F":
                self.fill(D(1))
            case "P":
                self.fill(D("0.37"))
            case "C":
                self.stated_end(f.OrderCancelled, told=True)
            case "E":
                self.stated_end(f.OrderExpired, told=False)
            case "U":
                hand.unknown(OrderRole.ENTRY)
            case "N":
                hand.not_found(OrderRole.ENTRY)
            case "R" if hand.order(OrderRole.ENTRY).filled == 0:
                hand.rejected(OrderRole.ENTRY)
            case _:
                pass

    def check(self) -> None:
        """What is in and what may still come are within the approval; only one child works at a time."""
        bracket = self.hand.state.brackets.get("a")
        if bracket is None:
            return
        orders = self.hand.state.orders.values()
        children = [item for item in orders if item.request.role is OrderRole.ENTRY]
        live = [item for item in children if item.is_live]
        assert len(live) <= 1
        assert bracket.entered + sum((item.remaining for item in live), D(0)) <= self.quantity
        assert D(0) <= bracket.entry_used <= self.quantity
        assert bracket.entered <= bracket.entry_used


@settings(deadline=None, max_examples=60)
@given(st.one_of(TIMED, SHOWN), LOTS, CHOICES)
def test_whatever_the_venue_says_no_more_than_was_approved_is_asked_for(
    execution: Execution, quantity: D, letters: list[str]
) -> None:
    venue = Venue(execution, quantity)
    for letter in letters:
        venue.say(letter)


@settings(deadline=None, max_examples=40)
@given(st.one_of(TIMED, SHOWN), LOTS)
def test_where_the_market_takes_everything_all_that_was_approved_is_entered_and_guarded(
    execution: Execution, quantity: D
) -> None:
    venue = Venue(execution, quantity)
    for _ in range(500):
        if venue.live_child():
            venue.fill(D(1))
            venue.guard()
        elif venue.hand.bracket.entry_over:
            break
        venue.hand.seconds(1)
    assert venue.hand.bracket.entered == quantity
    assert venue.hand.bracket.entry_over
    assert venue.hand.bracket.protected
    assert venue.hand.order(OrderRole.STOP).remaining == quantity


@settings(deadline=None, max_examples=40)
@given(TIMED, LOTS, st.lists(st.sampled_from([D(0), D("0.3"), D("0.9"), D(1)]), min_size=12, max_size=12))
def test_what_children_did_not_get_is_asked_for_by_the_last_one(
    execution: Twap | Vwap, quantity: D, shares: list[D]
) -> None:
    venue = Venue(execution, quantity)
    for share in shares:
        if venue.hand.bracket.entry_over:
            break
        while not venue.live_child():
            venue.hand.seconds(1)
        child = venue.hand.order(OrderRole.ENTRY)
        asked = child.quantity
        assert venue.hand.bracket.entered + asked <= quantity
        left_for_last = quantity - venue.hand.bracket.entered
        if "slice:a" not in venue.hand.state.timers:
            assert asked == left_for_last
        if share:
            venue.fill(share)
            venue.guard()
        if venue.live_child():
            venue.stated_end(f.OrderCancelled, told=True)
        if not venue.hand.state.brackets:
            return
        venue.guard()
    assert venue.hand.bracket.entry_over
