"""The DNA file as it is meant to be: what loads, what defaults apply, what the core gets."""

import hashlib
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from neuratrade.app.dna import DnaRefused, default_dna, dna_sha256, load_dna
from neuratrade.app.dna_schema import DNA_FILE
from neuratrade.core.model.intent import EntryType, Lane
from neuratrade.core.risk.limits import CEILING_NAMES, DEFAULTS, NAMES, over_ceiling
from neuratrade.core.strategies.dna import LIMIT_KEYS
from neuratrade.core.strategies.registry import KINDS, build_strategies, default_settings

LEAST = """\
version: 3
last_updated: 2025-06-01T14:00:00+02:00
entry:
  SOL/USDT:
    strategies: [rsi_rule]
    min_volume_24h: 1000.50
    max_hold_time_minutes: 90
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "strategy_dna.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_shipped_dna_builds_every_strategy_for_btc_and_eth() -> None:
    strategies = build_strategies(default_dna())
    assert [strategy.name for strategy in strategies] == list(KINDS)
    assert all(strategy.assets == ("BTC/USDT", "ETH/USDT") for strategy in strategies)


def test_the_shipped_dna_states_the_defaults_it_documents() -> None:
    dna = default_dna()
    for name in KINDS:
        assert dna.strategies[name] == default_settings(name)


def test_the_shipped_dna_leaves_the_limits_of_the_desk_as_they_are() -> None:
    assert default_dna().risk.tighten(DEFAULTS) == DEFAULTS


def test_the_least_dna_fills_in_the_defaults_of_every_strategy(tmp_path: Path) -> None:
    dna = load_dna(written(tmp_path, LEAST))
    assert dna.strategies == {name: default_settings(name) for name in KINDS}
    assert dna.calibration == ()
    assert dna.risk.blacklist == ()
    asset = dna.assets["SOL/USDT"]
    assert asset.allow_short
    assert asset.thresholds == {}
    assert str(asset.min_volume_24h) == "1000.50"


def test_a_time_with_an_offset_is_kept_in_utc(tmp_path: Path) -> None:
    assert load_dna(written(tmp_path, LEAST)).last_updated_ns == 1_748_779_200_000_000_000


def test_numbers_keep_every_digit_that_was_written(tmp_path: Path) -> None:
    text = LEAST.replace("1000.50", "123456789.123456789012345678")
    asset = load_dna(written(tmp_path, text)).assets["SOL/USDT"]
    assert asset.min_volume_24h == Decimal("123456789.123456789012345678")


def test_an_asset_can_have_thresholds_of_its_own(tmp_path: Path) -> None:
    text = LEAST + "    thresholds:\n      rsi_rule: {buy_level_points: 25.5}\n"
    dna = load_dna(written(tmp_path, text))
    assert dna.assets["SOL/USDT"].thresholds == {"rsi_rule": {"buy_level_points": Decimal("25.5")}}


def test_a_strategy_can_be_moved_to_the_scalp_lane_on_another_timeframe(tmp_path: Path) -> None:
    block = "strategies:\n  rsi_rule: {lane: scalp, timeframe_minutes: 5, order_type: market}\n"
    (strategy,) = build_strategies(load_dna(written(tmp_path, LEAST + block)))
    assert strategy.lane is Lane.SCALP
    assert strategy.span_ns == 300_000_000_000
    dna = load_dna(written(tmp_path, LEAST + block))
    assert dna.strategies["rsi_rule"].order_type is EntryType.MARKET


def test_the_shared_exit_applies_where_a_strategy_has_none_of_its_own(tmp_path: Path) -> None:
    own = "strategies:\n  momentum:\n    exit: {stop_pct: 0.02, targets: [{distance_pct: 0.03}]}\n"
    shared = (
        "exit: {stop_atr: 2, targets: [{distance_atr: 1, fraction: 0.4}, {distance_atr: 2, fraction: 0.6}]}\n"
    )
    dna = load_dna(written(tmp_path, LEAST + own + shared))
    assert dna.strategies["momentum"].exit.stop.pct == Decimal("0.02")
    assert dna.strategies["rsi_rule"].exit.stop.atr == Decimal(2)
    assert [target.fraction for target in dna.strategies["rsi_rule"].exit.targets] == [
        Decimal("0.4"),
        Decimal("0.6"),
    ]


def test_calibration_answers_by_confidence_and_is_silent_between_buckets(tmp_path: Path) -> None:
    rows = (
        "{confidence_from: 0.70, confidence_to: 0.80, win_rate_pct: 0.55, sample_count: 40}",
        "{confidence_from: 0.85, confidence_to: 1, win_rate_pct: 0.6, sample_count: 12}",
    )
    text = LEAST + "learning:\n  confidence_calibration:\n" + "".join(f"    - {row}\n" for row in rows)
    dna = load_dna(written(tmp_path, text))
    found = {text: dna.calibrated(Decimal(text)) for text in ("0.69", "0.70", "0.7999", "0.80", "0.85", "1")}
    samples = {text: bucket.sample_count if bucket else None for text, bucket in found.items()}
    assert samples == {"0.69": None, "0.70": 40, "0.7999": 40, "0.80": None, "0.85": 12, "1": 12}


def test_the_dna_tightens_limits_in_the_right_direction(tmp_path: Path) -> None:
    limits = "max_position_pct: 0.05, min_confidence: 0.8, max_trades_per_day_count: 2"
    dna = load_dna(written(tmp_path, LEAST + f"risk: {{{limits}, blacklist: [DOGE/USDT]}}\n"))
    tightened = dna.risk.tighten(DEFAULTS)
    assert dna.risk.blacklist == ("DOGE/USDT",)
    assert (tightened.position_fraction, tightened.confidence, tightened.trades_per_day) == (
        Decimal("0.05"),
        Decimal("0.8"),
        2,
    )
    assert type(tightened.trades_per_day) is int


def test_the_dna_never_loosens_a_limit_that_somebody_tightened_further(tmp_path: Path) -> None:
    tight = msgspec.structs.replace(DEFAULTS, position_fraction=Decimal("0.01"), confidence=Decimal("0.9"))
    dna = load_dna(written(tmp_path, LEAST + "risk: {max_position_pct: 0.05, min_confidence: 0.8}\n"))
    assert dna.risk.tighten(tight) == tight


@pytest.mark.parametrize("key", LIMIT_KEYS)
def test_no_key_of_risk_can_loosen_the_limit_it_names(key: str, tmp_path: Path) -> None:
    name = LIMIT_KEYS[key]
    bound = Decimal(getattr(DEFAULTS, name))
    looser = (
        bound - 1 if key == "kelly_min_sample_count" else bound / 2 if key == "min_confidence" else bound * 2
    )
    with pytest.raises(DnaRefused, match=f"risk.{key}: ") as told:
        load_dna(written(tmp_path, LEAST + f"risk: {{{key}: {looser:f}}}\n"))
    assert name in str(told.value)
    assert ("hard ceiling" in str(told.value)) == (name in CEILING_NAMES)


def test_every_limit_key_names_a_limit_and_every_ceiling_has_a_key() -> None:
    assert set(LIMIT_KEYS.values()) <= set(NAMES)
    assert set(CEILING_NAMES) <= set(LIMIT_KEYS.values())
    assert over_ceiling(default_dna().risk.tighten(DEFAULTS)) == []


def test_the_digest_is_that_of_the_bytes_of_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, LEAST)
    assert (
        load_dna(path).sha256
        == hashlib.sha256(path.read_bytes()).hexdigest()
        == dna_sha256(path.read_bytes())
    )


def test_the_same_dna_with_another_comment_has_another_digest(tmp_path: Path) -> None:
    first = load_dna(written(tmp_path, LEAST))
    second = load_dna(written(tmp_path, LEAST + "# a note\n"))
    assert first.sha256 != second.sha256
    assert msgspec.structs.replace(first, sha256="") == msgspec.structs.replace(second, sha256="")


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    path = tmp_path / "dna.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + LEAST.encode())
    assert load_dna(path).version == 3


def test_the_page_for_people_names_every_key(repository: Path) -> None:
    page = (repository / "docs" / "strategy-dna.md").read_text("utf-8")
    names = set(DNA_FILE.model_fields) | set(LIMIT_KEYS)
    names |= {parameter.name for kind in KINDS.values() for parameter in kind.parameters}
    assert [name for name in sorted(names) if f"`{name}`" not in page] == []


def test_the_page_for_people_gives_every_parameter_its_default_and_range(repository: Path) -> None:
    page = (repository / "docs" / "strategy-dna.md").read_text("utf-8")
    for kind in KINDS.values():
        for parameter in kind.parameters:
            reach = f"{parameter.low} to {parameter.high}"
            assert f"| {kind.name} | `{parameter.name}` | {parameter.default} | {reach} |" in page
