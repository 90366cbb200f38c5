"""Splits, dividends, new names and rolls: nothing is earned by them, and what is held stays guarded."""

import dataclasses
from collections.abc import Callable
from decimal import Decimal

import pytest
from msgspec.structs import replace

from neuratrade.core.engine.ledger import equity_of
from neuratrade.core.engine.state import BracketPhase, state_bytes
from neuratrade.core.engine.terms import on_grid
from neuratrade.core.model import commands as c
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.account import Account, Lot, Position
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.intent import (
    BasketIntent,
    CloseIntent,
    Direction,
    EntryType,
    Hedged,
    Iceberg,
    OpenIntent,
    ReduceIntent,
)
from neuratrade.core.model.market import Quote
from neuratrade.core.model.orders import OrderRole, OrderStatus
from neuratrade.core.model.venue_rules import PAPER_RULES, VenueRules
from neuratrade.hands.sender import Sender
from neuratrade.store.keys import Ed25519Signer, verify
from tests.simulation.floor import Floor
from tests.simulation.hand import Hand
from tests.simulation.world import (
    BINARY,
    FUTURE,
    PERP,
    SPOT,
    T0,
    D,
    bar,
    fill_of,
    intent,
    run_started,
    warm_up,
)

ENTRY, STOP, TARGET, EXIT = OrderRole.ENTRY, OrderRole.STOP, OrderRole.TARGET, OrderRole.EXIT
NEXT = replace(FUTURE, asset="ESZ/USDT")
RENAMED = replace(SPOT, asset="ETX/USDT", base="ETX")


def split(hand: Hand, ratio: int | str = 2, per: int | str = 1, item: Instrument = SPOT) -> f.CorporateActed:
    return f.CorporateActed(
        hand.now_ns, "paper", item.key, f.ActionKind.SPLIT, D(ratio), per=D(per), action_id=f"s{ratio}/{per}"
    )


def dividend(hand: Hand, amount: int | str = 2, item: Instrument = SPOT) -> f.CorporateActed:
    kind = f.ActionKind.DIVIDEND
    return f.CorporateActed(hand.now_ns, "paper", item.key, kind, amount=D(amount), action_id="d")


def renaming(hand: Hand) -> f.CorporateActed:
    kind = f.ActionKind.SYMBOL_CHANGE
    return f.CorporateActed(hand.now_ns, "paper", SPOT.key, kind, successor=RENAMED, action_id="n")


def roll(hand: Hand, amount: int | str = 3) -> f.CorporateActed:
    kind = f.ActionKind.ROLL
    return f.CorporateActed(
        hand.now_ns, "paper", FUTURE.key, kind, amount=D(amount), successor=NEXT, action_id="r"
    )


def long(item: Instrument, **terms: object) -> OpenIntent:
    return replace(intent(instrument=item, quantity=4), **terms)


ACTIONS: dict[str, tuple[Instrument, Callable[[Hand], f.CorporateActed]]] = {
    "split": (SPOT, split),
    "reverse split": (SPOT, lambda hand: split(hand, 1, 2)),
    "dividend": (SPOT, dividend),
    "symbol change": (SPOT, renaming),
    "roll": (FUTURE, roll),
}


def equity(hand: Hand) -> Decimal:
    worth = hand.engine.equity("paper")
    assert worth is not None
    return worth


def reduces(hand: Hand) -> list[Decimal]:
    """Quantities that are still to be left."""
    names = [key.partition(":")[0] for key in hand.state.timers]
    return [D(name.removeprefix("reduce-")) for name in names if name.startswith("reduce-")]


def answer_all(hand: Hand) -> None:
    """The venue carries out whatever it was asked for, as a venue would, until nothing is asked any more."""
    for _ in range(20):
        commands, hand.commands = hand.commands, []
        if not commands:
            return
        for command in commands:
            taken: list[c.Command] = []
            match command:
                case c.CancelOrder(client_order_id=coid):
                    order = hand.state.orders[coid]
                    hand.step(f.OrderCancelled(hand.now_ns, coid, "asked", order.filled))
                case c.AmendOrder(order=order_, quantity=quantity, stop_price=stop):
                    coid = order_.request.client_order_id
                    hand.step(f.OrderAmended(hand.now_ns, coid, quantity, stop))
                case c.SubmitOrder(order=order_):
                    coid = order_.request.client_order_id
                    hand.step(f.OrderAccepted(hand.now_ns, coid, f"V{coid[:8]}"))
                case _:
                    continue
            taken += hand.commands
            hand.commands = taken


@pytest.fixture(params=[True, False], ids=["amending venue", "replacing venue"])
def rules(request: pytest.FixtureRequest) -> VenueRules:
    return replace(PAPER_RULES, amends_stops=request.param)


@pytest.mark.parametrize("name", ACTIONS)
def test_equity_is_the_same_before_and_after(name: str) -> None:
    item, action = ACTIONS[name]
    hand = Hand()
    hand.enter(long(item))
    before = equity(hand)
    hand.step(action(hand))
    assert equity(hand) == before


def test_at_the_same_prices_a_dividend_is_worth_exactly_its_cash() -> None:
    hand = Hand()
    hand.enter(long(SPOT))
    account = hand.state.accounts["paper"]
    before = equity_of(account, hand.state.instruments, {SPOT.key: D(100)})
    hand.step(dividend(hand, "1.5"))
    after = equity_of(account, hand.state.instruments, {SPOT.key: D(100)})
    assert before is not None
    assert after is not None
    assert after - before == D(6)


def test_a_short_pays_the_dividend() -> None:
    hand = Hand()
    hand.enter(intent(instrument=PERP, direction=Direction.SHORT, stop=105, targets=((90, 1),), quantity=4))
    cash = hand.state.accounts["paper"].balances["USDT"]
    hand.step(dividend(hand, 2, PERP))
    assert hand.state.accounts["paper"].balances["USDT"] == cash - 8
    assert hand.bracket.stop_price == 103


@pytest.mark.parametrize("name", ACTIONS)
def test_what_is_held_is_under_a_stop_in_the_new_terms(name: str, rules: VenueRules) -> None:
    item, action = ACTIONS[name]
    hand = Hand(rules=rules)
    hand.enter(long(item))
    hand.step(action(hand))
    assert hand.bracket.protected is (name == "dividend" and rules.amends_stops)
    answer_all(hand)
    bracket = hand.bracket
    stop = hand.order(STOP)
    assert bracket.protected
    assert stop.stop_price == bracket.stop_price
    assert stop.remaining == bracket.held
    assert stop.request.instrument == bracket.intent.instrument
    assert bracket.stop_price in {D("47.5"), D(190), D(93), D(95), D(98)}


@pytest.mark.parametrize("name", ACTIONS)
def test_leaving_at_the_price_of_entry_gains_only_what_the_action_took(name: str) -> None:
    item, action = ACTIONS[name]
    hand = Hand()
    hand.enter(long(item))
    fact = action(hand)
    hand.step(fact)
    answer_all(hand)
    at = {"split": D(50), "reverse split": D(200), "dividend": D(98), "roll": D(103)}.get(name, D(100))
    hand.fill(STOP, hand.bracket.held, at)
    assert hand.closed.pnl == 0
    assert equity(hand) == 100_000


@pytest.mark.parametrize("name", ACTIONS)
def test_the_same_action_told_again_changes_nothing_even_after_a_restart(name: str) -> None:
    item, action = ACTIONS[name]
    hand = Hand()
    hand.enter(long(item))
    fact = action(hand)
    hand.step(fact)
    hand.wait(1000)
    before = state_bytes(hand.state)
    strays = hand.engine.strays
    assert hand.step(fact).facts == []
    assert hand.engine.strays == strays + 1
    hand.crash_after(f.CorporateActed)
    restarted = state_bytes(hand.state)
    assert hand.step(replace(fact, at_ns=hand.now_ns)).facts == []
    assert state_bytes(hand.state) == restarted
    assert before


@pytest.mark.parametrize("name", ACTIONS)
def test_a_resting_entry_is_taken_away(name: str) -> None:
    item, action = ACTIONS[name]
    hand = Hand()
    hand.propose(long(item, order_type=EntryType.LIMIT))
    hand.accept(ENTRY)
    hand.step(action(hand))
    (command,) = hand.commands
    assert isinstance(command, c.CancelOrder)
    assert command.instrument == item.key
    answer_all(hand)
    assert hand.closed.reason is f.CloseReason.NO_ENTRY


@pytest.mark.parametrize("name", ACTIONS)
def test_an_entry_half_filled_ends_and_what_it_filled_is_guarded(name: str) -> None:
    item, action = ACTIONS[name]
    hand = Hand()
    hand.propose(long(item, order_type=EntryType.LIMIT))
    hand.accept(ENTRY)
    hand.fill(ENTRY, 2, 100)
    hand.accept(STOP)
    hand.step(action(hand))
    answer_all(hand)
    assert hand.bracket.protected
    assert hand.order(STOP).remaining == hand.bracket.held
    assert not hand.order(ENTRY).is_live


@pytest.mark.parametrize("name", ACTIONS)
def test_a_way_out_under_way_ends_and_begins_again_in_the_new_terms(name: str) -> None:
    item, action = ACTIONS[name]
    hand = Hand()
    hand.enter(long(item))
    hand.step(e.IntentArrived(CloseIntent("c", "paper", "op", "a", "enough", hand.now_ns), hand.now_ns))
    hand.cancelled(STOP)
    assert hand.order(EXIT).is_live
    hand.step(action(hand))
    answer_all(hand)
    if name != "dividend":
        assert hand.bracket.phase is BracketPhase.OPEN
        assert hand.bracket.protected
        hand.seconds(1)
        answer_all(hand)
    order = hand.order(EXIT)
    assert order.request.instrument == hand.bracket.intent.instrument
    hand.fill(EXIT, hand.bracket.held, 100)
    assert hand.closed.reason is f.CloseReason.MANUAL


def test_a_ladder_half_done_goes_on_at_levels_in_the_new_terms() -> None:
    hand = Hand()
    hand.enter(long(SPOT, take_profits=intent(targets=((105, "0.5"), (110, "0.5"))).take_profits))
    hand.step(e.BarSeen(bar(0, 100, 105, 100, 104, instrument=SPOT), hand.now_ns))
    hand.cancelled(STOP)
    hand.fill(TARGET, 2, 105)
    hand.accept(STOP)
    assert hand.bracket.rungs_done == 1
    hand.step(split(hand))
    answer_all(hand)
    assert (hand.bracket.held, hand.bracket.rungs_done) == (D(4), 1)
    hand.step(e.BarSeen(bar(1, 52, 55, 52, 54, instrument=SPOT), hand.now_ns))
    hand.cancelled(STOP)
    hand.fill(TARGET, 4, 55)
    assert hand.closed.reason is f.CloseReason.TP
    assert hand.closed.pnl == 2 * 5 + 4 * 5


def test_a_part_still_to_be_left_is_counted_in_new_units() -> None:
    hand = Hand()
    hand.enter(long(SPOT))
    reduce_ = ReduceIntent("c", "paper", "op", "a", D("0.5"), "less", hand.now_ns)
    hand.step(e.IntentArrived(reduce_, hand.now_ns))
    hand.cancelled(STOP)
    hand.expired(EXIT)
    hand.accept(STOP)
    assert reduces(hand) == [D(2)]
    hand.step(split(hand))
    answer_all(hand)
    assert reduces(hand) == [D(4)]
    hand.seconds(1)
    answer_all(hand)
    assert hand.order(EXIT).request.quantity == 4


@pytest.mark.parametrize("name", ACTIONS)
@pytest.mark.parametrize("cut", [f.CorporateActed, f.AmendPlanned, f.CancelPlanned, f.ProtectionChanged])
def test_a_crash_after_any_fact_of_it_leaves_a_guarded_position(name: str, cut: type[f.Fact]) -> None:
    item, action = ACTIONS[name]
    hand = Hand()
    hand.enter(long(item))
    hand.step(action(hand))
    if not any(isinstance(fact, cut) for fact in hand.facts):
        pytest.skip("this action makes no such fact")
    hand.crash_after(cut)
    hand.recover()
    answer_all(hand)
    assert hand.bracket.protected
    assert hand.order(STOP).remaining == hand.bracket.held


def test_what_a_split_leaves_below_a_lot_becomes_dust() -> None:
    hand = Hand()
    hand.enter(replace(intent(instrument=SPOT), quantity=D("0.07")))
    hand.step(split(hand, 1, 10))
    answer_all(hand)
    assert hand.closed.reason is f.CloseReason.ACTION
    assert hand.closed.dust == D("0.007")
    assert hand.state.accounts["paper"].dust[SPOT.key] == D("0.007")
    assert equity(hand) == 100_000


def test_thirds_are_exact_for_whole_units() -> None:
    hand = Hand()
    hand.enter(replace(intent(instrument=SPOT), quantity=D(3)))
    hand.step(split(hand, 1, 3))
    assert hand.bracket.held == 1
    assert hand.state.accounts["paper"].positions[SPOT.key].quantity == 1


@pytest.mark.parametrize(("entered", "left", "per"), [(10, 1, 3), (8, 1, 7), (11, 2, 9)])
def test_what_is_left_of_a_part_sold_position_is_whole_where_its_units_are(
    entered: int, left: int, per: int
) -> None:
    hand = Hand()
    hand.enter(replace(intent(instrument=SPOT), quantity=D(entered)))
    fraction = D(left) / D(entered)
    hand.step(
        e.IntentArrived(ReduceIntent("c", "paper", "op", "a", fraction, "less", hand.now_ns), hand.now_ns)
    )
    hand.cancelled(STOP)
    sold = hand.order(EXIT).request.quantity
    hand.fill(EXIT, sold, 100)
    hand.accept(STOP)
    before = hand.bracket.held
    hand.step(split(hand, 1, per))
    answer_all(hand)
    assert hand.bracket.held == before / per
    assert hand.order(STOP).remaining == SPOT.round_quantity(before / per)
    position = hand.state.accounts["paper"].positions[SPOT.key]
    assert position.quantity == sum(lot.quantity for lot in position.lots) == before / per


@pytest.mark.parametrize("direction", [Direction.LONG, Direction.SHORT])
def test_of_a_reverse_split_the_fraction_is_dust_and_its_cash_in_lieu_is_money_no_trade_moved(
    direction: Direction,
) -> None:
    hand = Hand()
    proposal = intent(instrument=PERP, direction=direction, quantity="0.05")
    if direction is Direction.SHORT:
        proposal = intent(instrument=PERP, direction=direction, stop=105, targets=((90, 1),), quantity="0.05")
    hand.enter(proposal)
    peak = hand.state.accounts["paper"].session_peak
    hand.step(split(hand, 1, 100, PERP))
    answer_all(hand)
    assert hand.closed.reason is f.CloseReason.ACTION
    (dust,) = hand.state.accounts["paper"].dust.values()
    assert dust == D("0.0005") * direction.sign
    cash = hand.state.accounts["paper"].balances["USDT"]
    hand.step(f.CashMoved(hand.now_ns, "paper", "USDT", D("0.5"), "cash_in_lieu"))
    assert hand.state.accounts["paper"].balances["USDT"] == cash + D("0.5")
    assert hand.state.accounts["paper"].session_peak == peak


def test_an_execution_from_before_the_split_counts_old_units_however_late_it_comes() -> None:
    hand = Hand()
    hand.propose(long(SPOT, order_type=EntryType.LIMIT))
    hand.accept(ENTRY)
    request, before_ns = hand.order(ENTRY).request, hand.now_ns
    hand.wait(1000)
    hand.step(split(hand))
    hand.step(f.OrderFilled(hand.now_ns, fill_of(request, 1, 100, "late", before_ns)))
    hand.step(f.OrderFilled(hand.now_ns, fill_of(request, 2, 50, "after", hand.now_ns)))
    assert hand.bracket.held == 4
    assert hand.bracket.entry_value == 200
    hand.step(f.OrderCancelled(hand.now_ns, request.client_order_id, "", D(2)))
    assert hand.state.orders[request.client_order_id].missing == 0


def test_a_correction_of_an_execution_from_before_a_split_is_in_old_units() -> None:
    hand = Hand(checked=False)
    hand.propose(long(SPOT))
    hand.accept(ENTRY)
    fill = fill_of(hand.order(ENTRY).request, 4, 100, "t", hand.now_ns)
    hand.step(f.OrderFilled(hand.now_ns, fill))
    hand.accept(STOP)
    hand.wait(1000)
    hand.step(split(hand))
    answer_all(hand)
    hand.step(f.FillCorrected(hand.now_ns, fill.client_order_id, "t", D(3), D(100), D(0)))
    assert hand.bracket.held == 6
    assert hand.state.accounts["paper"].positions[SPOT.key].quantity == 6
    answer_all(hand)
    assert hand.order(STOP).remaining == 6


def test_an_execution_that_names_the_old_contract_is_one_of_its_successor() -> None:
    hand = Hand()
    hand.enter(long(FUTURE))
    stop = hand.order(STOP).request
    hand.step(roll(hand))
    hand.step(f.OrderFilled(hand.now_ns, fill_of(stop, 4, 95, "late", hand.now_ns)))
    assert hand.closed.pnl == -5 * 4 * 50
    assert hand.state.accounts["paper"].positions[NEXT.key].quantity == 0
    assert FUTURE.key not in hand.state.accounts["paper"].positions


def test_the_successor_takes_the_place_of_the_old_contract_everywhere() -> None:
    hand = Hand()
    hand.enter(long(SPOT))
    account = hand.state.accounts["paper"]
    hand.step(f.SessionMoved(hand.now_ns, SPOT.key, False))
    hand.step(renaming(hand))
    assert SPOT.key not in hand.state.instruments
    assert hand.state.instruments[RENAMED.key] == RENAMED
    assert set(account.positions) == {RENAMED.key}
    assert account.balances["ETX"] == 4
    assert account.balances["ETH"] == 0
    assert hand.state.shut == {RENAMED.key}
    assert hand.bracket.envelope.instrument == RENAMED.key
    assert all(order.request.instrument == RENAMED.key for order in hand.state.orders.values())


def test_nothing_is_entered_in_a_changed_contract_before_its_market_is_known_again() -> None:
    hand = Hand()
    hand.step(split(hand))
    step = hand.step(e.IntentArrived(replace(intent("b", instrument=SPOT), trigger_price=D(50)), hand.now_ns))
    judged = next(fact for fact in step.facts if isinstance(fact, f.IntentJudged))
    assert not judged.approved


def test_a_run_that_goes_on_still_knows_the_successor_and_not_the_contract_that_is_gone() -> None:
    hand = Hand()
    hand.enter(long(FUTURE))
    hand.step(roll(hand))
    answer_all(hand)
    hand.crash_after(f.OrderAccepted)
    hand.step(run_started(at_ns=hand.now_ns, fresh=False))
    assert hand.state.instruments[NEXT.key] == NEXT
    assert FUTURE.key not in hand.state.instruments
    hand.recover()
    hand.fill(STOP, 4, 98)
    assert hand.closed.pnl == -5 * 4 * 50


@pytest.mark.parametrize(
    "change",
    [
        {"ratio": D(0)},
        {"ratio": D("NaN")},
        {"per": D(-1)},
        {"amount": D(1)},
        {"successor": RENAMED},
        {"kind": f.ActionKind.ROLL},
        {"kind": f.ActionKind.SYMBOL_CHANGE, "ratio": D(1)},
        {"kind": f.ActionKind.SYMBOL_CHANGE, "ratio": D(1), "successor": SPOT},
        {"kind": f.ActionKind.SYMBOL_CHANGE, "ratio": D(1), "successor": replace(RENAMED, quote="EUR")},
        {"kind": f.ActionKind.DIVIDEND, "ratio": D(1)},
        {"kind": f.ActionKind.DIVIDEND, "ratio": D(1), "amount": D(-1)},
        {"instrument": "NOBODY@test"},
    ],
    ids=str,
)
def test_an_action_that_cannot_be_right_is_put_into_quarantine_once(change: dict[str, object]) -> None:
    hand = Hand()
    hand.enter(long(SPOT))
    wrong = replace(split(hand), **change)
    step = hand.step(wrong)
    assert [type(fact) for fact in step.facts] == [f.Quarantined]
    assert hand.step(wrong).facts == []
    assert hand.bracket.held == 4


def test_the_sender_lets_the_new_stop_leave_only_under_an_approval_signed_anew() -> None:
    signer = Ed25519Signer()
    hand = Hand()
    hand.engine.config = dataclasses.replace(hand.engine.config, signer=signer)
    sender = Sender(verify)

    def learn(facts: list[f.Fact]) -> None:
        for fact in facts:
            sender.learn(fact)

    started = replace(
        next(fact for fact in hand.facts if isinstance(fact, f.RunStarted)),
        key_id=signer.key_id,
        public_key=signer.public_key,
    )
    hand.step(started)
    learn([started])
    first = len(hand.facts)
    hand.enter(long(FUTURE))
    hand.step(roll(hand))
    hand.cancelled(STOP)
    learn(hand.facts[first:])
    (command,) = hand.commands
    assert isinstance(command, c.SubmitOrder)
    assert command.order.envelope.instrument == NEXT.key
    sender.check(command.order, hand.now_ns)


def test_a_new_tick_moves_levels_to_its_grid_towards_the_entry_and_ends_entries_off_it() -> None:
    hand = Hand()
    hand.enter(replace(intent(instrument=SPOT, stop="95.03", targets=(("110.07", 1),)), quantity=D(4)))
    coarse = replace(SPOT, tick=D("0.1"))
    hand.step(f.InstrumentUpdated(hand.now_ns, coarse))
    assert hand.bracket.stop_price == D("95.1")
    assert hand.bracket.intent.take_profits[0].price == D("110.1")
    answer_all(hand)
    assert hand.order(STOP).stop_price == D("95.1")
    assert hand.bracket.protected

    other = Hand()
    other.propose(replace(intent(instrument=SPOT, order_type=EntryType.LIMIT), trigger_price=D("99.93")))
    other.accept(ENTRY)
    other.step(f.InstrumentUpdated(other.now_ns, coarse))
    assert [type(item) for item in other.commands] == [c.CancelOrder]
    finer = Hand()
    finer.propose(replace(intent(instrument=SPOT, order_type=EntryType.LIMIT), trigger_price=D("99.93")))
    finer.accept(ENTRY)
    finer.step(f.InstrumentUpdated(finer.now_ns, replace(SPOT, tick=D("0.001"))))
    assert finer.commands == []
    assert finer.order(ENTRY).status is OrderStatus.WORKING


def test_prices_after_a_split_are_believed_at_once() -> None:
    hand = Hand()
    hand.step(Quote(SPOT.key, hand.now_ns, D(100), D("100.01"), D(9), D(9)))
    hand.step(split(hand))
    hand.step(Quote(SPOT.key, hand.now_ns, D(50), D("50.01"), D(9), D(9)))
    assert not hand.engine.markets.doubts(SPOT.key)


@pytest.mark.parametrize("change", [{"multiplier": D(5000)}, {"quote": "USD"}, {"base": "NQ"}])
def test_new_terms_that_change_what_is_held_is_worth_are_put_into_quarantine_once(
    change: dict[str, object],
) -> None:
    hand = Hand()
    hand.enter(long(FUTURE))
    hand.step(Quote(FUTURE.key, hand.now_ns, D(101), D(101) + FUTURE.tick, D(9), D(9)))
    before = equity(hand)
    told = f.InstrumentUpdated(hand.now_ns, replace(FUTURE, **change))
    hand.step(told)
    assert hand.step(told).facts == []
    assert equity(hand) == before
    assert [item.instrument for item in hand.state.quarantine.values()] == [FUTURE.key]
    assert hand.state.instruments[FUTURE.key] == FUTURE


def test_new_terms_of_what_nobody_holds_are_taken_whatever_they_are() -> None:
    hand = Hand()
    other = replace(FUTURE, multiplier=D(5000))
    hand.step(f.InstrumentUpdated(hand.now_ns, other))
    assert (hand.state.instruments[FUTURE.key], hand.state.quarantine) == (other, {})


def test_a_split_that_is_told_before_it_takes_effect_moves_no_stop_and_a_person_looks() -> None:
    hand = Hand()
    hand.enter(long(SPOT))
    ahead = replace(split(hand), effective_ns=hand.now_ns + 3 * 10**9)
    hand.step(ahead)
    assert (hand.bracket.stop_price, hand.bracket.held, hand.commands) == (D(95), D(4), [])
    (kept,) = hand.state.quarantine.values()
    assert kept.detail.endswith("guard nothing")
    hand.seconds(3)
    hand.step(replace(ahead, at_ns=hand.now_ns))
    assert (hand.bracket.stop_price, hand.bracket.held) == (D("47.5"), D(8))


def test_an_entry_thought_absent_that_turns_up_after_its_contract_was_changed_is_taken_away() -> None:
    hand = Hand()
    hand.propose(intent(instrument=SPOT, quantity=4, order_type=EntryType.LIMIT))
    hand.unknown(ENTRY)
    coid = hand.coid(ENTRY)
    hand.gone(ENTRY)
    hand.step(split(hand, 1, 2))
    hand.step(f.OrderAccepted(hand.now_ns, coid, "there after all"))
    assert [type(item) for item in hand.commands] == [c.CancelOrder]
    assert hand.order(ENTRY).asked == "cancel"


def test_a_way_out_that_waits_for_its_stop_to_end_is_sent_at_a_price_in_the_new_terms() -> None:
    hand = Hand(rules=replace(PAPER_RULES, exit_collars=(D("0.01"),)))
    hand.enter(long(SPOT))
    hand.step(e.IntentArrived(CloseIntent("c", "paper", "op", "a", "enough", hand.now_ns), hand.now_ns))
    assert hand.bracket.exit_level == 100
    hand.step(split(hand))
    hand.cancelled(STOP)
    request = hand.order(EXIT).request
    assert (request.quantity, request.limit_price) == (D(8), D("49.5"))


def test_a_way_out_at_any_price_stays_one() -> None:
    hand = Hand()
    hand.enter(long(SPOT))
    before = hand.bracket.exit_level
    hand.step(dividend(hand))
    assert before == hand.bracket.exit_level == 0


@pytest.mark.parametrize("kept", ["dust", "foreign"])
def test_a_split_multiplies_dust_and_what_is_foreign_too(kept: str) -> None:
    hand = Hand()
    for state in (hand.state, hand._twin):
        getattr(state.accounts["paper"], kept)[SPOT.key] = D("0.004")
    hand.step(split(hand, 3, 2))
    assert getattr(hand.state.accounts["paper"], kept) == {SPOT.key: D("0.006")}


@pytest.mark.parametrize("kept", ["dust", "foreign"])
def test_under_a_new_name_dust_and_what_is_foreign_join_what_was_there(kept: str) -> None:
    hand = Hand()
    hand.step(f.InstrumentUpdated(hand.now_ns, RENAMED))
    for state in (hand.state, hand._twin):
        getattr(state.accounts["paper"], kept).update({SPOT.key: D(4), RENAMED.key: D("0.5"), PERP.key: D(1)})
    hand.step(renaming(hand))
    assert getattr(hand.state.accounts["paper"], kept) == {RENAMED.key: D("4.5"), PERP.key: D(1)}


def test_what_is_in_quarantine_moves_to_the_successor_and_nothing_else_does() -> None:
    hand = Hand()
    hand.enter(long(SPOT))
    kind = f.QuarantineKind.POSITION
    named = [("paper", SPOT.key, SPOT.key), ("paper", "t-1", SPOT.key), ("paper", PERP.key, PERP.key)]
    for account_id, reference, instrument in [*named, ("other", f"other:{SPOT.key}", SPOT.key)]:
        for state in (hand.state, hand._twin):
            held = f.Quarantined(hand.now_ns, account_id, kind, reference, instrument, "why")
            state.quarantine[reference] = held
    hand.step(renaming(hand))
    kept = {(item.reference, item.instrument) for item in hand.state.quarantine.values()}
    assert kept == {
        (RENAMED.key, RENAMED.key),
        ("t-1", RENAMED.key),
        (PERP.key, PERP.key),
        (f"other:{SPOT.key}", SPOT.key),
    }
    assert {key: item.reference for key, item in hand.state.quarantine.items()} == {
        reference: reference for reference, _ in kept
    }


@pytest.mark.parametrize("kept", ["foreign", "dust", "positions"])
def test_the_old_contract_stays_while_another_account_has_it(kept: str) -> None:
    hand = Hand()
    hand.enter(long(SPOT))
    hand.step(f.SessionMoved(hand.now_ns, SPOT.key, False))
    for state in (hand.state, hand._twin):
        there: dict[str, object] = {SPOT.key: Position(D(1)) if kept == "positions" else D(1)}
        other = type(state.accounts["paper"])(Account("other", "test", "USDT"), {"USDT": D(5)})
        setattr(other, kept, there)
        state.accounts["other"] = other
    hand.step(renaming(hand))
    assert hand.state.instruments[SPOT.key] == SPOT
    assert hand.state.instruments[RENAMED.key] == RENAMED
    assert hand.state.shut == {SPOT.key, RENAMED.key}
    assert list(getattr(hand.state.accounts["other"], kept)) == [SPOT.key]


def test_a_contract_that_is_open_has_an_open_successor() -> None:
    hand = Hand()
    hand.enter(long(SPOT))
    hand.step(renaming(hand))
    assert hand.state.shut == set()


def test_of_a_basket_only_the_legs_in_the_old_contract_name_the_successor() -> None:
    floor = Floor()
    hedges = {name: Hedged(other, "leave all", D(100)) for name, other in (("a", "b"), ("b", "a"))}
    one = intent("a", quantity=50, protection=hedges["a"], targets=())
    two = intent("b", quantity=1, protection=hedges["b"], targets=(), instrument=FUTURE)
    floor.post(
        BasketIntent("pair", "paper", "op", (one, replace(two, direction=Direction.SHORT)), D(200), T0)
    )
    floor.settle()
    floor.step(roll(floor))
    legs = floor.state.baskets["pair"].intent.legs
    assert [(leg.intent_id, leg.instrument, leg.trigger_price) for leg in legs] == [
        ("a", PERP.key, D(100)),
        ("b", NEXT.key, D(103)),
    ]


def test_a_roll_into_what_is_held_the_other_way_earns_what_closes() -> None:
    hand = Hand(checked=False)
    hand.step(f.InstrumentUpdated(hand.now_ns, NEXT))
    hand.enter(long(FUTURE))
    for state in (hand.state, hand._twin):
        state.accounts["paper"].positions[NEXT.key] = Position(D(-1), lots=[Lot(D(-1), D(110))])
    cash = hand.state.accounts["paper"].balances["USDT"]
    hand.step(roll(hand))
    position = hand.state.accounts["paper"].positions[NEXT.key]
    assert position.quantity == 3
    assert hand.state.accounts["paper"].balances["USDT"] == cash + (110 - 103) * 50


@pytest.mark.parametrize("filled", ["0.5", "1", "2"])
def test_a_stop_that_is_filled_in_part_is_replaced_after_a_split_and_a_whole_one_amended(
    filled: str,
) -> None:
    whole = Hand()
    whole.enter(long(SPOT))
    whole.step(split(whole))
    assert [type(item) for item in whole.commands] == [c.AmendOrder]
    hand = Hand()
    hand.enter(long(SPOT))
    hand.fill(STOP, filled, 95)
    hand.step(split(hand))
    assert [type(item) for item in hand.commands] == [c.CancelOrder]
    answer_all(hand)
    assert hand.order(STOP).quantity == 2 * (4 - D(filled))
    assert hand.bracket.protected


def test_an_order_sent_after_a_split_states_its_fill_in_the_units_of_its_own_time() -> None:
    hand = Hand()
    hand.step(split(hand))
    hand.wait(1000)
    warm_up(hand.engine)
    hand.propose(long(SPOT, order_type=EntryType.LIMIT))
    coid = hand.coid(ENTRY)
    hand.accept(ENTRY)
    hand.fill(ENTRY, 1, 100)
    hand.step(f.OrderCancelled(hand.now_ns, coid, "", D(2)))
    assert hand.state.orders[coid].missing == 1


@pytest.mark.parametrize(
    ("direction", "stop", "moved"), [(Direction.LONG, "95.03", "95.1"), (Direction.SHORT, "105.07", "105.0")]
)
def test_a_new_tick_moves_the_stop_of_either_side_towards_its_entry(
    direction: Direction, stop: str, moved: str
) -> None:
    hand = Hand()
    fine = replace(PERP, tick=D("0.01"))
    hand.step(f.InstrumentUpdated(hand.now_ns, fine))
    hand.enter(intent(direction=direction, stop=stop, targets=()))
    assert hand.bracket.stop_price == D(stop)
    hand.step(f.InstrumentUpdated(hand.now_ns, PERP))
    assert hand.bracket.stop_price == D(moved)


def test_terms_that_are_known_already_change_nothing_and_are_counted() -> None:
    hand = Hand()
    strays = hand.engine.strays
    assert hand.step(f.InstrumentUpdated(hand.now_ns, SPOT)).facts == []
    assert hand.engine.strays == strays + 1
    hand.step(f.InstrumentUpdated(hand.now_ns, replace(SPOT, tick=D("0.1"))))
    assert hand.engine.strays == strays + 1


def test_an_earlier_part_that_turned_up_is_taken_away_when_it_is_off_the_new_grid() -> None:
    hand = Hand()
    iceberg = replace(
        long(SPOT, order_type=EntryType.LIMIT), execution=Iceberg(D(1)), trigger_price=D("99.93")
    )
    hand.propose(iceberg)
    lost = hand.coid(ENTRY)
    hand.not_found(ENTRY)
    hand.seconds(3)
    hand.not_found(ENTRY)
    hand.seconds(5)
    assert hand.coid(ENTRY) != lost
    hand.accept(ENTRY)
    hand.fill(ENTRY, 1, "99.93")
    hand.step(f.OrderAccepted(hand.now_ns, lost, "V"))
    hand.step(f.RequestRejected(hand.now_ns, lost, "no"))
    assert hand.state.orders[lost].asked == ""
    hand.step(f.InstrumentUpdated(hand.now_ns, replace(SPOT, tick=D("0.1"))))
    gone = [item.client_order_id for item in hand.commands if isinstance(item, c.CancelOrder)]
    assert gone == [lost]


@pytest.mark.parametrize(
    ("price", "level"),
    [("0.996", "0.99"), ("0.984", "0.98"), ("1.2", "0.99"), ("0.004", "0.01"), ("-3", "0.01")],
)
def test_a_level_that_an_action_moves_beyond_the_bounds_of_its_contract_is_the_last_one_inside(
    price: str, level: str
) -> None:
    assert on_grid(BINARY, D(price)) == D(level)


def test_a_run_that_goes_on_drops_contracts_that_are_neither_configured_nor_held() -> None:
    hand = Hand()
    hand.enter(long(SPOT))
    fewer = replace(run_started(at_ns=hand.now_ns, fresh=False), instruments=(PERP,))
    hand.step(fewer)
    assert set(hand.state.instruments) == {PERP.key, SPOT.key}
