"""The ladder: one step at a time up, at once down, and the same after a crash."""

from decimal import Decimal
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from neuratrade.core.model.errors import Retryable, UsageError
from neuratrade.feeds.files import exclusive
from neuratrade.research.ladder import (
    LadderLimits,
    Rung,
    RungEvidence,
    Standing,
    challenged,
    judge_rung,
    ladder_departures,
)
from neuratrade.research.standing import NO_CAP, Ladder

DAY = 86_400 * 10**9
OLD, NEW, OTHER = "a" * 64, "b" * 64, "c" * 64
LIMITS = LadderLimits()


def at(rung: Rung, since_ns: int = 0) -> Standing:
    return Standing(champion=OLD, challenger=NEW, rung=rung, since_ns=since_ns)


def did(on: Rung, **changes: object) -> RungEvidence:
    """Evidence that is enough for any step."""
    plain = RungEvidence(
        rung=on,
        dna_sha256=NEW,
        from_ns=0,
        to_ns=10 * DAY,
        trades=150,
        net=Decimal(5),
        champion_net=Decimal(4),
        drawdown=Decimal("0.01"),
        gate_passed=True,
    )
    return replace(plain, **changes)


@pytest.mark.parametrize(
    ("rung", "above"),
    [
        (Rung.REPLAY, Rung.PAPER),
        (Rung.PAPER, Rung.SHADOW),
        (Rung.SHADOW, Rung.SMALL),
        (Rung.SMALL, Rung.FULL),
        (Rung.FULL, Rung.FULL),
    ],
)
def test_good_evidence_climbs_one_step(rung: Rung, above: Rung) -> None:
    move = judge_rung(at(rung), did(rung), LIMITS, 10 * DAY)
    assert move.after.rung is above
    assert move.climbed is (rung is not Rung.FULL)


@pytest.mark.parametrize(
    ("rung", "changes", "told"),
    [
        (Rung.REPLAY, {"gate_passed": False}, "the promotion gate was not passed"),
        (Rung.PAPER, {"to_ns": 7 * DAY - 1}, "7.0 days, 7 are asked for"),
        (Rung.PAPER, {"trades": 99}, "99 trades, 100 are asked for"),
        (Rung.PAPER, {"net": Decimal(0)}, "net 0 is not above zero"),
        (Rung.SHADOW, {"champion_net": None}, "the champion's result over the same days is not known"),
        (Rung.SHADOW, {"champion_net": Decimal(6)}, "net 5 is below the champion's 6"),
        (Rung.SHADOW, {"to_ns": DAY}, "1.0 days, 7 are asked for"),
        (Rung.SMALL, {"trades": 29}, "29 trades, 30 are asked for"),
        (Rung.SMALL, {"from_ns": 4 * DAY}, "6.0 days, 7 are asked for"),
        (Rung.PAPER, {"rung": Rung.REPLAY}, "the evidence is of replay, and the challenger is on paper"),
        (Rung.PAPER, {"to_ns": 11 * DAY}, "the evidence ends before it begins, or in the future"),
        (Rung.PAPER, {"dna_sha256": OTHER}, "the evidence is of cccccccccccc, and bbbbbbbbbbbb is climbing"),
    ],
)
def test_what_is_missing_keeps_a_challenger_where_it_is_and_is_told(
    rung: Rung, changes: dict[str, object], told: str
) -> None:
    move = judge_rung(at(rung), did(rung, **changes), LIMITS, 10 * DAY)
    assert move.after == move.before
    assert told in move.reasons


def test_days_from_before_a_step_was_reached_prove_nothing_about_it() -> None:
    move = judge_rung(at(Rung.SMALL, since_ns=DAY), did(Rung.SMALL), LIMITS, 10 * DAY)
    assert move.reasons == ("the evidence begins before the small step was reached",)


@pytest.mark.parametrize("rung", [Rung.PAPER, Rung.SHADOW, Rung.SMALL, Rung.FULL])
@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"breaches": ("a position was unprotected",)}, "a position was unprotected"),
        ({"drawdown": Decimal("0.10")}, "drawdown 0.10 reached "),
        ({"drawdown": Decimal("NaN")}, "are no figures to stand on"),
        ({"net": Decimal("-Infinity")}, "are no figures to stand on"),
    ],
)
def test_a_breach_throws_back_to_replay_from_any_step_at_once(
    rung: Rung, changes: dict[str, object], told: str
) -> None:
    move = judge_rung(at(rung), did(rung, **changes), LIMITS, 10 * DAY)
    assert move.fell
    assert (move.after.rung, move.after.live) == (Rung.REPLAY, OLD)
    assert told in move.reasons[0]


@pytest.mark.parametrize(
    ("changes", "falls"),
    [
        ({"drawdown": Decimal("0.02")}, True),
        ({"drawdown": Decimal("0.0199")}, False),
        ({"net": Decimal("-0.01")}, True),
        ({"net": Decimal("-0.01"), "trades": 5}, False),
    ],
)
def test_small_capital_falls_at_two_percent_or_when_it_had_its_time_and_earned_nothing(
    changes: dict[str, object], falls: bool
) -> None:
    assert judge_rung(at(Rung.SMALL), did(Rung.SMALL, **changes), LIMITS, 10 * DAY).fell is falls


def test_orders_from_shadow_are_a_breach() -> None:
    move = judge_rung(at(Rung.SHADOW), did(Rung.SHADOW, orders=1), LIMITS, 10 * DAY)
    assert move.reasons == ("1 orders were sent from shadow, which sends none",)
    assert move.fell


def test_a_gate_passed_before_a_fall_counts_no_more() -> None:
    fell = judge_rung(at(Rung.PAPER), did(Rung.PAPER, breaches=("x",)), LIMITS, 20 * DAY).after
    again = judge_rung(fell, did(Rung.REPLAY), LIMITS, 21 * DAY)
    assert again.reasons == ("the gate decided before a challenger was last thrown back",)
    other = challenged(fell, OTHER, 21 * DAY)
    assert not judge_rung(other, did(Rung.REPLAY, dna_sha256=OTHER), LIMITS, 21 * DAY).climbed
    assert judge_rung(fell, did(Rung.REPLAY, to_ns=21 * DAY), LIMITS, 21 * DAY).climbed


def test_a_challenger_that_reached_full_is_the_champion_the_next_one_meets() -> None:
    after = challenged(at(Rung.FULL), OTHER, 5)
    assert (after.champion, after.challenger, after.rung, after.live) == (NEW, OTHER, Rung.REPLAY, NEW)


@pytest.mark.parametrize(
    ("standing", "who", "told"),
    [
        (at(Rung.PAPER), OTHER, "bbbbbbbbbbbb is on the paper step; withdraw it before another begins"),
        (at(Rung.SMALL), NEW, "bbbbbbbbbbbb is on the small step already"),
        (at(Rung.REPLAY), OLD, "aaaaaaaaaaaa is the DNA that trades already"),
        (at(Rung.FULL), NEW, "bbbbbbbbbbbb is the DNA that trades already"),
    ],
)
def test_a_challenge_out_of_turn_is_refused(standing: Standing, who: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        challenged(standing, who, 5)


def test_limits_that_ask_for_less_are_told_as_departures() -> None:
    loose = LadderLimits(paper_days=1, small_capital=Decimal(500), small_drawdown=Decimal("0.01"))
    assert ladder_departures(loose) == ("paper_days 1 (default 7)", "small_capital 500 (default 100)")
    assert ladder_departures(LIMITS) == ()


def ladder(tmp_path: Path, now: int = 10 * DAY) -> Ladder:
    return Ladder(tmp_path / "research" / "ladder.json", now_ns=lambda: now)


def test_every_step_is_on_disk_when_it_is_told_and_the_cap_follows_it(tmp_path: Path) -> None:
    one = ladder(tmp_path)
    assert one.capital_cap == 0
    one.challenge(NEW)
    caps = []
    for rung in Rung:
        assert ladder(tmp_path).standing.rung is rung
        caps.append(ladder(tmp_path).capital_cap)
        since = one.standing.since_ns
        late = Ladder(one.path, now_ns=lambda since=since: since + 10 * DAY)  # type: ignore[misc]
        late.take(did(rung, from_ns=since, to_ns=since + 10 * DAY))
    assert caps == [0, 0, 0, 100, NO_CAP]
    assert one.standing.live == NEW


def test_a_fall_seen_by_one_process_binds_every_other(tmp_path: Path) -> None:
    one, other = ladder(tmp_path), ladder(tmp_path)
    one.challenge(NEW)
    one.path.write_bytes(msgspec.json.encode(at(Rung.SMALL)))
    assert other.capital_cap == 100
    assert one.take(did(Rung.SMALL, breaches=("limit",))).fell
    assert other.capital_cap == 0
    assert other.roll_back("by hand").after.rung is Rung.REPLAY


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b'{"rung":"moon"}',
        b'{"rung":"full"}',
        b'{"rung":"small","challenger":7}',
        b'{"rung":"replay","extra":1}',
        b'{"rung":"replay","since_ns":"soon"}',
        b"\xff\xfe\x00",
    ],
)
def test_a_file_that_is_no_ladder_is_an_error_and_never_a_step(tmp_path: Path, raw: bytes) -> None:
    one = ladder(tmp_path)
    one.path.parent.mkdir()
    one.path.write_bytes(raw)
    for use in (lambda: one.capital_cap, lambda: one.standing, lambda: one.challenge(NEW)):
        with pytest.raises(UsageError, match=r"ladder.json"):
            use()
    assert one.path.read_bytes() == raw


def test_two_writers_at_once_are_told_and_nothing_is_lost(tmp_path: Path) -> None:
    one = ladder(tmp_path)
    one.challenge(NEW)
    with exclusive(one.path.with_name(".ladder.json.lock")), pytest.raises(Retryable, match="try again"):
        one.take(did(Rung.REPLAY))
    assert one.standing.rung is Rung.REPLAY


def test_a_write_that_fails_leaves_the_step_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = ladder(tmp_path)
    one.challenge(NEW)

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        one.take(did(Rung.REPLAY))
    monkeypatch.undo()
    assert one.standing.rung is Rung.REPLAY
    assert [path.name for path in one.path.parent.iterdir() if path.suffix == ".part"] == []
