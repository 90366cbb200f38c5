"""A strategy that hangs or raises is switched off, told of once, and the desk goes on without it."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from neuratrade.app import engine_room
from neuratrade.core.indicators.registry import indicator
from neuratrade.core.indicators.spec import IndicatorSpec
from neuratrade.core.model import facts as f
from neuratrade.core.model.decimals import ONE
from neuratrade.core.model.intent import Lane
from neuratrade.core.model.market import NS_PER_MINUTE, Bar
from neuratrade.core.model.regime import Regime
from neuratrade.core.strategies.port import Proposal, Row
from neuratrade.hands import strategy_guard
from neuratrade.hands.halt_file import raise_halt
from neuratrade.hands.strategy_guard import WATCH, GuardedStrategy
from tests.unit.app.recorded_desk import opened, short_data

ROW: Row = np.zeros(1)


class Scripted:
    """A strategy that does what it is told to."""

    name = "scripted"
    lane = Lane.MOMENTUM
    assets = ("BTC/USDT", "ETH/USDT")
    span_ns = NS_PER_MINUTE
    while_flat = False
    indicators: tuple[IndicatorSpec, ...] = (indicator("atr", 14),)

    def __init__(self, *acts: str) -> None:
        self.acts = list(acts)
        self.calls = 0

    def entry(self, previous: Row, current: Row, close: float, asset: str) -> int:
        self.calls += 1
        match self.acts.pop(0) if self.acts else "":
            case "loop":
                while True:
                    pass
            case "stubborn":
                while True:
                    try:
                        time.sleep(60)
                    except Exception:  # noqa: BLE001 - a strategy that catches all it may
                        continue
            case "raise":
                raise ZeroDivisionError("no volume")
            case "exit":
                raise SystemExit(3)
            case "speak":
                return 1
            case _:
                return 0

    def plan(self, signal: int, bar: Bar, current: Row, regime: Regime) -> Proposal | None:
        raise RuntimeError("no plan")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    WATCH.disarm()
    monkeypatch.setattr(strategy_guard, "PULSE_S", 0.05)
    monkeypatch.setattr(strategy_guard, "FIRST_CALL_PULSES", 3)
    yield
    WATCH.disarm()


def asked(strategy: GuardedStrategy) -> int:
    return strategy.entry(ROW, ROW, 1.0, "BTC/USDT")


@pytest.mark.parametrize("act", ["loop", "stubborn", "raise", "exit"])
def test_a_strategy_that_hangs_or_raises_is_switched_off_and_told_of_once(act: str) -> None:
    told: list[str] = []
    bad = Scripted("speak", act)
    strategy = GuardedStrategy(bad, told.append)
    assert [asked(strategy) for _ in range(4)] == [1, 0, 0, 0]
    assert strategy.is_off
    assert bad.calls == 2
    assert len(told) == 1
    assert "scripted" in told[0]


def test_a_plan_that_raises_switches_the_strategy_off_too() -> None:
    told: list[str] = []
    strategy = GuardedStrategy(Scripted("speak"), told.append)
    bar = Bar("BTC/USDT@test", NS_PER_MINUTE, 0, *[ONE] * 5)
    assert strategy.plan(1, bar, ROW, Regime.UNKNOWN) is None
    assert asked(strategy) == 0
    assert "no plan" in told[0]


def test_many_short_calls_are_never_taken_for_one_long_one() -> None:
    told: list[str] = []
    strategy = GuardedStrategy(Scripted(), told.append)
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        assert asked(strategy) == 0
    assert told == []


def test_time_outside_a_strategy_is_nobodys_hang() -> None:
    strategy = GuardedStrategy(Scripted(), pytest.fail)
    asked(strategy)
    time.sleep(0.3)
    asked(strategy)


async def test_the_halt_file_still_works_when_a_strategy_loops_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    short_data(home, 1)
    monkeypatch.setattr(strategy_guard, "PULSE_S", 0.3)
    bad = Scripted("", "loop")
    monkeypatch.setattr(engine_room, "build_strategies", lambda _: (bad,))

    def halt_from_outside() -> None:
        while bad.calls < 2:
            time.sleep(0.01)
        raise_halt(home, "a strategy loops")

    operator = threading.Thread(target=halt_from_outside)
    operator.start()
    with opened(home) as desk:
        ended = await desk.run()
        operator.join()
        troubles = list(desk.runner.health.troubles)
    assert ended.finished
    assert bad.calls == 2
    assert desk.state.trading_state is f.TradingState.HALTED
    assert "a strategy loops" in desk.state.state_reason
    assert any("did not end" in trouble for trouble in troubles)
    assert capsys.readouterr().err.count("is off until") == 1


def test_the_timer_does_not_kill_a_process_that_ends() -> None:
    program = (
        "from neuratrade.hands import strategy_guard as guard\n"
        "guard.PULSE_S = 0.0001\n"
        "guard.WATCH.arm()\n"
        "import signal\n"
        "assert signal.getitimer(signal.ITIMER_REAL)[1] > 0\n"
    )
    done = subprocess.run([sys.executable, "-c", program], timeout=60, check=False)
    assert done.returncode == 0
