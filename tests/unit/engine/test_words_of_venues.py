"""Words of a venue that are old, doubled or no numbers: none of them moves anything, and all are counted."""

import pytest
from msgspec.structs import replace

from neuratrade.core.engine.sense import is_amount, is_price
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.commands import LookUpOrder
from neuratrade.core.model.intent import EntryType
from neuratrade.core.model.orders import OrderRole
from tests.simulation.hand import Hand
from tests.simulation.world import T0, D, bar, fill_of, intent

ENTRY, STOP = OrderRole.ENTRY, OrderRole.STOP


def half_told(*, checked: bool = True) -> Hand:
    """An entry that ended, 0.6 filled as the venue says, of which 0.2 were told so far."""
    hand = Hand(checked=checked)
    hand.propose(intent(order_type=EntryType.LIMIT, targets=()))
    hand.accept(ENTRY)
    hand.fill(ENTRY, "0.2", 100)
    hand.accept(STOP)
    hand.step(f.OrderCancelled(hand.now_ns, hand.coid(ENTRY), "asked", D("0.6")))
    assert hand.order(ENTRY).missing == D("0.4")
    return hand


@pytest.mark.parametrize("filled", ["0.6", "0.7"])
def test_an_end_that_is_told_again_with_no_less_filled_is_no_news(filled: str) -> None:
    hand = half_told()
    strays = hand.engine.strays
    step = hand.step(f.OrderCancelled(hand.now_ns, hand.coid(ENTRY), "asked", D(filled)))
    assert (step.facts, step.commands) == ([], [])
    assert hand.engine.strays == strays + 1


def test_an_end_that_is_told_again_with_less_filled_ends_the_waiting() -> None:
    hand = half_told()
    hand.step(f.OrderCancelled(hand.now_ns, hand.coid(ENTRY), "asked", D("0.2")))
    assert hand.order(ENTRY).missing == 0
    assert not hand.order(ENTRY).is_live


def test_an_end_without_a_number_after_one_with_a_number_is_no_news() -> None:
    hand = half_told()
    step = hand.step(f.OrderCancelled(hand.now_ns, hand.coid(ENTRY), "asked"))
    assert step.facts == []
    assert hand.order(ENTRY).missing == D("0.4")


@pytest.mark.parametrize("filled", ["-0.001", "1.001", "NaN", "Infinity"])
def test_an_end_with_an_impossible_number_ends_nothing(filled: str) -> None:
    hand = Hand()
    hand.propose(intent(order_type=EntryType.LIMIT, targets=()))
    hand.accept(ENTRY)
    step = hand.step(f.OrderCancelled(hand.now_ns, hand.coid(ENTRY), "asked", D(filled)))
    assert {type(fact) for fact in step.facts} >= {f.OrderUnknown}
    assert not hand.order(ENTRY).status.is_final
    assert any(isinstance(command, LookUpOrder) for command in step.commands)


@pytest.mark.parametrize("filled", ["0", "1"])
def test_an_end_with_a_possible_number_ends_it(filled: str) -> None:
    hand = Hand()
    hand.propose(intent(order_type=EntryType.LIMIT, targets=()))
    hand.accept(ENTRY)
    step = hand.step(f.OrderCancelled(hand.now_ns, hand.coid(ENTRY), "asked", D(filled)))
    assert any(isinstance(fact, f.OrderCancelled) for fact in step.facts)


@pytest.mark.parametrize(
    ("quantity", "price", "fee"),
    [
        ("NaN", "100", "0"),
        ("Infinity", "100", "0"),
        ("1", "NaN", "0"),
        ("1", "Infinity", "0"),
        ("1", "100", "NaN"),
        ("1", "100", "-Infinity"),
        ("-0.001", "100", "0"),
        ("1", "-0.1", "0"),
    ],
)
def test_a_correction_by_impossible_numbers_corrects_nothing(quantity: str, price: str, fee: str) -> None:
    hand = Hand()
    hand.enter(intent())
    told = f.FillCorrected(hand.now_ns, hand.coid(ENTRY), "t1", D(quantity), D(price), D(fee))
    assert hand.step(told).facts == []
    assert (hand.bracket.held, hand.bracket.entry_price) == (D(1), D(100))


def test_a_correction_that_is_told_twice_counts_once() -> None:
    hand = Hand(checked=False)
    hand.enter(intent())
    told = f.FillCorrected(hand.now_ns, hand.coid(ENTRY), "t1", D("0.9"), D(101), D("0.1"))
    assert hand.step(told).facts
    assert hand.step(told).facts == []
    assert (hand.bracket.held, hand.bracket.entry_price, hand.bracket.fees) == (D("0.9"), D(101), D("0.1"))


@pytest.mark.parametrize("changed", ["quantity", "price", "fee"])
def test_a_correction_that_differs_in_one_number_is_news(changed: str) -> None:
    hand = Hand(checked=False)
    hand.enter(intent())
    numbers = {"quantity": D(1), "price": D(100), "fee": D(0)} | {changed: D("0.5")}
    told = f.FillCorrected(hand.now_ns, hand.coid(ENTRY), "t1", **numbers)
    assert any(isinstance(fact, f.FillCorrected) for fact in hand.step(told).facts)


@pytest.mark.parametrize(("told", "worth"), [(D(15), 15), (None, 20)])
def test_the_rate_told_with_money_goes_before_the_one_known_here(told: D | None, worth: int) -> None:
    hand = Hand()
    hand.step(e.RateSeen("SOL", "USDT", hand.now_ns, D(20), "a test"))
    hand.step(f.CashMoved(hand.now_ns, "paper", "SOL", D(1), "deposit", rate=told))
    assert hand.state.accounts["paper"].equity == 100_000 + worth


@pytest.mark.parametrize(("later_ns", "kept_ns"), [(-5, 0), (0, 0), (5, 5)])
def test_the_end_of_a_run_is_never_before_what_happened_in_it(later_ns: int, kept_ns: int) -> None:
    hand = Hand()
    step = hand.step(f.RunEnded(T0 + later_ns, "run", "enough", finished=True))
    (fact,) = step.facts
    assert isinstance(fact, f.RunEnded)
    assert fact.at_ns == T0 + kept_ns


@pytest.mark.parametrize("filled", ["0", "0.4"])
def test_a_plain_entry_that_ended_is_not_asked_about(filled: str) -> None:
    hand = Hand()
    hand.propose(intent(order_type=EntryType.LIMIT, targets=()))
    hand.accept(ENTRY)
    if D(filled):
        hand.fill(ENTRY, filled, 100)
        hand.accept(STOP)
    hand.cancelled(ENTRY)
    assert hand.commands == []


@pytest.mark.parametrize("filled", ["0.9", "1"])
def test_word_that_an_order_ended_which_was_filled_whole_is_no_news(filled: str) -> None:
    hand = Hand()
    hand.enter(intent())
    step = hand.step(f.OrderCancelled(hand.now_ns, hand.coid(ENTRY), "asked", D(filled)))
    assert (step.facts, step.commands) == ([], [])


@pytest.mark.parametrize("known", [True, False])
def test_a_liquidation_in_an_account_nobody_knows_changes_nothing(known: bool) -> None:
    hand = Hand(checked=False)
    hand.enter(intent())
    told = fill_of(hand.order(STOP).request, 1, 90, "liq", hand.now_ns)
    fill = replace(told, client_order_id="", account_id="paper" if known else "somebody")
    step = hand.step(f.Liquidated(hand.now_ns, fill))
    assert any(isinstance(fact, f.Liquidated) for fact in step.facts) is known
    assert (step.facts == []) is not known


@pytest.mark.parametrize(
    ("number", "taken"),
    [("9.99E18", True), ("1E18", True), ("1E19", False), ("1E-30", True), ("9.9E-31", False)],
)
def test_prices_have_at_most_nineteen_digits_before_the_point_and_thirty_places(
    number: str, taken: bool
) -> None:
    assert is_price(D(number)) is taken
    assert is_amount(D(number)) is taken


@pytest.mark.parametrize("volume", ["0", "0.5"])
def test_a_bar_in_which_little_or_nothing_was_traded_is_taken(volume: str) -> None:
    hand = Hand()
    seen = replace(bar(0, 100, 101, 100, 101), volume=D(volume))
    strays = hand.engine.strays
    hand.step(e.BarClosed(seen, seen.close_ns))
    assert (hand.engine.strays, hand.engine.markets.price_of(seen.instrument)) == (strays, D(101))


def test_what_a_bust_takes_off_an_ended_entry_is_waited_for_no_more_and_the_rest_still_is() -> None:
    hand = half_told(checked=False)
    order = hand.order(ENTRY)
    (told,) = order.executions
    hand.step(f.FillCorrected(hand.now_ns, order.request.client_order_id, told, D("0.1"), D(100), D(0)))
    assert (order.stated, order.filled, order.missing) == (D("0.5"), D("0.1"), D("0.4"))
