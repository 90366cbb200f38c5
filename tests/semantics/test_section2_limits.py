"""The two tables of limits: who may change what, and what a limit does to a size."""

import re
from pathlib import Path

import msgspec
import pytest

from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.approval import Verdict
from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.orders import OrderRole
from neuratrade.core.risk.gate import CAPS, CHECKS
from neuratrade.core.risk.limits import CEILING_NAMES, DEFAULTS, NAMES
from tests.simulation.hand import Hand
from tests.simulation.world import PERP, SPOT, D, intent, run_started
from tests.unit.engine.test_governors import holding, mark
from tests.unit.risk.builders import answer, limits_with, report_of

SIZE_LIMITS = (
    "risk_per_trade_fraction",
    "position_fraction",
    "leverage",
    "order_usd",
    "total_usd",
    "atr_risk_fraction",
    "uncalibrated_risk_fraction",
    "volume_24h_share_fraction",
)


@pytest.mark.parametrize("name", CEILING_NAMES)
def test_no_person_loosens_a_ceiling_of_a_running_desk(name: str) -> None:
    hand = Hand({}, checked=False)
    hand.step(run_started({key: str(getattr(DEFAULTS, key)) for key in NAMES}, at_ns=hand.now_ns))
    looser = getattr(DEFAULTS, name) * 2
    before = len(hand.facts)
    with pytest.raises(UsageError, match=name):
        hand.engine.step(e.SetLimit(hand.now_ns, "op", name, str(looser), "because"))
    assert getattr(hand.state.limits, name) == getattr(DEFAULTS, name)
    assert len(hand.facts) == before


def test_a_default_is_loosened_by_a_person_with_a_reason_and_that_is_on_record() -> None:
    hand = Hand({}, checked=False)
    hand.step(run_started({key: str(getattr(DEFAULTS, key)) for key in NAMES}, at_ns=hand.now_ns))
    hand.step(e.SetLimit(hand.now_ns, "ana", "trades_per_day", "7", "a busy day"))
    changed = [fact for fact in hand.facts if isinstance(fact, f.LimitChanged)]
    assert changed == [f.LimitChanged(hand.now_ns, "ana", "trades_per_day", "7", "a busy day")]
    assert hand.state.limits.trades_per_day == 7


def test_a_desk_that_goes_on_keeps_its_limits_whatever_its_configuration_says_now() -> None:
    hand = Hand({"trades_per_day": "2"}, checked=False)
    before = hand.state.limits
    looser = msgspec.structs.replace(
        run_started({"trades_per_day": "500"}, at_ns=hand.now_ns, fresh=False), run_id="run"
    )
    hand.step(looser)
    assert hand.state.limits == before


def test_one_place_makes_the_event_that_changes_a_limit_and_one_the_fact(repository: Path) -> None:
    def makers_of(name: str) -> list[str]:
        made = re.compile(rf"\b{name}\((?!\w+=)")
        files = sorted((repository / "src" / "neuratrade").rglob("*.py"))
        found = [file for file in files if made.search(re.sub(r"case .*:", "", file.read_text("utf-8")))]
        names = [file.relative_to(repository / "src" / "neuratrade").as_posix() for file in found]
        return [name for name in names if not name.startswith("core/model/")]

    assert makers_of("SetLimit") == ["hands/inbox/control.py"], (
        "people, never a brain, a strategy or the door"
    )
    assert makers_of("LimitChanged") == ["core/engine/operators.py"]


@pytest.mark.parametrize("name", SIZE_LIMITS)
def test_a_size_limit_of_nothing_clamps_and_only_the_last_layer_refuses(name: str) -> None:
    judgement = answer(limits=limits_with(**{name: D(0)}))
    assert [report.name for report in judgement.refusals] == ["lot"]
    assert {report_of(judgement, cap).verdict for cap, _ in CAPS} <= {Verdict.APPROVE, Verdict.RESIZE}


def test_every_layer_speaks_also_after_one_refused() -> None:
    hand = Hand()
    hand.step(e.Halt(hand.now_ns, "op", "enough"))
    step = hand.step(e.IntentArrived(intent(), hand.now_ns))
    judged = next(fact for fact in step.facts if isinstance(fact, f.IntentJudged))
    assert {layer.name for layer in judged.layers} >= {check.__name__ for check in CHECKS}


def test_a_refusal_is_a_fact_with_its_layers_and_is_counted_by_them() -> None:
    hand = Hand({"confidence": "1"}, checked=False)
    unsure = msgspec.structs.replace(intent(), confidence=D("0.5"))
    step = hand.step(e.IntentArrived(unsure, hand.now_ns))
    (judged,) = step.facts
    assert isinstance(judged, f.IntentJudged)
    assert not judged.approved
    assert [layer.name for layer in judged.layers if layer.verdict.blocks] == ["confidence"]
    assert hand.state.counts.refused_by == {"confidence": 1}


def sized(hand: Hand, name: str) -> D:
    hand.propose(intent(name, instrument=PERP, quantity=1000))
    left = hand.bracket.quantity
    hand.rejected(OrderRole.ENTRY)
    return left


def test_a_degraded_venue_and_a_stalled_feed_halve_a_size_and_health_gives_it_back() -> None:
    hand = Hand()
    assert sized(hand, "well") == 1000
    hand.step(e.VenueHealth("test", hand.now_ns, True))
    assert sized(hand, "venue") == 500
    hand.step(e.VenueHealth("test", hand.now_ns, False))
    assert sized(hand, "again") == 1000
    hand.step(e.FeedStalled(hand.now_ns, PERP.key, True))
    assert sized(hand, "feed") == 500
    hand.step(e.FeedStalled(hand.now_ns, PERP.key, False))
    hand.step(e.FeedStalled(hand.now_ns, SPOT.key, True))
    assert sized(hand, "other") == 1000, "of this instrument alone"


def test_a_drawdown_draws_the_posture_back_and_the_posture_shrinks_the_next_size() -> None:
    hand = holding({"session_drawdown_fraction": "0.04"})
    whole = next_size(hand, "before")
    mark(hand, "96.5")
    moved = [fact.posture for fact in hand.facts if isinstance(fact, f.PostureMoved)]
    assert moved == ["DEFENSIVE"]
    assert hand.state.accounts["paper"].posture == "DEFENSIVE"
    step = hand.step(
        e.IntentArrived(intent("after", trigger="96.5", stop=50, at_ns=hand.now_ns), hand.now_ns)
    )
    judged = next(fact for fact in step.facts if isinstance(fact, f.IntentJudged))
    posture = next(layer for layer in judged.layers if layer.name == "posture")
    assert posture.quantity is not None
    assert posture.quantity < whole


def next_size(hand: Hand, name: str) -> D:
    """What the gate leaves of one unit now; the entry itself is refused by the venue."""
    hand.propose(intent(name, at_ns=hand.now_ns))
    bracket = hand.state.brackets[name]
    hand.step(f.OrderRejected(hand.now_ns, bracket.entry_order or "", "no"))
    return bracket.quantity
