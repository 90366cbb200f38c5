"""What cannot be run is refused before it runs, with what was found, where, and what to write instead."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from neuratrade.app.backtesting import Ask, prepare
from neuratrade.app.typed import amount, moment, signed_amount
from neuratrade.core.model.errors import UsageError
from neuratrade.feeds.catalogue import Catalogue
from tests.unit.app.typed_files import HEAD, bars_file

DNA = """\
version: 3
last_updated: 2025-06-01T14:00:00+02:00
entry:
  BTC/USDT:
    strategies: [rsi_rule]
    min_volume_24h: 1000.50
    max_hold_time_minutes: 90
"""


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    return Ask(strategy="rsi_rule", data=bars_file(tmp_path))


def refusal(ask: Ask, **typed: Any) -> str:
    """Why `ask` with these options is refused."""
    with pytest.raises(UsageError) as refused:
        prepare(replace(ask, **typed), Catalogue(Path("nowhere")))
    return str(refused.value)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"strategy": "rsi_rul"}, "unknown strategy 'rsi_rul'; did you mean 'rsi_rule'? (or give a DNA file"),
        ({"strategy": ""}, "choose one of rsi_rule, ema_cross, mean_reversion, momentum (or give a DNA file"),
        ({"strategy": "no/such.yaml"}, "no/such.yaml: does not exist; give the path of a YAML file"),
        ({"since": "yesterday"}, "--from 'yesterday': write a date such as 2025-03-01 or a time such as"),
        ({"until": "2025-02-30"}, "--to '2025-02-30': write a date"),
        (
            {"since": "2025-05-14", "until": "2025-05-13"},
            "--from 2025-05-14 does not lie before --to 2025-05-13",
        ),
        ({"since": "2025-05-13", "until": "2025-05-13"}, "does not lie before --to 2025-05-13"),
        (
            {"since": "2025-05-13T04:00"},
            "--from 2025-05-13T04:00: the data ends at 2025-05-13T04:00:00Z; give an earlier start",
        ),
        (
            {"until": "2024-01-01"},
            "holds no bar of SOL/USDT@binance between its beginning and 2024-01-01T00:00:00Z; it holds 2025-",
        ),
        ({"fees": "10001"}, "--fees (basis points) 10001: give at most 10000"),
        ({"fees": "2/10001"}, "--fees (basis points) 10001: give at most 10000"),
        ({"fees": "-1"}, "--fees (basis points) -1: give a number zero or above"),
        ({"fees": "5/"}, "--fees '5/': write basis points, such as 10, or maker/taker, such as 2/5"),
        ({"fees": "1/2/3"}, "--fees '1/2/3': write basis points"),
        ({"fees": "0.1%"}, "--fees (basis points) '0.1%' is not a number; write it such as 10 or 0.5"),
        ({"commission": "-2"}, "--commission (a unit) -2: give a number zero or above"),
        ({"cash": "0"}, "--cash 0: give a number above 0"),
        ({"cash": "-5"}, "--cash -5: give a number above 0"),
        ({"cash": "1,000"}, "--cash '1,000' is not a number; write it such as 10 or 0.5"),
        ({"cash": "nan"}, "--cash nan: give a number above 0"),
        ({"cash": "1e999999"}, "--cash 1e999999: give at most 1000000000000"),
        ({"cash": "1e-30"}, "--cash 1e-30: is too small to reckon with"),
        ({"spread_bps": "-1"}, "--spread (basis points) -1: give a number zero or above"),
        ({"slippage_bps": "5001"}, "--slippage (basis points) 5001: give at most 5000"),
        ({"impact_bps": "lots"}, "--impact (basis points) 'lots' is not a number"),
        ({"latency_ms": -1}, "--latency -1: give milliseconds from 0 to 60000"),
        ({"latency_ms": 60_001}, "--latency 60001: give milliseconds from 0 to 60000"),
        ({"participation": "0"}, "--participation 0: give a number above 0"),
        ({"participation": "1.1"}, "--participation 1.1: give at most 1"),
        ({"funding": ("-",)}, "--funding '-': is neither a number nor a file that is there; write basis"),
        ({"funding": ("10001",)}, "--funding (basis points) 10001: give a number from -10000 to 10000"),
        ({"borrow_pct": "-3"}, "--borrow (percent a year) -3: give a number zero or above"),
        (
            {"parameters": ("buy_level=25",)},
            "--params: rsi_rule has no setting 'buy_level'; did you mean buy_level_points?",
        ),
        (
            {"parameters": ("zzz=abc",)},
            "rsi_rule has no setting 'zzz'; choose from rsi_period_bars, buy_level",
        ),
        ({"parameters": ("buy_level_points",)}, "--params 'buy_level_points': write NAME=VALUE, for example"),
        ({"parameters": ("=25",)}, "--params '=25': write NAME=VALUE, for example rsi_period_bars=14"),
        ({"parameters": ("buy_level_points=low",)}, "--params buy_level_points: 'low' is not a number"),
        (
            {"parameters": ("buy_level_points=0",)},
            "buy_level_points: found 0; allowed is a number from 1 to 99",
        ),
        (
            {"parameters": ("rsi_period_bars=2.5",)},
            "rsi_period_bars: found 2.5; allowed is a whole number from",
        ),
        ({"parameters": ("stop_pct=nan",)}, "stop_pct: found NaN; allowed is a number from"),
        ({"parameters": ("order_type=markt",)}, "order_type: found markt; allowed is market|limit|stop"),
        (
            {"parameters": ("buy_level_points=25", "buy_level_points=26")},
            "--params names buy_level_points twice; keep one",
        ),
        (
            {"parameters": ("buy_level_points=80",)},
            "buy_level_points (80) must lie below sell_level_points (70)",
        ),
        ({"limits": ("confidence",)}, "--limit 'confidence': write NAME=VALUE, for example confidence=0.9"),
        ({"limits": ("confidense=1",)}, "unknown limit 'confidense'; did you mean confidence?"),
        ({"limits": ("leverage=1", "leverage=2")}, "--limit names leverage twice; keep one"),
        ({"limits": ("trades_per_day=2.5",)}, "limit trades_per_day: '2.5' must be a whole number"),
        ({"gaps": "fil"}, "--gaps 'fil': choose fail, skip, fill"),
        ({"indicators": "tulip"}, "--indicators 'tulip': choose native, talib"),
        ({"symbols": ("",)}, "--symbol '': give an asset such as BTC/USDT, or leave it out"),
        ({"symbols": ("BTC/USDT",)}, "holds SOL/USDT@binance, and not BTC/USDT"),
        ({"timeframe": "1x"}, "timeframe '1x': write a count and one of s, m, h, d, w"),
        ({"data": ""}, "--data '': give a dataset (see `neuratrade data list`) or a file of bars"),
        (
            {"data": "shiped"},
            "data 'shiped': there is no such dataset, nor a file of that name; did you mean",
        ),
        (
            {"data": "shipped", "symbols": ("SOL/USDT",)},
            "dataset shipped: holds no bars of 'SOL/USDT'; did you mean 'ETH/USDT@binanceusdm'?",
        ),
        ({"venue": "b@d"}, "venue 'b@d': use letters, digits, - and _"),
    ],
)
def test_an_option_that_cannot_be_is_refused_with_what_to_write(
    ask: Ask, typed: dict[str, Any], said: str
) -> None:
    assert said in refusal(ask, **typed)


def test_what_was_typed_is_judged_before_the_data_is_looked_for(ask: Ask) -> None:
    wrong: tuple[dict[str, Any], ...] = (
        {"cash": "0"},
        {"limits": ("x",)},
        {"parameters": ("x",)},
        {"latency_ms": -1},
        {"indicators": "x"},
        {"gaps": "x"},
    )
    for typed in wrong:
        assert "absent.csv" not in refusal(ask, data="absent.csv", **typed)
    assert "absent.csv: cannot be read: No such file" in refusal(ask, data="absent.csv")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("", "binance_SOLUSDT_1m.csv: is empty"),
        (f"{HEAD}\n", "binance_SOLUSDT_1m.csv: holds no rows"),
        ("hello\nworld\n", "ts: no such column; the file has hello"),
        (f"{HEAD}\n1747094400000,100,101,0,100,1\n", "line 2: low: 0.0 is not above zero"),
        (f"{HEAD}\n1747094400000,-100,101,-101,100,1\n", "line 2: open: -100.0 is not above zero"),
        (f"{HEAD}\n1747094400000,100,99,98,100,1\n", "line 2: open: 100.0 is out"),
        (f"{HEAD}\n1747094400000,100,101,99,nan,1\n", "line 2: close"),
    ],
)
def test_a_file_that_is_no_market_is_refused_by_file_and_line(
    rows: str, said: str, tmp_path: Path, ask: Ask
) -> None:
    file = tmp_path / "bad" / "binance_SOLUSDT_1m.csv"
    file.parent.mkdir()
    file.write_text(rows)
    told = refusal(ask, data=str(file))
    assert str(file) in told
    assert said in told


def test_a_folder_without_data_and_a_name_that_says_nothing_are_told_apart(tmp_path: Path, ask: Ask) -> None:
    (tmp_path / "void").mkdir()
    assert "void: is a folder without dataset.json; name a file in it, or import it first" in refusal(
        ask, data=str(tmp_path / "void")
    )
    mute = bars_file(tmp_path, name="mine.csv")
    assert "mine.csv: its name does not say what it holds; name the asset and the venue" in refusal(
        ask, data=mute
    )


def test_gaps_that_may_not_be_are_refused_with_the_first(tmp_path: Path, ask: Ask) -> None:
    file = bars_file(tmp_path, without=(7, 8, 50))
    told = refusal(ask, data=file, gaps="fail")
    assert "2 gaps, 3 1m bars missing; the first is 2 from 2025-05-13T00:07:00Z; skip or fill gaps" in told


def test_a_dna_file_that_trades_nothing_of_the_data_or_meets_options_of_a_name_is_refused(
    tmp_path: Path, ask: Ask
) -> None:
    dna = tmp_path / "mine.yaml"
    dna.write_text(DNA)
    assert "the DNA trades BTC/USDT, the data holds SOL/USDT: nothing to run" in refusal(
        ask, strategy=str(dna)
    )
    shipped = replace(ask, strategy=str(dna), data="shipped")
    assert "--params go with a strategy's name; in a DNA file" in refusal(
        shipped, parameters=("stop_pct=0.01",)
    )
    assert "--long-only goes with a strategy's name; in a DNA file" in refusal(shipped, long_only=True)
    dna.write_text(DNA.replace("rsi_rule", "rsi_rul"))
    assert "did you mean" in refusal(shipped)


def test_data_in_two_currencies_is_refused_until_one_is_chosen(tmp_path: Path, ask: Ask) -> None:
    catalogue = Catalogue(tmp_path / "data")
    file = Path(ask.data)
    for asset in ("SOL/USDT", "SOL/EUR"):
        assert catalogue.import_file(file, asset, "binance", dataset="two").ok
    both = replace(ask, data="two")
    with pytest.raises(UsageError, match="the data mixes quote currencies EUR, USDT; choose with --symbol"):
        prepare(both, catalogue)
    chosen = prepare(replace(both, symbols=("SOL/EUR",)), catalogue)
    assert chosen.plan.account.currency == "EUR"


def test_numbers_that_are_none_are_named_with_their_option() -> None:
    for text in ("", "ten", "0x10", "1..2", "--5"):
        with pytest.raises(UsageError, match=r"--x .* is not a number"):
            amount(text, "--x")
        with pytest.raises(UsageError, match=r"--x .* is not a number"):
            signed_amount(text, "--x", most=Decimal(1))
    for text in ("inf", "-inf", "nan", "snan"):
        with pytest.raises(UsageError, match=r"--x .*: give a number"):
            amount(text, "--x")
        with pytest.raises(UsageError, match=r"--x .*: give a number"):
            signed_amount(text, "--x", most=Decimal(1))
    with pytest.raises(UsageError, match="--from"):
        moment("2025-13-01", "--from")
