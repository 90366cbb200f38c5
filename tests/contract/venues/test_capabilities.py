"""What the documentation says of every venue is what its adapter says of itself."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest

from neuratrade.core.model.orders import OrderType, TimeInForce
from neuratrade.core.model.venue_rules import PAPER_RULES, VenueRules
from neuratrade.venues.alpaca.terms import COINS, STOCKS
from neuratrade.venues.ccxt.dialects import DIALECTS, dialect_of
from neuratrade.venues.paper.venue import CAPABILITIES as OF_PAPER
from neuratrade.venues.port import Capabilities, DeadMan, NativeExit
from neuratrade.venues.tradovate.venue import CAPABILITIES as OF_TRADOVATE
from neuratrade.venues.tradovate.venue import RULES as RULES_OF_TRADOVATE
from tests.contract.venues.stand import VENUES

TABLE = "| what the adapter says |"
KNOWN = "| |"
COLUMNS = {
    "paper": "paper",
    "Alpaca (crypto)": "alpaca",
    "Alpaca (stocks)": "alpaca_stocks",
    "Binance spot": "binance",
    "Binance USD-M": "binanceusdm",
    "Kraken spot": "kraken",
    "OKX spot": "okx",
    "Tradovate": "tradovate",
    "others of ccxt": "an exchange nobody knows",
}


def capabilities(name: str) -> Capabilities:
    """What an adapter says of its venue."""
    known = {
        "paper": OF_PAPER,
        "alpaca": COINS.capabilities,
        "alpaca_stocks": STOCKS.capabilities,
        "tradovate": OF_TRADOVATE,
    }
    return known.get(name) or dialect_of(name).capabilities


def rules(name: str) -> VenueRules:
    """How brackets are kept at a venue."""
    known = {
        "paper": PAPER_RULES,
        "alpaca": COINS.rules,
        "alpaca_stocks": STOCKS.rules,
        "tradovate": RULES_OF_TRADOVATE,
    }
    return known.get(name) or dialect_of(name).rules


def rate(able: Capabilities) -> str:
    """A budget in words."""
    if able.rate is None:
        return "not counted"
    return f"{able.rate.requests} in {able.rate.seconds:g} s, {able.rate.kept} kept for protection"


def listed(
    kinds: frozenset[OrderType] | frozenset[TimeInForce] | frozenset[NativeExit], order: list[str]
) -> str:
    """Names of an enum's members, in the order of the enum."""
    names = {item.value for item in kinds}
    return ", ".join(name for name in order if name in names) or "none"


ROWS: dict[str, Callable[[Capabilities], str]] = {
    "order types": lambda able: listed(able.order_types, list(OrderType)).replace("_", "-"),
    "time in force": lambda able: listed(able.times_in_force, list(TimeInForce)).upper(),
    "changes a stop in place": lambda able: "yes" if able.amends else "no",
    "native exits (none is used)": lambda able: listed(able.native_exits, list(NativeExit)),
    "native exits that are trusted": lambda able: listed(able.trusted_exits, list(NativeExit)),
    "dead man's switch": lambda able: able.dead_man.value,
    "permission of the key": lambda able: "asked" if able.asks_permissions else "not to be asked",
    "requests": rate,
}


def table(repository: Path, begins: str) -> dict[str, dict[str, str]]:
    """A table of the document: cells by column, by row."""
    lines = (repository / "docs" / "venues.md").read_text().splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith(begins))
    rows = []
    for line in lines[first:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    head, _, *body = rows
    return {row[0]: dict(zip(head[1:], row[1:], strict=True)) for row in body}


def test_the_table_of_capabilities_says_what_the_adapters_say(repository: Path) -> None:
    written = table(repository, TABLE)
    assert list(written) == list(ROWS)
    for row, word in ROWS.items():
        assert set(written[row]) == set(COLUMNS)
        for column, name in COLUMNS.items():
            said = "no key" if (row, name) == ("permission of the key", "paper") else word(capabilities(name))
            assert written[row][column] == said, (row, column)


def test_every_venue_has_a_column_and_every_column_a_venue(repository: Path) -> None:
    assert {*VENUES, *DIALECTS} == set(COLUMNS.values()) - {"an exchange nobody knows"}
    known = table(repository, KNOWN)
    assert all(set(cells) == set(COLUMNS) - {"paper"} for cells in known.values())


@pytest.mark.parametrize("column", [column for column, name in COLUMNS.items() if name != "paper"])
def test_the_table_of_venues_says_how_brackets_are_kept(repository: Path, column: str) -> None:
    known, name = table(repository, KNOWN), COLUMNS[column]
    stop, able = known["stop that rests there"][column], capabilities(name)
    ours = rules(name)
    assert ours.rests_stops is ("none" not in stop)
    if OrderType.STOP in able.order_types:
        assert "stop market" in stop or "conditional" in stop
    assert known["bracket"][column] == "emulated"
    assert known["dead man's switch"][column] == able.dead_man.value
    assert (ours.stop_market, ours.stop_limit) == (
        OrderType.STOP in able.order_types, OrderType.STOP_LIMIT in able.order_types,
    )  # fmt: skip
    assert ours.amends_stops is able.amends
    if ours.rests_stops:
        assert known["resize of a stop"][column] == ("in place" if able.amends else "cancel, then place")
    asked = known["what a key may do"][column]
    assert able.asks_permissions is asked.startswith("asked")
    assert able.asks_permissions or "UNVERIFIED" in asked


@pytest.mark.parametrize("column", [column for column, name in COLUMNS.items() if name != "paper"])
def test_a_venue_was_rehearsed_on_a_day_or_never(repository: Path, column: str) -> None:
    said = table(repository, KNOWN)["rehearsed by us on"][column]
    if COLUMNS[column] not in VENUES:
        assert said == "never"
        return
    assert dt.date(2026, 11, 1) <= dt.date.fromisoformat(said)


def test_no_adapter_arms_a_switch_or_uses_native_exits_while_the_document_says_so(repository: Path) -> None:
    """The suite looks at every request of every test (`stand.NEVER`); here only that both are spoken of."""
    text = (repository / "docs" / "venues.md").read_text()
    for name in ("Kraken", "Binance USD-M", "OKX"):
        assert f"- {name}:" in text.partition("## Dead man's switches")[2].partition("\n## ")[0]
    assert any(capabilities(name).dead_man is DeadMan.OFF for name in DIALECTS)
