"""A challenge: counted before it runs, settled once, and refused before that where it cannot be judged."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from neuratrade.app.backtesting import Ask
from neuratrade.app.challenging import Challenge, challenge, window_begins
from neuratrade.app.dna import load_dna
from neuratrade.app.typed import moment
from neuratrade.core.model.errors import UsageError
from neuratrade.research.ladder import Rung
from neuratrade.research.trials import TrialLog
from neuratrade.research.versions import REFUSALS_FILE, Versions
from tests.unit.app.dip_market import CHALLENGE, CHAMPION, dip_market, end_of


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dips")
    (folder / "champion.yaml").write_text(CHAMPION)
    return dip_market(folder)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def challenged(
    market: Path, home: Path, *thresholds: str, champion: str = "", as_of: str = end_of(), **typed: Any
) -> Challenge:
    ask = Ask(strategy="rsi_rule", data=str(market), parameters=(CHALLENGE,))
    return challenge(
        replace(ask, **typed),
        champion or str(market.parent / "champion.yaml"),
        thresholds,
        who="anna",
        as_of=as_of,
        home=home,
    )


def proposals(home: Path, found: Challenge) -> int:
    evidence = found.evidence
    return TrialLog(home / "research" / "trials.sqlite").tried(evidence.end_ns - 1, evidence.end_ns).proposals


def test_a_challenger_that_passes_is_a_new_version_that_the_desk_can_read(market: Path, home: Path) -> None:
    found = challenged(market, home)
    assert (found.decision.passed, found.decision.reasons, found.decision.departures) == (True, (), ())
    assert found.decision.grants is Rung.PAPER
    assert found.version is not None
    parent, child = load_dna(market.parent / "champion.yaml"), load_dna(found.version.path)
    assert (parent.version, child.version) == (3, 4)
    provenance = found.version.provenance
    assert (provenance.who, provenance.parent_sha256) == ("anna", parent.sha256)
    assert (provenance.dna_sha256, provenance.decision) == (child.sha256, found.decision)
    settings = child.strategies["rsi_rule"]
    levels = [settings.parameters[name] for name in ("buy_level_points", "sell_level_points")]
    assert [int(level) for level in levels] == [25, 98]
    assert child.assets == parent.assets
    assert proposals(home, found) == 1
    assert len(found.evidence.daily) == len(found.evidence.champion_daily or ()) == 60
    assert found.champion.trades == ()
    assert len(found.challenger.trades) == found.evidence.trades >= 30
    assert not (found.folder / REFUSALS_FILE).exists()


def test_one_that_fails_leaves_a_line_with_every_reason_and_no_version(market: Path, home: Path) -> None:
    found = challenged(market, home, parameters=("buy_level_points=3",))
    failed = {check.name for check in found.decision.checks if not check.passed}
    assert (found.version, found.decision.grants) == (None, None)
    assert {"sharpe", "trades", "deflated_sharpe", "beats_champion"} <= failed
    assert len(found.decision.reasons) == len(failed)
    (refusal,) = Versions(found.folder).refusals()
    assert (refusal.who, refusal.decision) == ("anna", found.decision)
    assert "buy_level_points: 3" in refusal.text
    assert Versions(found.folder).all() == ()


def test_every_try_on_the_same_days_counts_against_the_next(market: Path, home: Path) -> None:
    one = challenged(market, home, parameters=("buy_level_points=3",))
    two = challenged(market, home, parameters=("buy_level_points=4",))
    assert (one.evidence.tried.proposals, two.evidence.tried.proposals) == (1, 2)


def test_data_that_is_old_is_not_the_last_days(market: Path, home: Path) -> None:
    found = challenged(market, home, as_of="")
    assert [check.name for check in found.decision.checks if not check.passed] == ["fresh"]
    assert found.version is None


def test_what_was_loosened_is_kept_with_the_version(market: Path, home: Path) -> None:
    found = challenged(market, home, "days=30", "min_trades=10", limits=("order_usd=30000",), fees="1/1")
    said = " | ".join(found.decision.departures)
    for part in (
        "days 30 (default 60)",
        "min_trades 10",
        "order_usd 30000 (default 25000)",
        "fees 1 bps maker",
    ):
        assert part in said
    assert found.version is not None
    assert found.version.provenance.decision.departures == found.decision.departures


def test_a_try_that_is_stopped_is_counted_and_nothing_is_decided(market: Path, home: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    ask = Ask(strategy="rsi_rule", data=str(market), parameters=(CHALLENGE,))
    champion = str(market.parent / "champion.yaml")
    with pytest.raises(KeyboardInterrupt):
        challenge(ask, champion, (), who="anna", as_of=end_of(), home=home, progress=stop)
    assert not (home / "research" / "versions").exists()
    assert challenged(market, home, parameters=("buy_level_points=3",)).evidence.tried.proposals == 2


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"parameters": ()}, "a challenger differs in something: give --params NAME=VALUE"),
        ({"parameters": ("buy_level=3",)}, "did you mean buy_level_points?"),
        (
            {"parameters": ("buy_level_points=99",)},
            "buy_level_points (99) must lie below sell_level_points (98)",
        ),
        ({"strategy": "momentum", "parameters": ("stop_pct=0.01",)}, "no asset of this DNA trades momentum"),
        ({"strategy": "mine.yaml"}, "unknown strategy 'mine.yaml'"),
        ({"as_of": "tomorrow"}, "--as-of 'tomorrow': write a date such as 2025-03-01"),
        ({"champion": "no/such.yaml"}, "no/such.yaml: does not exist"),
        ({"data": "shipped", "symbols": ("ETH/USDT",)}, "the DNA trades BTC/USDT, the data holds ETH/USDT"),
        ({"cash": "0"}, "--cash 0: give a number above 0"),
        ({"limits": ("order_us=1",)}, "unknown limit 'order_us'; did you mean order_usd?"),
    ],
)
def test_what_cannot_be_judged_is_refused_and_not_counted(
    typed: dict[str, Any], said: str, market: Path, home: Path
) -> None:
    with pytest.raises(UsageError) as refused:
        challenged(market, home, **typed)
    assert said in str(refused.value)
    assert not (home / "research").exists()


@pytest.mark.parametrize(
    ("thresholds", "said"),
    [
        (("min_sharpe",), "--threshold 'min_sharpe': write NAME=VALUE, for example min_sharpe=2"),
        (("min_sharp=2",), "the promotion gate has no limit 'min_sharp'; did you mean min_sharpe?"),
        (("days=3",), "days: found 3; allowed is a whole number from 30 to 3650"),
        (("min_sharpe=high",), "--threshold min_sharpe 'high' is not a number"),
        (("min_trades=1", "min_trades=2"), "--threshold names min_trades twice; keep one"),
    ],
)
def test_a_threshold_that_makes_no_sense_is_refused_and_nothing_counted(
    thresholds: tuple[str, ...], said: str, market: Path, home: Path
) -> None:
    with pytest.raises(UsageError) as refused:
        challenged(market, home, *thresholds)
    assert said in str(refused.value)
    assert not (home / "research").exists()


def test_somebody_has_to_propose_it(market: Path, home: Path) -> None:
    ask = Ask(strategy="rsi_rule", data=str(market), parameters=(CHALLENGE,))
    with pytest.raises(UsageError, match="--who '': say who proposes it"):
        challenge(ask, str(market.parent / "champion.yaml"), (), who=" ", as_of="", home=home)
    assert not (home / "research").exists()


@pytest.mark.parametrize(
    ("end", "first"), [("2025-03-31T18:40", "2025-03-02"), ("2025-04-01T00:00", "2025-03-02")]
)
def test_a_window_has_as_many_days_as_were_asked_for_wherever_the_data_ends(end: str, first: str) -> None:
    end_ns, first_ns = (moment(text, "--to") for text in (end, first))
    assert end_ns is not None
    assert window_begins(end_ns, 30) == first_ns
