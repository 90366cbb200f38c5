"""DNA files that must not load: each is refused with the place and the words that help to repair it."""

import os
from pathlib import Path

import pytest

from neuratrade.app.dna import DnaRefused, load_dna
from neuratrade.app.strict_yaml import MAX_BYTES, YamlRefused
from neuratrade.core.model.errors import UsageError

GOOD = """\
version: 1
last_updated: 2025-06-01T12:00:00Z
entry:
  BTC/USDT:
    strategies: [rsi_rule, momentum]
    min_volume_24h: 1000
    max_hold_time_minutes: 90
"""


def refusal(tmp_path: Path, content: str | bytes) -> str:
    """The message of a refused file, with the folder cut off."""
    path = tmp_path / "dna.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UsageError) as told:
        load_dna(path)
    return str(told.value).replace(f"{tmp_path}{os.sep}", "")


def replaced(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


def bombs() -> str:
    lines = ['a: &a ["x","x","x","x","x","x","x","x","x"]']
    lines += [f"{k}: &{k} [{','.join(['*' + p] * 9)}]" for p, k in zip("abcdefgh", "bcdefghi", strict=True)]
    return "\n".join(lines) + "\n"


BROKEN_YAML: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "dna.yaml: the file is empty"),
    "only comments": ("# nothing\n\n", "dna.yaml: the file is empty"),
    "a list at the root": ("- 1\n- 2\n", "dna.yaml:1:1: the file must be `key: value` lines, found a list"),
    "a word at the root": (
        "hello\n",
        "dna.yaml:1:1: the file must be `key: value` lines, found the text 'hello'",
    ),
    "a tab as indentation": (
        replaced("    strategies", "\tstrategies"),
        "dna.yaml:5:1: a tab in the indentation; indent with spaces",
    ),
    "no utf-8": (
        GOOD.encode() + b"# caf\xe9\n",
        "dna.yaml:8:6: byte 0xe9 is not UTF-8; save the file as UTF-8",
    ),
    "utf-16": (GOOD.encode("utf-16"), "dna.yaml:1:1: byte 0xff is not UTF-8"),
    "a control character": (GOOD + "# \x00\n", "dna.yaml:8:3: the character "),
    "too large": ("#" * (MAX_BYTES + 1), "dna.yaml: larger than 256 KiB"),
    "too deep": ("a: " + "[" * 5000 + "]" * 5000, "dna.yaml:1:15: nested deeper than 12 levels"),
    "too many": ("a: [" + "1," * 30_000 + "1]\n", "more than 20000 keys and values"),
    "an anchor bomb": (bombs(), "dna.yaml:1:4: anchors and aliases (`&`, `*`) are not allowed"),
    "an alias without anchor": ("a: *b\n", "dna.yaml:1:4: anchors and aliases"),
    "a python tag": (
        "a: !!python/object/apply:os.system [ls]\n",
        "dna.yaml:1:4: the tag 'tag:yaml.org,2002:python/object/apply:os.system' is not allowed",
    ),
    "a float tag": (replaced("90", '!!float "90"'), "dna.yaml:7:28: the tag 'tag:yaml.org,2002:float'"),
    "a merge": ("<<: {version: 1}\n", "dna.yaml:1:1: the file: merging with `<<` is not allowed"),
    "two documents": (GOOD + "---\nversion: 2\n", "dna.yaml:8:1: a second document"),
    "an unclosed bracket": (
        replaced("momentum]", "momentum"),
        "dna.yaml:6:19: not valid YAML: while parsing a flow sequence",
    ),
    "a key given twice": (
        GOOD + "    min_volume_24h: 5\n",
        "dna.yaml:8:5: entry.BTC/USDT.min_volume_24h: given twice (first in line 6); keep one of them",
    ),
    "an asset given twice": (
        GOOD + "  BTC/USDT: {}\n",
        "dna.yaml:8:3: entry.BTC/USDT: given twice (first in line 4)",
    ),
    "a list as a key": (GOOD + "? [a]\n: 1\n", "dna.yaml:8:3: the file: a key must be a short plain word"),
    "no value": (replaced(" 90", ""), "dna.yaml:7:27: entry.BTC/USDT.max_hold_time_minutes: no value"),
    "not a number": (
        replaced("1000", ".nan"),
        "dna.yaml:6:21: entry.BTC/USDT.min_volume_24h: found .nan; a finite number is needed",
    ),
    "infinite": (replaced("1000", "-.INF"), "dna.yaml:6:21: entry.BTC/USDT.min_volume_24h: found -.INF"),
    "yes for a number": (
        replaced("90", "yes"),
        "dna.yaml:7:28: entry.BTC/USDT.max_hold_time_minutes: found 'yes', which YAML reads as a truth value",
    ),
    "an octal": (
        replaced("90", "090"),
        "dna.yaml:7:28: entry.BTC/USDT.max_hold_time_minutes: found the text '090'",
    ),
    "a true octal": (replaced("90", "0132"), "found '0132', which tools read differently"),
    "hexadecimal": (
        replaced("90", "0x5A"),
        "dna.yaml:7:28: entry.BTC/USDT.max_hold_time_minutes: found '0x5A'",
    ),
    "minutes and seconds": (replaced("90", "1:30"), "found '1:30', which tools read differently"),
    "underscores": (replaced("1000", "1_000"), "found '1_000', which tools read differently"),
    "an exponent": (replaced("1000", "1.0e+9"), "found '1.0e+9', which tools read differently"),
    "too many digits": (replaced("1000", "1" * 29), "a number of more than 28 digits"),
}

WRONG_DNA: dict[str, tuple[str, str]] = {
    "an unknown key": (
        GOOD + "    max_hold_time_minuts: 9\n",
        "dna.yaml:8:5: entry.BTC/USDT.max_hold_time_minuts: unknown key; did you mean max_hold_time_minutes?",
    ),
    "an unknown section": (GOOD + "exits: {}\n", "dna.yaml:8:1: exits: unknown key; did you mean exit?"),
    "a key like nothing": (
        GOOD + "learning: {zzzz: 1}\n",
        "dna.yaml:8:12: learning.zzzz: unknown key; allowed are confidence_calibration",
    ),
    "a missing key": (
        replaced("    min_volume_24h: 1000\n", ""),
        "dna.yaml:4:3: entry.BTC/USDT.min_volume_24h: missing; this key is required",
    ),
    "a missing section": ("version: 1\n", "dna.yaml:1:1: entry: missing; this key is required"),
    "no asset": (GOOD[: GOOD.index("  BTC")].rstrip() + " {}\n", "dna.yaml:3:1: entry: no asset"),
    "a small-letter asset": (
        replaced("BTC/USDT", "btc/usdt"),
        "dna.yaml:4:3: entry.btc/usdt: found the text",
    ),
    "an unknown strategy": (
        replaced("momentum", "momentun"),
        "dna.yaml:5:28: entry.BTC/USDT.strategies[1]: found the text 'momentun'; allowed is one of "
        "rsi_rule, ema_cross, mean_reversion, momentum; did you mean momentum?",
    ),
    "a strategy twice": (replaced("momentum", "rsi_rule"), "strategies[1]: rsi_rule is named twice"),
    "a word for a list": (
        replaced("[rsi_rule, momentum]", "rsi_rule"),
        "found the text 'rsi_rule'; allowed is a list",
    ),
    "a word for a block": (
        GOOD + "risk: strict\n",
        "dna.yaml:8:7: risk: found the text 'strict'; allowed is a block of keys: blacklist",
    ),
    "a quoted number": (
        replaced("1000", '"1000"'),
        "dna.yaml:6:21: entry.BTC/USDT.min_volume_24h: found the text '1000'; allowed is a number from 0 to "
        "1000000000000 (quote currency), written without quotes",
    ),
    "true for a number": (
        replaced("90", "true"),
        "dna.yaml:7:28: entry.BTC/USDT.max_hold_time_minutes: found the truth value",
    ),
    "a date for a number": (
        replaced("90", "2025-01-01"),
        "dna.yaml:7:28: entry.BTC/USDT.max_hold_time_minutes: found the text '2025-01-01'",
    ),
    "a fraction of a minute": (replaced("90", "90.5"), "found 90.5; allowed is a whole number from 1 to"),
    "zero minutes": (replaced("90", "0"), "found 0; allowed is a whole number from 1 to"),
    "a negative volume": (replaced("1000", "-1"), "dna.yaml:6:21: entry.BTC/USDT.min_volume_24h: found -1"),
    "a time without zone": (replaced("12:00:00Z", "12:00:00"), "dna.yaml:2:15: last_updated: found the text"),
    "a number for a truth value": (
        GOOD + "    allow_short: 1\n",
        "dna.yaml:8:18: entry.BTC/USDT.allow_short: found 1; allowed is true or false",
    ),
    "thresholds of another strategy": (
        GOOD + "    thresholds: {ema_cross: {min_adx_points: 20}}\n",
        "dna.yaml:8:18: entry.BTC/USDT.thresholds.ema_cross: ema_cross does not trade BTC/USDT",
    ),
    "an indicator per asset": (
        GOOD + "    thresholds: {rsi_rule: {rsi_period_bars: 20}}\n",
        "dna.yaml:8:29: entry.BTC/USDT.thresholds.rsi_rule.rsi_period_bars: unknown key",
    ),
    "levels the wrong way round": (
        GOOD + "    thresholds: {rsi_rule: {buy_level_points: 80}}\n",
        "dna.yaml:8:18: entry.BTC/USDT.thresholds.rsi_rule: buy_level_points (80) must lie below "
        "sell_level_points (70)",
    ),
    "averages the wrong way round": (
        GOOD + "strategies:\n  ema_cross:\n    parameters: {fast_period_bars: 30}\n",
        "dna.yaml:10:5: strategies.ema_cross.parameters: fast_period_bars (30) must lie below "
        "slow_period_bars (26)",
    ),
    "a level out of range": (
        GOOD + "strategies:\n  rsi_rule:\n    parameters: {buy_level_points: 130}\n",
        "dna.yaml:10:36: strategies.rsi_rule.parameters.buy_level_points: found 130; "
        "allowed is a number from 1 to 99",
    ),
    "an unknown lane": (GOOD + "strategies: {rsi_rule: {lane: scalping}}\n", "did you mean scalp?"),
    "floor above cap": (
        GOOD + "strategies: {rsi_rule: {confidence_floor: 0.97}}\n",
        "dna.yaml:8:14: strategies.rsi_rule: confidence_floor (0.97) is above confidence_cap (0.95)",
    ),
    "a risk above the ceiling": (
        GOOD + "risk:\n  risk_per_trade_pct: 0.03\n",
        "dna.yaml:9:23: risk.risk_per_trade_pct: found 0.03; allowed is a number from 0 to 0.02 (fraction): "
        "risk_per_trade_fraction = 0.02 is a hard ceiling",
    ),
    "percent for a fraction": (
        GOOD + "risk: {max_position_pct: 10}\n",
        "position_fraction = 0.10 is a hard ceiling",
    ),
    "a default loosened": (
        GOOD + "risk: {min_confidence: 0.5}\n",
        "dna.yaml:8:24: risk.min_confidence: found 0.5; allowed is a number from 0.75 to 1 (fraction): "
        "only an operator may loosen confidence = 0.75",
    ),
    "a stop beyond the ceiling": (
        GOOD + "exit: {stop_pct: 0.06, targets: [{distance_pct: 0.1}]}\n",
        "dna.yaml:8:18: exit.stop_pct: found 0.06; allowed is a number from 0.0001 to 0.05 "
        "(fraction of the price): "
        "stop_distance_fraction is a hard ceiling",
    ),
    "two kinds of stop": (
        GOOD + "exit: {stop_pct: 0.01, stop_atr: 2, targets: [{distance_pct: 0.1}]}\n",
        "dna.yaml:8:1: exit: found both of stop_atr and stop_pct; give exactly one",
    ),
    "no stop": (
        GOOD + "exit: {targets: [{distance_atr: 2}]}\n",
        "exit: found neither of stop_atr and stop_pct",
    ),
    "a target without distance": (
        GOOD + "exit: {stop_atr: 2, targets: [{fraction: 1}]}\n",
        "dna.yaml:8:31: exit.targets[0]: found neither of distance_atr and distance_pct",
    ),
    "no target": (GOOD + "exit: {stop_atr: 2, targets: []}\n", "exit.targets: no target; give at least one"),
    "a ladder that sells too much": (
        GOOD + "exit:\n  stop_atr: 2\n  targets:\n"
        "    - {distance_atr: 1, fraction: 0.6}\n    - {distance_atr: 2, fraction: 0.6}\n",
        "dna.yaml:10:3: exit.targets: the fractions add up to 1.2; at most 1 can be sold",
    ),
    "a ladder that goes back": (
        GOOD + "exit: {stop_atr: 2, targets: [{distance_atr: 2, fraction: 0.5}, "
        "{distance_atr: 1, fraction: 0.5}]}\n",
        "exit.targets: each target must lie further than the one before it",
    ),
    "a ladder of two units": (
        GOOD + "exit: {stop_atr: 2, targets: [{distance_atr: 2, fraction: 0.5}, "
        "{distance_pct: 0.1, fraction: 0.5}]}\n",
        "exit.targets: targets in ATR and in pct cannot be put in order",
    ),
    "buckets that overlap": (
        GOOD + "learning:\n  confidence_calibration:\n"
        "    - {confidence_from: 0.7, confidence_to: 0.8, win_rate_pct: 0.5, sample_count: 9}\n"
        "    - {confidence_from: 0.75, confidence_to: 0.9, win_rate_pct: 0.5, sample_count: 9}\n",
        "dna.yaml:11:7: learning.confidence_calibration[1]: begins at 0.75, inside the bucket before it",
    ),
    "a bucket without width": (
        GOOD + "learning: {confidence_calibration: "
        "[{confidence_from: 0.8, confidence_to: 0.8, win_rate_pct: 0.5, sample_count: 9}]}\n",
        "learning.confidence_calibration[0]: confidence_from (0.8) must lie below confidence_to (0.8)",
    ),
    "a win rate in percent": (
        GOOD + "learning: {confidence_calibration: "
        "[{confidence_from: 0.7, confidence_to: 0.8, win_rate_pct: 55, sample_count: 9}]}\n",
        "confidence_calibration[0].win_rate_pct: found 55; allowed is a number from 0 to 1",
    ),
}


@pytest.mark.parametrize("name", BROKEN_YAML)
def test_a_file_that_is_no_strict_yaml_is_refused_with_its_place(name: str, tmp_path: Path) -> None:
    content, expected = BROKEN_YAML[name]
    assert expected in refusal(tmp_path, content)


@pytest.mark.parametrize("name", WRONG_DNA)
def test_a_dna_that_says_what_it_may_not_is_refused_with_its_place(name: str, tmp_path: Path) -> None:
    content, expected = WRONG_DNA[name]
    assert expected in refusal(tmp_path, content)


def test_every_hostile_file_is_the_good_one_with_one_fault(tmp_path: Path) -> None:
    path = tmp_path / "dna.yaml"
    path.write_text(GOOD)
    assert load_dna(path).version == 1


def test_all_problems_of_a_file_are_told_at_once_in_the_order_of_its_lines(tmp_path: Path) -> None:
    path = tmp_path / "dna.yaml"
    path.write_text(replaced("90", "ninety") + "risk: {leverage: 5, max_position_pct: 0.5}\n")
    with pytest.raises(DnaRefused) as told:
        load_dna(path)
    assert [(problem.line, problem.column, problem.place) for problem in told.value.problems] == [
        (7, 28, "entry.BTC/USDT.max_hold_time_minutes"),
        (8, 8, "risk.leverage"),
        (8, 39, "risk.max_position_pct"),
    ]
    assert "did you mean max_leverage_ratio?" in told.value.problems[1].what


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(YamlRefused, match="does not exist; give the path of a YAML file"):
        load_dna(tmp_path / "absent.yaml")
    with pytest.raises(YamlRefused, match="is not a regular file"):
        load_dna(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes on this system")
def test_a_named_pipe_does_not_hang_the_desk(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "dna.yaml")
    with pytest.raises(YamlRefused, match="is not a regular file"):
        load_dna(tmp_path / "dna.yaml")
