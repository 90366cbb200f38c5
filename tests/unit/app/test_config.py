"""The configuration file: all of it optional, none of it guessed, limits only ever tighter."""

from decimal import Decimal
from pathlib import Path

import pytest

from neuratrade.app.config import FILE_NAME, Config, load_config
from neuratrade.core.model.errors import UsageError
from neuratrade.core.risk.limits import DEFAULTS


@pytest.fixture
def file(tmp_path: Path) -> Path:
    folder = tmp_path / "config"
    folder.mkdir()
    return folder / FILE_NAME


def test_no_file_an_empty_one_and_one_of_comments_mean_the_defaults(file: Path) -> None:
    assert load_config(file) == Config()
    for text in ("", "\n\n", "# nothing yet\n\n   # limits:\n"):
        file.write_text(text)
        assert load_config(file) == Config()


def test_every_documented_key_is_read(file: Path) -> None:
    file.write_text(
        "operator_id: ana\ndata: mine\ndna: ~/dna.yaml\n"
        "account: {account_id: one, currency: EUR, cash: 250.50, kind: read_only}\n"
        "limits: {trades_per_day: 4, confidence: 0.8}\n"
        "paper: {latency_ms: 5, spread_fraction: 0.001, slippage_bps: 2, participation_fraction: 0.5,\n"
        "        reject_fraction: 0.25, seed: 7}\n"
        "risk: {profile: low, boldest: AGGRESSIVE, phase: growth}\n"
    )
    config = load_config(file)
    assert (config.operator_id, config.data, config.dna) == ("ana", "mine", "~/dna.yaml")
    assert config.account.cash == Decimal("250.50")
    assert (config.account.account_id, config.account.kind) == ("one", "read_only")
    assert (config.tightened().trades_per_day, config.tightened().confidence) == (4, Decimal("0.8"))
    assert config.tightened().concurrent == DEFAULTS.concurrent
    assert (config.risk.profile, config.risk.boldest, config.risk.phase) == ("low", "AGGRESSIVE", "growth")
    assert (config.paper.costs().seed, config.paper.costs().reject_fraction) == (7, Decimal("0.25"))


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("dataa: x", "1:1: dataa", "did you mean data?"),
        ("paper:\n  latency: 5", "2:3: paper.latency", "did you mean latency_ms?"),
        ("colour: blue", "1:1: colour", "unknown key"),
        ("limits:\n  confidense: 0.8", "2:3: limits.confidense", "did you mean confidence?"),
        ("limits:\n  confidence: 0.5", "2:3: limits.confidence", "looser than the default 0.75"),
        ("limits:\n  trades_per_day: 50", "2:3: limits.trades_per_day", "may only tighten"),
        ("limits:\n  leverage: 3", "2:3: limits.leverage", "a hard ceiling"),
        ("limits:\n  trades_per_day: 3.5", "2:3: limits.trades_per_day", "whole number"),
        ("limits:\n  confidence: [1]", "2:3: limits.confidence", "a list"),
        ("risk:\n  profile: wild", "2:12: risk.profile", "low, medium, high, custom"),
        ("risk:\n  boldest: balanced", "2:12: risk.boldest", "DEFENSIVE, BALANCED, AGGRESSIVE"),
        ("risk:\n  phases: growth", "2:3: risk.phases", "did you mean phase?"),
        ("day:\n  zone: Mars/Olympus", "2:9: day.zone", "a time zone that this machine knows"),
        ("day:\n  zone: ../../etc/passwd", "2:9: day.zone", "a time zone that this machine knows"),
        ("day:\n  zone: 5", "2:9: day.zone", "a time zone"),
        ('day:\n  begins: "24:00"', "2:11: day.begins", "a time of day"),
        ('day:\n  begins: "5pm"', "2:11: day.begins", "a time of day"),
        ("limits: 5", "1:9: limits", "`limit: value`"),
        ("account: 5", "1:10: account", "account_id, currency, cash, kind"),
        ("account:\n  cash: lots", "2:9: account.cash", "a number"),
        ("account:\n  cash: -5", "2:9: account.cash", "from 10"),
        ("account:\n  cash: .inf", "2:9: account.cash", "finite"),
        ("account:\n  kind: admin", "2:9: account.kind", "trading, read_only"),
        ("paper:\n  latency_ms: 1.5", "2:15: paper.latency_ms", "whole number"),
        ("paper:\n  seed: true", "2:9: paper.seed", "truth value"),
        ("data: [1]", "1:7: data", "a text"),
        ("data: ''", "1:7: data", "1 to 200 characters"),
        ("operator_id:", "1:", "no value"),
        ("data: a\ndata: b", "2:1: data", "given twice"),
        ("data: &x a\ndna: *x", "1:7", "anchors and aliases"),
        ("account: !!python/object:os.system x", "1:10", "not allowed"),
        ("a: [", "2:1", "not valid YAML"),
        ("\tdata: x", "1:1", "a tab"),
        ("- data", "1:1", "`key: value`"),
    ],
)
def test_what_is_wrong_is_named_with_file_line_and_column(
    file: Path, text: str, place: str, said: str
) -> None:
    file.write_text(text + "\n")
    with pytest.raises(UsageError) as refused:
        load_config(file)
    assert f"{file}:{place}" in str(refused.value)
    assert said in str(refused.value)


def test_every_fault_is_told_at_once_each_in_its_own_line(file: Path) -> None:
    file.write_text("limits:\n  trades_per_day: 4\n  confidence: 0.5\n  concurrent: 9\npaper:\n  sed: 1\n")
    with pytest.raises(UsageError) as refused:
        load_config(file)
    places = [line.split(": ")[0].removeprefix(f"{file}:") for line in str(refused.value).splitlines()]
    assert places == ["3:3", "4:3", "6:3"]


def test_bytes_that_are_no_text_and_a_folder_are_refused(file: Path) -> None:
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="not UTF-8"):
        load_config(file)
    file.unlink()
    file.mkdir()
    with pytest.raises(UsageError, match=FILE_NAME):
        load_config(file)


def test_a_file_in_the_wrong_place_is_not_silently_ignored(file: Path) -> None:
    for other in (file.with_suffix(".yml"), file.parent.parent / FILE_NAME):
        other.write_text("limits:\n  confidence: 0.9\n")
        with pytest.raises(UsageError, match="is not read"):
            load_config(file)
        file.write_text("data: shipped\n")
        assert load_config(file).data == "shipped"
        file.unlink()
        other.unlink()
