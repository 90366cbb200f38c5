"""Holding costs by hand: who pays funding and who gets it, what a borrowed short costs, and when."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from neuratrade.core.model import facts as f
from neuratrade.core.model.account import Account, PositionMode
from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.market import NS_PER_DAY, NS_PER_HOUR, NS_PER_MS
from neuratrade.research.backtest import run_backtest
from neuratrade.research.columns import Columns
from neuratrade.research.funding import RecordedFunding
from neuratrade.research.plan import BacktestPlan, Carry
from neuratrade.venues.paper.costs import PaperCosts
from tests.kept_runs import keep
from tests.unit.research.small_desk import BTC, bars, plan

D = Decimal
SPOT = replace(BTC, kind=InstrumentKind.SPOT)
FUTURE = replace(BTC, kind=InstrumentKind.FUTURE, initial_margin=D("0.1"))
FUNDED = Carry(D("0.0003"), NS_PER_HOUR)
BORROWED = Carry(borrow_fraction_per_year=D("0.0365"))


def market(contract: Instrument, seed: int = 7) -> dict[str, Columns]:
    (whole,) = bars(20, seed).values()
    parts = (getattr(whole, name) for name in Columns.__slots__ if name != "instrument")
    return {contract.key: Columns(contract, *parts)}


def holding(contract: Instrument, carry: Carry, mode: PositionMode = PositionMode.NET) -> BacktestPlan:
    """The small plan, held for up to two days so that what falls due meets a position."""
    base = plan()
    assets = {name: replace(asset, max_hold_time_minutes=2880) for name, asset in base.dna.assets.items()}
    account = Account("backtest", contract.venue, contract.quote, mode=mode)
    dna = replace(base.dna, assets=assets)
    return replace(base, dna=dna, account=account, instruments=(contract,), carry=carry)


def told(world: BacktestPlan, columns: dict[str, Columns]) -> tuple[list[f.Fact], list[f.CashMoved]]:
    facts = keep(world, columns).facts
    return facts, [fact for fact in facts if isinstance(fact, f.CashMoved)]


def held_at(facts: list[f.Fact], at_ns: int) -> Decimal:
    """Units held, signed, after every fill up to a time."""
    fills = [fact.fill for fact in facts if isinstance(fact, f.OrderFilled) and fact.fill.at_ns <= at_ns]
    return sum((fill.side.sign * fill.quantity for fill in fills), D(0))


def last_close(columns: dict[str, Columns], at_ns: int) -> Decimal:
    (one,) = columns.values()
    return D(repr(float(one.close[one.closed_by(at_ns) - 1])))


def test_funding_is_paid_by_longs_and_got_by_shorts_on_what_is_held_at_the_last_close() -> None:
    columns = market(BTC)
    facts, moved = told(holding(BTC, FUNDED), columns)
    sides = set()
    for item in moved:
        held = held_at(facts, item.at_ns)
        assert item.kind == "funding"
        assert item.at_ns % NS_PER_HOUR == 0
        assert item.amount == -held * last_close(columns, item.at_ns) * D("0.0003")
        sides.add((held > 0, item.amount < 0))
    assert sides == {(True, True), (False, False)}


def test_funding_below_zero_goes_the_other_way() -> None:
    columns = market(BTC)
    _, paid = told(holding(BTC, FUNDED), columns)
    _, got = told(holding(BTC, replace(FUNDED, funding_fraction=D("-0.0003"))), columns)
    assert paid[0].at_ns == got[0].at_ns
    assert paid[0].amount == -got[0].amount


def test_every_time_that_falls_due_while_something_is_held_is_charged_once() -> None:
    columns = market(BTC)
    facts, moved = told(holding(BTC, FUNDED), columns)
    (one,) = columns.values()
    hours = range(int(one.close_ns[0]) // NS_PER_HOUR + 1, int(one.close_ns[-1]) // NS_PER_HOUR)
    due = [hour * NS_PER_HOUR for hour in hours if held_at(facts, hour * NS_PER_HOUR)]
    assert [item.at_ns for item in moved] == due
    assert len(due) > 20


def test_by_default_it_falls_due_at_midnight_and_every_eight_hours() -> None:
    _, moved = told(holding(BTC, Carry(D("0.0001"))), market(BTC))
    assert moved
    assert {item.at_ns % NS_PER_DAY // NS_PER_HOUR for item in moved} <= {0, 8, 16}


@pytest.mark.parametrize("contract", [SPOT, FUTURE])
def test_only_perpetuals_have_funding(contract: Instrument) -> None:
    _, moved = told(holding(contract, FUNDED), market(contract))
    assert moved == []


def test_borrow_is_a_days_share_of_a_year_of_a_short_of_what_is_owned_and_of_nothing_else() -> None:
    charged, longs = 0, 0
    for seed in range(5):
        columns = market(SPOT, seed)
        facts, moved = told(replace(holding(SPOT, BORROWED), costs=PaperCosts(lends=True)), columns)
        for item in moved:
            held = held_at(facts, item.at_ns)
            assert item.kind == "borrow"
            assert item.amount == held * last_close(columns, item.at_ns) * (D("0.0365") / 365) < 0
        first = int(columns[SPOT.key].ts[0]) // NS_PER_DAY * NS_PER_DAY
        midnights = range(first, facts[-1].at_ns, NS_PER_DAY)
        assert [item.at_ns for item in moved] == [at for at in midnights if held_at(facts, at) < 0]
        charged += len(moved)
        longs += sum(held_at(facts, at) > 0 for at in midnights)
    assert (charged >= 3, longs >= 3) == (True, True)


def test_recorded_rates_are_charged_at_their_own_times_and_of_their_own_size() -> None:
    columns = market(BTC)
    first = int(columns[BTC.key].ts[0])
    times = tuple(first + place * NS_PER_HOUR + 3 * NS_PER_MS for place in range(479))
    rates = tuple(D(place % 7 - 3) / 10_000 for place in range(479))
    carry = Carry(D("0.5"), NS_PER_HOUR, recorded=(RecordedFunding(BTC.key, "x", times, rates),))
    facts, moved = told(holding(BTC, carry), columns)
    due = {at: rate for at, rate in zip(times, rates, strict=True) if rate and held_at(facts, at)}
    assert [item.movement_id for item in moved] == [f"funding-{BTC.key}-{at}" for at in due]
    for item, (at, rate) in zip(moved, due.items(), strict=True):
        # Told as the bar opens that it falls into, three milliseconds before.
        assert at - item.at_ns == 3 * NS_PER_MS
        assert item.amount == -held_at(facts, item.at_ns) * last_close(columns, item.at_ns) * rate
    assert {item.amount > 0 for item in moved} == {True, False}
    assert len(moved) > 10


def test_recorded_rates_charge_the_perpetual_they_are_of_and_others_bear_the_constant_one() -> None:
    columns = market(BTC)
    at_ns = tuple(int(at) for at in columns[BTC.key].close_ns[:-1])
    others = RecordedFunding("ETH/USDT@binanceusdm", "x", at_ns, (D("0.9"),) * len(at_ns))
    _, moved = told(holding(BTC, replace(FUNDED, recorded=(others,))), columns)
    assert moved == told(holding(BTC, FUNDED), columns)[1] != []
    _, spot = told(holding(SPOT, Carry(recorded=(replace(others, instrument=SPOT.key),))), market(SPOT))
    assert spot == []


def test_a_run_says_where_it_has_no_recorded_rate() -> None:
    columns = market(BTC)
    first, last = int(columns[BTC.key].close_ns[0]), int(columns[BTC.key].close_ns[-1])
    some = RecordedFunding(
        BTC.key, "x.csv", tuple(range(first, last - 40 * NS_PER_HOUR, 8 * NS_PER_HOUR)), ()
    )
    some = replace(some, fractions=(D("0.0001"),) * len(some.at_ns))
    result = run_backtest(holding(BTC, Carry(recorded=(some,))), columns)
    (note,) = result.notes
    assert note.startswith(f"{BTC.key}: x.csv has no funding rate in one stretch of this run, 4")
    whole = replace(some, at_ns=tuple(range(first, last, 8 * NS_PER_HOUR)))
    whole = replace(whole, fractions=(D("0.0001"),) * len(whole.at_ns))
    assert run_backtest(holding(BTC, Carry(recorded=(whole,))), columns).notes == ()


@pytest.mark.parametrize("contract", [BTC, FUTURE])
def test_what_is_sold_short_on_margin_is_not_borrowed(contract: Instrument) -> None:
    _, moved = told(holding(contract, BORROWED), market(contract))
    assert moved == []


def test_a_multiplier_multiplies_what_is_charged() -> None:
    # A tenth of the multiplier: ten times the contracts for the same risk, and the same funding on them.
    tenth = replace(BTC, multiplier=D("0.1"))
    columns = market(tenth)
    facts, moved = told(holding(tenth, FUNDED), columns)
    first = moved[0]
    held = held_at(facts, first.at_ns)
    assert first.amount == -held * last_close(columns, first.at_ns) * D("0.1") * D("0.0003")


def test_the_books_hold_with_it_and_the_curve_ends_where_the_account_does() -> None:
    columns = market(BTC)
    _, moved = told(holding(BTC, FUNDED), columns)
    result = run_backtest(holding(BTC, FUNDED), columns)
    assert result.carry == sum(item.amount for item in moved) != 0
    assert float(result.equity.value[-1]) == pytest.approx(float(result.final_equity), abs=1e-6)
    assert run_backtest(holding(BTC, Carry()), columns).carry == 0


def test_hedged_sides_are_charged_apart() -> None:
    columns = market(BTC)
    _, moved = told(holding(BTC, FUNDED, PositionMode.HEDGE), columns)
    names = [item.movement_id for item in moved]
    assert len(names) == len(set(names)) > 20
    assert {"LONG" in name.upper() for name in names} == {True, False}


def test_nothing_is_charged_where_nothing_was_asked_for() -> None:
    _, moved = told(holding(BTC, Carry()), market(BTC))
    assert moved == []
