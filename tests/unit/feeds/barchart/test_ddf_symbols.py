"""Symbols of the wire and ours are the same contract, and nothing that is no symbol gets into a command."""

import pytest

from neuratrade.core.model.errors import UsageError
from neuratrade.feeds.barchart.ddf_symbols import to_wire, wire_names
from neuratrade.feeds.barchart.symbols import barchart_symbol

NOW_NS = 1_795_190_400 * 10**9


@pytest.mark.parametrize(
    ("symbol", "wire"),
    [("ESZ26", "ESZ6"), ("NQH27", "NQH7"), ("GCZ26", "GCZ6"), ("^XAUUSD", "^XAUUSD"), ("$VIX", "$VIX")],
)  # fmt: skip
def test_a_symbol_goes_to_the_wire_and_comes_back(symbol: str, wire: str) -> None:
    assert to_wire(symbol, 2026) == wire
    assert barchart_symbol(wire, NOW_NS) == symbol


def test_a_contract_that_expired_lately_keeps_its_year_and_others_are_of_the_next_ones() -> None:
    assert (to_wire("ESH34", 2026), barchart_symbol("ESH4", NOW_NS)) == ("ESH4", "ESH34")
    assert (to_wire("ESZ25", 2026), barchart_symbol("ESZ5", NOW_NS)) == ("ESZ5", "ESZ25")


@pytest.mark.parametrize(
    "symbol", ["ES*0", "ESZ35", "ESZ24", "", "ESZ6=Ssc", "ES,NQ", "ES\r\nLOGOUT", "es z6", "É", "A" * 40]
)
def test_what_has_no_name_on_the_wire_is_refused(symbol: str) -> None:
    with pytest.raises(UsageError):
        to_wire(symbol, 2026)


def test_two_symbols_never_share_a_name() -> None:
    assert wire_names(["ESZ26", "$VIX", "ESZ26"], 2026) == {"ESZ6": "ESZ26", "$VIX": "$VIX"}
    with pytest.raises(UsageError):
        wire_names(["ESZ26", "ESZ6"], 2026)
