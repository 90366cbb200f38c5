"""Many plays make one report, and each of them can be played again by its venue and its number alone."""

from pathlib import Path

import polars as pl
import pytest

from neuratrade.core.model.errors import UsageError
from neuratrade.feeds.catalogue import Catalogue
from neuratrade.feeds.dataset import Dataset
from neuratrade.rehearsal.rehearse import MOST_PLANS, VenueRow, rehearse


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return Catalogue(tmp_path_factory.mktemp("data")).open("shipped")


def test_a_report_adds_up_and_one_of_its_plays_is_repeated_alone(shipped: Dataset) -> None:
    told: list[tuple[int, int]] = []
    report = rehearse(["okx"], 2, 11, shipped, tell=lambda done, of: told.append((done, of)))
    assert told == [(1, 2), (2, 2)]
    assert [(outcome.venue, outcome.seed) for outcome in report.outcomes] == [("okx", 11), ("okx", 12)]
    row = report.venues["okx"]
    verdicts = [outcome.verdict for outcome in report.outcomes]
    for name in (
        "orders", "executions", "unknown", "unknown_resolved", "doubled", "lost", "unprotected_over_limit",
        "stuck", "blind",
    ):  # fmt: skip
        assert getattr(row, name) == sum(getattr(verdict, name) for verdict in verdicts), name
    assert row.orders > row.closed > 0
    assert row.plans == 2
    assert row.opened == sum(outcome.opened for outcome in report.outcomes)
    assert row.closed == sum(len(outcome.positions) for outcome in report.outcomes)
    assert row.longest_unprotected_s == max(verdict.longest_unprotected_s for verdict in verdicts)
    silences = [outcome.silence for outcome in report.outcomes]
    assert row.stalls == sum(silence.stalls for silence in silences) > 0
    assert row.stalled_s == pytest.approx(sum(silence.seconds for silence in silences))
    assert row.stalled_entries == sum(silence.entries for silence in silences)
    assert row.stalled_refused == sum(silence.refused for silence in silences)
    assert row.stalled_stops == sum(silence.stops for silence in silences)
    assert report.total == row
    for kind, count in report.met.items():
        assert count == sum(outcome.met.get(kind, 0) for outcome in report.outcomes) > 0
    assert report.is_clean
    assert report.findings == []

    (again,) = rehearse(["okx"], 1, 12, shipped).outcomes
    assert (again.plan, again.verdict) == (report.outcomes[1].plan, report.outcomes[1].verdict)


@pytest.mark.parametrize(
    ("venues", "plans", "words"),
    [
        (["mtgox"], 1, "--venues knows alpaca; got mtgox"),
        (["okx", "mtgox", "ftx"], 1, "--venues knows alpaca; got mtgox, ftx"),
        (["Alpaca"], 1, "--venues knows alpaca; got Alpaca"),
        ([], 1, "--venues knows alpaca; got none"),
        (["okx"], 0, f"--plans is 0; give 1 to {MOST_PLANS}"),
        (["okx"], -3, f"--plans is -3; give 1 to {MOST_PLANS}"),
        (["okx"], MOST_PLANS + 1, f"--plans is {MOST_PLANS + 1}; give 1 to {MOST_PLANS}"),
    ],
)
def test_what_cannot_be_played_is_said(venues: list[str], plans: int, words: str, shipped: Dataset) -> None:
    with pytest.raises(UsageError) as caught:
        rehearse(venues, plans, 1, shipped)
    said, wanted = str(caught.value), words
    if "knows" in words:
        # Other venues join: which ones are known is not what is tested here.
        said, wanted = said.partition("; got ")[2], words.partition("; got ")[2]
        assert str(caught.value).startswith("--venues knows ")
        assert "alpaca" in str(caught.value)
    assert said == wanted


def test_a_recording_that_is_too_short_is_said(tmp_path: Path) -> None:
    from tests.e2e.desk_process import here

    home = tmp_path / "home"
    home.mkdir()
    series = Catalogue(home / "data").open("shipped").series[0]
    file = tmp_path / "short.csv"
    pl.read_parquet(series.path).head(100).write_csv(file)
    asset, _, venue = series.instrument.partition("@")
    words = ("--asset", asset, "--venue", venue, "--dataset", "short", "--json")
    assert here(home, "data", "import", str(file), *words).code == 0
    with pytest.raises(UsageError, match="dataset short has 100 bars; a play needs 106"):
        rehearse(["alpaca"], 1, 1, Catalogue(home / "data").open("short"))


def test_a_report_is_not_clean_while_anything_is_wrong() -> None:
    from collections import Counter

    from neuratrade.rehearsal.rehearse import Report

    good = VenueRow(plans=1, orders=9, unknown=2, unknown_resolved=2, longest_unprotected_s=3.0)
    assert Report({"a": good}, Counter(), [], []).is_clean
    for name in ("doubled", "lost", "unprotected_over_limit", "unknown_resolved", "stuck", "blind"):
        bad = VenueRow(plans=1, unknown=2, unknown_resolved=2)
        setattr(bad, name, 1)
        report = Report({"a": good, "b": bad}, Counter(), [], [])
        assert not report.is_clean, name
        assert report.total.plans == 2
        assert report.total.longest_unprotected_s == 3.0
