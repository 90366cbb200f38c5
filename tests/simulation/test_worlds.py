"""Seeded worlds: whatever happens, nothing is sold twice, nothing stays bare, and the books add up."""

import random
from functools import cache

import msgspec
import pytest

from neuratrade.core.engine.ledger import book_fill
from neuratrade.core.engine.state import AccountState
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.intent import Direction, EntryType
from tests.simulation.invariants import (
    check_ledger,
    check_order_of_time,
    check_replay,
    check_same_books,
    check_stops_only_tighten,
)
from tests.simulation.random_world import MARKETS, Plan, Run, make_plan, random_quotes
from tests.simulation.world import CASH, INSTRUMENTS, PERP, PRICE, D, intent

SEEDS = range(30)


def check_books(run: Run) -> None:
    check_replay(run.recorder.facts, run.state)
    check_order_of_time(run.recorder.facts)
    check_stops_only_tighten(run.recorder.facts)
    account = msgspec.json.decode(msgspec.json.encode(run.state.accounts["paper"]), type=AccountState)
    for _, _, told in sorted(run.exchange._queue):
        if isinstance(told, f.OrderFilled):
            book_fill(
                account, INSTRUMENTS[told.fill.instrument], told.fill, Direction.LONG
            )  # an answer still on its way
    check_same_books(account, run.exchange.account)
    check_ledger(account, INSTRUMENTS, CASH, run.exchange.fills, PRICE)


@cache
def lived(seed: int) -> Run:
    """A wild world that is over, lived once a process however many tests look at it."""
    return Run(make_plan(seed, 80)).live()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_wild_world_leaves_nothing_open_and_books_that_add_up(seed: int) -> None:
    run = lived(seed)
    assert run.state.brackets == {}
    assert run.state.orders == {}
    assert run.exchange.orders == {}
    for contract in MARKETS:
        position = run.state.accounts["paper"].positions.get(contract.key)
        dust = D(0) if position is None else position.quantity
        brackets = sum(fact.approved for fact in run.recorder.facts if isinstance(fact, f.IntentJudged))
        assert 0 <= dust < contract.lot * brackets + contract.lot
        assert dust == 0 or contract.fee_in_base
    check_books(run)


def test_the_worlds_reach_every_way_to_end() -> None:
    reasons: set[f.CloseReason] = set()
    for seed in SEEDS:
        facts = lived(seed).recorder.facts
        reasons |= {fact.reason for fact in facts if isinstance(fact, f.BracketClosed)}
    assert set(f.CloseReason) - reasons <= {f.CloseReason.LIQUIDATED, f.CloseReason.ACTION}


@pytest.mark.parametrize("seed", [1, 7, 23])
def test_the_same_seed_gives_the_same_facts_byte_for_byte(seed: int) -> None:
    first, second = (Run(make_plan(seed, 60)).live().recorder.facts for _ in range(2))
    assert [f.encode_fact(fact) for fact in first] == [f.encode_fact(fact) for fact in second]


@pytest.mark.parametrize("seed", range(12))
def test_a_world_of_quotes_holds_to_the_same_rules(seed: int) -> None:
    rng = random.Random(seed)
    plan = make_plan(seed, 0, calm_end=0)
    run = Run(Plan(plan.costs))
    for number, quote in enumerate(random_quotes(seed, 400)):
        run.desk.tick(quote)
        if number % 25 == 5 and quote.mid is not None:
            sign = rng.choice((1, -1))
            mid = quote.mid
            levels = [PERP.round_price(mid * (1 + D(repr(way * sign)))) for way in (-0.004, 0.003, 0.006)]
            proposal = intent(
                f"q{number}",
                direction=Direction.LONG if sign > 0 else Direction.SHORT,
                trigger=PERP.round_price(mid),
                stop=levels[0],
                targets=((levels[1], "0.5"), (levels[2], "0.5")),
                quantity="1.5",
                order_type=rng.choice(tuple(EntryType)),
                trail=rng.choice((None, D("0.004"))),
                hold_s=rng.choice((None, 5)),
                expiry_s=rng.choice((2, 30)),
                at_ns=run.state.now_ns,
            )
            run.desk.take(e.IntentArrived(proposal, run.state.now_ns))
        if number % 10 == 0:
            run.desk.clock(run.state.now_ns)
    run.desk.clock(run.state.now_ns + 5_000_000_000)
    check_books(run)
