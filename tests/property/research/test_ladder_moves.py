"""No sequence of evidence skips a step, climbs on nothing, or stays up after a breach."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from neuratrade.research.ladder import (
    RUNGS,
    LadderLimits,
    Rung,
    RungEvidence,
    Standing,
    breaches_of,
    judge_rung,
)

DAY = 86_400 * 10**9
LIMITS = LadderLimits()
figures = st.one_of(
    st.decimals(min_value=-5, max_value=5, places=3),
    st.sampled_from([Decimal("NaN"), Decimal("Infinity"), Decimal("-Infinity"), Decimal(0)]),
)
evidences = st.builds(
    RungEvidence,
    rung=st.sampled_from(RUNGS),
    dna_sha256=st.sampled_from(["new", "new", "new", "other"]),
    from_ns=st.integers(0, 40).map(lambda days: days * DAY),
    to_ns=st.integers(0, 60).map(lambda days: days * DAY),
    trades=st.sampled_from([0, 29, 30, 99, 100, 500]),
    net=figures,
    champion_net=st.one_of(st.none(), figures),
    drawdown=st.one_of(st.sampled_from([Decimal("0.0199"), Decimal("0.02"), Decimal("0.1")]), figures),
    orders=st.sampled_from([0, 0, 0, 2]),
    gate_passed=st.booleans(),
    breaches=st.sampled_from([(), (), (), ("a limit was broken",)]),
)


def good(rung: Rung, since_ns: int) -> RungEvidence:
    """Evidence that is enough, so that long climbs are among the sequences."""
    return RungEvidence(
        rung=rung,
        dna_sha256="new",
        from_ns=since_ns,
        to_ns=since_ns + 8 * DAY,
        trades=200,
        net=Decimal(3),
        champion_net=Decimal(1),
        gate_passed=True,
    )


@given(st.lists(st.one_of(st.none(), evidences), max_size=30))
def test_no_sequence_of_evidence_skips_a_step_or_stays_up_after_a_breach(
    sequence: list[RungEvidence | None],
) -> None:
    standing, now = Standing(champion="old", challenger="new"), 0
    for wanted in sequence:
        evidence = wanted or good(standing.rung, standing.since_ns)
        now = max(now, standing.since_ns) + 9 * DAY
        before = standing
        move = judge_rung(standing, evidence, LIMITS, now)
        standing = move.after
        climbed = RUNGS.index(standing.rung) - RUNGS.index(before.rung)
        assert move.reasons
        if evidence.dna_sha256 != "new":
            assert standing == before
        elif breaches_of(before.rung, evidence, LIMITS):
            assert standing.rung is Rung.REPLAY
            assert standing.live == "old"
        else:
            assert climbed in (0, 1)
        if climbed > 0:
            assert evidence.rung is before.rung
            assert evidence.to_ns <= now
            assert before.rung is Rung.REPLAY or evidence.from_ns >= before.since_ns
            assert standing.since_ns == now
        if standing.rung is Rung.SMALL and before.rung is Rung.SMALL and evidence.dna_sha256 == "new":
            assert evidence.drawdown < LIMITS.small_drawdown


@given(st.lists(evidences, max_size=12))
def test_full_is_reached_only_through_every_step_in_order(sequence: list[RungEvidence]) -> None:
    standing, now, way = Standing(champion="old", challenger="new"), 0, [Rung.REPLAY]
    for evidence in [item for one in sequence for item in (one, None)]:
        now = max(now, standing.since_ns) + 9 * DAY
        move = judge_rung(standing, evidence or good(standing.rung, standing.since_ns), LIMITS, now)
        if move.fell:
            way = [Rung.REPLAY]
        elif move.climbed:
            way.append(move.after.rung)
        standing = move.after
        assert way == list(RUNGS[: RUNGS.index(standing.rung) + 1])
