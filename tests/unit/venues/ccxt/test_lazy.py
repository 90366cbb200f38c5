"""Importing one exchange of ccxt, in a fresh process: what is loaded, and what is said where it cannot be."""

import subprocess
import sys
from pathlib import Path

import pytest

from neuratrade.core.model.errors import UsageError
from neuratrade.venues.ccxt.lazy import exchange_class, exchange_names

ROOT = Path(__file__).parents[4]


def run(code: str, *before: str) -> str:
    """What a fresh process prints."""
    done = subprocess.run(
        [sys.executable, *before, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT / "src"
    )
    return done.stdout.strip()


def test_one_exchange_comes_without_the_others() -> None:
    loaded = run(
        "import sys\n"
        "from neuratrade.venues.ccxt.lazy import exchange_class\n"
        "exchange_class('kraken', streams=True)\n"
        "print(sorted(name for name in sys.modules if name.startswith('ccxt.async_support.') and "
        "name.count('.') == 2))"
    )
    assert loaded == "['ccxt.async_support.base', 'ccxt.async_support.kraken']"


def test_it_is_the_class_of_the_whole_package() -> None:
    same = run(
        "from neuratrade.venues.ccxt.lazy import exchange_class\n"
        "import ccxt.pro, ccxt.async_support\n"
        "made = exchange_class('binance', streams=True)\n"
        "print(made is ccxt.pro.binance, issubclass(made, ccxt.async_support.binance), "
        "issubclass(ccxt.ExchangeError, ccxt.BaseError), ccxt.__version__[0])"
    )
    assert same == "True True True 4"


def test_the_whole_package_stays_as_it_is_where_it_was_imported_before() -> None:
    same = run(
        "import ccxt, ccxt.async_support, ccxt.pro\n"
        "from neuratrade.venues.ccxt.lazy import exchange_class\n"
        "print(exchange_class('okx', streams=True) is ccxt.pro.okx, len(ccxt.exchanges) > 90)"
    )
    assert same == "True True"


def test_a_name_that_is_nearly_one_is_told_what_it_may_mean() -> None:
    with pytest.raises(UsageError, match=r"no exchange called 'binanse': did you mean .*binance"):
        exchange_class("binanse")


def test_a_name_that_is_none_is_told_how_many_there_are() -> None:
    with pytest.raises(UsageError, match=r"no exchange called 'xyzzy12345': it knows \d+ others"):
        exchange_class("xyzzy12345")


@pytest.mark.parametrize(
    "name", ["", "__init__", "base", "Exchange", "../binance", "binance.binance", "errors"]
)
def test_what_is_no_exchange_is_not_imported(name: str) -> None:
    with pytest.raises(UsageError, match="no exchange called"):
        exchange_class(name)


def test_an_exchange_without_streams_says_so() -> None:
    without = min(exchange_names() - exchange_names(streams=True))
    with pytest.raises(UsageError, match=f"no private stream for {without}"):
        exchange_class(without, streams=True)


def test_a_missing_extra_is_named_with_what_to_do() -> None:
    told = run(
        "import sys\n"
        "sys.modules['ccxt'] = None\n"
        "del sys.modules['ccxt']\n"
        "import importlib.util as u\n"
        "real = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name.startswith('ccxt') else real(name, *rest)\n"
        "from neuratrade.venues.ccxt.lazy import exchange_class\n"
        "try:\n"
        "    exchange_class('binance')\n"
        "except Exception as error:\n"
        "    print(type(error).__name__, error)"
    )
    assert told.startswith("UsageError ccxt is not installed")
    assert "pip install 'neuratrade[ccxt]'" in told
