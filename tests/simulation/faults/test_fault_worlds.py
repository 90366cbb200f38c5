"""A few worlds of many: `make sim` lives through as many as wanted, these run with every test run."""

import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from neuratrade.core.model import facts as f
from neuratrade.core.model.events import Event
from neuratrade.core.model.market import NS_PER_MINUTE
from neuratrade.core.model.orders import OrderRole
from tests.simulation.faults.kinds import IMPOSSIBLE, Fault, Moment
from tests.simulation.faults.life import Life
from tests.simulation.faults.matrix import empty_cells, table
from tests.simulation.faults.mutants import MUTANTS
from tests.simulation.faults.truth import EXCUSED_NS, Order, Temper
from tests.simulation.faults.wires import Wires
from tests.simulation.hand import Hand
from tests.simulation.world import intent

REPOSITORY = Path(__file__).resolve().parents[3]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The runner in a process of its own."""
    paths = os.pathsep.join(("src", ".", os.environ.get("PYTHONPATH", "")))
    return subprocess.run(
        [sys.executable, "tools/sim.py", "--jobs", "1", *arguments],
        cwd=REPOSITORY,
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("seed", range(10))
def test_a_world_of_faults_breaks_no_promise(seed: int) -> None:
    outcome = Life(seed).live()
    assert outcome.violation is None, f"make sim SEEDS=1 START={seed} TRACE=1"
    assert outcome.events >= 2000
    assert outcome.intents >= 20
    assert sum(outcome.faults.values()) >= 10


def test_a_crash_at_any_boundary_of_the_first_turns_breaks_no_promise() -> None:
    for boundary in range(1, 41):
        outcome = Life(3, crash_at=boundary, wild_events=300).live()
        assert outcome.violation is None, f"crash at boundary {boundary}"


def test_the_same_seed_gives_the_same_world() -> None:
    first, second = (Life(5).live() for _ in range(2))
    assert (first.events, first.faults, first.boundaries) == (second.events, second.faults, second.boundaries)


def silenced(chances: dict[Fault, float]) -> tuple[Wires, Order]:
    """Wires of this temper, and an order to talk about."""
    wires = Wires(Temper(chances, 20), random.Random(1), lambda *_: None, lambda _: None)
    hand = Hand()
    hand.propose(intent())
    request = hand.order(OrderRole.ENTRY).request
    return wires, Order(request, "V1", request.quantity, None)


def told(wires: Wires) -> list[Event | None]:
    """Everything that comes out at the desk's end."""
    out = []
    while wires.next_due_ns is not None:
        out.append(wires.run_next())
    return out


def test_what_the_wires_lose_is_never_told_again() -> None:
    wires, order = silenced({Fault.ACK_DROPPED: 1.0})
    wires.say(order, f.OrderCancelled(0, order.coid, "asked", order.filled))
    assert told(wires) == [None]
    assert order.withheld, "the desk may not know it, for a while"
    assert not order.is_excused(wires.now_ns + EXCUSED_NS + 1), "but not for ever"


def test_a_silent_stream_keeps_executions_back_and_lets_answers_pass() -> None:
    wires, order = silenced({})
    wires.silent_until_ns = NS_PER_MINUTE
    wires.say(order, f.OrderAccepted(0, order.coid, "V1"))
    wires.say(order, f.OrderCancelled(0, order.coid, "asked", order.filled))
    words = [(type(word), word.at_ns >= NS_PER_MINUTE) for word in told(wires) if word is not None]
    assert words == [(f.OrderAccepted, False), (f.OrderCancelled, True)]


def test_a_cell_that_no_world_reached_is_named() -> None:
    full = Counter({(fault.value, moment.value): 1 for fault in Fault for moment in Moment})
    assert empty_cells(full) == []
    cell = (Fault.DISK_FULL.value, Moment.BARE.value)
    del full[cell]
    assert empty_cells(full) == [cell]
    assert f"{Fault.DISK_FULL.value:<{25}}" in table(full)


def test_a_cell_that_cannot_be_reached_has_a_reason() -> None:
    assert all(reason for reason in IMPOSSIBLE.values())
    nothing = empty_cells({})
    assert len(nothing) == len(Fault) * len(Moment) - len(IMPOSSIBLE)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_desk_that_is_broken_on_purpose_is_caught(name: str) -> None:
    done = run("--seeds", "12", "--mutant", name)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "12 seeds, 1 violations" in done.stdout, done.stdout + done.stderr
