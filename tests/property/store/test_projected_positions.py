"""Whatever happened to an account, the positions that people see are the ones the engine has."""

import random
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from sqlalchemy import select

from neuratrade.core.engine.state import DeskState
from neuratrade.core.model import facts as f
from neuratrade.core.model.account import Lot
from neuratrade.core.model.orders import Fill, Liquidity, OrderStatus, Side
from neuratrade.hands.recorder import MemoryRecorder
from neuratrade.hands.simulated import SimulatedDesk
from neuratrade.store.journal import Journal
from neuratrade.store.keys import Ed25519Signer
from neuratrade.store.projections import Projector
from neuratrade.store.schema import orders, positions
from neuratrade.venues.paper.exchange import PaperExchange
from tests.simulation.random_world import Plan, Run, make_plan
from tests.simulation.world import (
    ACCOUNT,
    CASH,
    FUTURE,
    INSTRUMENTS,
    PERP,
    SPOT,
    D,
    desk_engine,
    run_started,
    warm_up,
)


class LooseRun(Run):
    """A run whose venue is not watched: what is made up here it was never told of."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.engine = desk_engine()
        venue = PaperExchange(ACCOUNT, INSTRUMENTS, CASH, plan.costs)
        memory = MemoryRecorder()
        self.loose = SimulatedDesk(self.engine, venue, memory, None)
        self.told = memory.facts
        self.loose.take(run_started())
        warm_up(self.engine)

    @property
    def desk(self) -> SimulatedDesk:  # type: ignore[override]
        """The desk, without checks that a meddled world cannot keep."""
        return self.loose


def meddle(run: Run, rng: random.Random, count: int) -> None:
    """Something happens to the account itself, between two slices."""
    at_ns = run.state.now_ns
    draw = rng.random()
    live = [key for key in (SPOT.key, "ETX/USDT@test") if key in run.state.instruments]
    if draw < 0.15:
        item = rng.choice([*live, PERP.key])
        ratio = rng.choice([(D(2), D(1)), (D(1), D(2)), (D(3), D(1))])
        split = f.CorporateActed(
            at_ns, "paper", item, f.ActionKind.SPLIT, ratio[0], per=ratio[1], action_id=f"s{count}"
        )
        run.desk.take(split)
        run.desk.take(split)
    elif draw < 0.25:
        kind = f.ActionKind.DIVIDEND
        amount = D(rng.randrange(1, 20)) / 100
        run.desk.take(f.CorporateActed(at_ns, "paper", live[0], kind, amount=amount, action_id=f"d{count}"))
    elif draw < 0.30 and FUTURE.key in run.state.instruments:
        successor = replace(FUTURE, asset="ESZ/USDT")
        kind = f.ActionKind.ROLL
        run.desk.take(
            f.CorporateActed(
                at_ns, "paper", FUTURE.key, kind, amount=D("1.25"), successor=successor, action_id="r"
            )
        )
    elif draw < 0.35 and SPOT.key in live:
        kind = f.ActionKind.SYMBOL_CHANGE
        successor = replace(SPOT, asset="ETX/USDT", base="ETX")
        run.desk.take(f.CorporateActed(at_ns, "paper", SPOT.key, kind, successor=successor, action_id="n"))
    elif draw < 0.45:
        run.desk.take(f.CashMoved(at_ns, "paper", "USDT", D(rng.randrange(-500, 500)), "transfer"))
    elif draw < 0.55:
        _correct(run, rng, at_ns)
    elif draw < 0.65:
        _liquidate(run, rng, at_ns, count)


def _correct(run: Run, rng: random.Random, at_ns: int) -> None:
    told = [
        (order.request.client_order_id, trade_id, done)
        for order in run.state.orders.values()
        for trade_id, done in order.executions.items()
        if not order.request.role.reduces
    ]
    if told:
        coid, trade_id, done = rng.choice(told)
        price = done.price * D("1.001")
        run.desk.take(f.FillCorrected(at_ns, coid, trade_id, done.quantity, price, done.fee))


def _liquidate(run: Run, rng: random.Random, at_ns: int, count: int) -> None:
    held = [item for item in run.state.brackets.values() if item.held > 0]
    if held:
        bracket = rng.choice(held)
        side = Side.SELL if bracket.held_signed > 0 else Side.BUY
        quantity = bracket.held * D(rng.choice(("0.5", "1", "2")))
        key = bracket.intent.instrument
        taker = Liquidity.TAKER
        fill = Fill(f"L{count}", "", "paper", key, side, quantity, D(90), D("0.3"), "USDT", taker, at_ns)
        run.desk.take(f.Liquidated(at_ns, fill))


def facts_of_a_world(seed: int) -> tuple[list[f.Fact], DeskState]:
    """A random world in which much happens to the account; its venue is not asked to agree afterwards."""
    rng = random.Random(seed)
    plan = make_plan(seed, 60)
    run = LooseRun(plan)
    for count, (acts, bars) in enumerate(plan.slices):
        for act in acts:
            run._act(act)
        meddle(run, rng, count)
        run.desk.bars(bars)
    return run.told, run.state


def write_all(journal: Journal, facts: list[f.Fact], projector: Projector) -> None:
    for number, fact in enumerate(facts):
        journal.append(fact, run_id="run", account_id="paper")
        if number % 97 == 0:
            journal.commit()
            projector.project()
    journal.commit()
    projector.project()


@pytest.mark.parametrize("seed", range(12))
def test_projected_positions_are_those_of_the_state(seed: int, tmp_path: Path) -> None:
    facts, state = facts_of_a_world(seed)
    with Journal.open(tmp_path / "desk.db", signer=Ed25519Signer()) as journal:
        projector = Projector(journal.engine, batch_rows=50)
        write_all(journal, facts, projector)
        with journal.engine.connect() as connection:
            rows = {row.instrument: row for row in connection.execute(select(positions))}
            listed = {row.client_order_id: row for row in connection.execute(select(orders))}
    kept = state.accounts["paper"].positions
    assert {key for key, row in rows.items() if row.quantity} == {
        key for key, position in kept.items() if position.quantity
    }
    for key, position in kept.items():
        assert rows[key].quantity == position.quantity
        assert msgspec.json.decode(rows[key].lots, type=list[Lot]) == position.lots
    for coid, order in state.orders.items():
        row = listed[coid]
        assert row.filled == order.filled
        shown = "working" if row.status == "triggered" else row.status
        doubtful = order.status in (OrderStatus.UNKNOWN, OrderStatus.PLANNED)
        assert doubtful or shown == order.status.value or order.triggered_ns is not None


def test_the_worlds_reach_every_kind_of_fact_that_moves_a_position() -> None:
    seen: set[type[f.Fact]] = set()
    kinds: set[str] = set()
    for seed in range(12):
        facts, _ = facts_of_a_world(seed)
        seen |= {type(fact) for fact in facts}
        kinds |= {fact.kind.value for fact in facts if isinstance(fact, f.CorporateActed)}
    assert {f.OrderFilled, f.FillCorrected, f.Liquidated, f.CorporateActed} <= seen
    assert kinds == {kind.value for kind in f.ActionKind}
