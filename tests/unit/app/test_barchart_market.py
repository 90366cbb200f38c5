"""What a symbol of Barchart's is to a desk on paper: which contract, until when, or why it is none."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from neuratrade.app.barchart_market import barchart_source, contracts_of
from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.instrument import InstrumentKind
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.feeds.clock import WALL


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * NS_PER_SECOND


NOW_NS = at("2026-11-23T15:00")


def test_a_product_is_its_front_month_and_a_contract_is_itself() -> None:
    assets = [item.asset for item in contracts_of(["ES", "NQ", "GC", "ESH7", "nqm27"], NOW_NS)]
    assert assets == ["ESZ6", "NQZ6", "GCG7", "ESH7", "NQM7"]
    assert len(contracts_of(["ES", "ESZ6", "ESZ26"], NOW_NS)) == 1


def test_a_contract_has_the_terms_of_its_product_and_an_end_before_its_expiry() -> None:
    (contract,) = contracts_of(["ES"], NOW_NS)
    assert (contract.venue, contract.kind, contract.quote) == ("barchart", InstrumentKind.FUTURE, "USD")
    assert (contract.tick, contract.multiplier, contract.lot) == (Decimal("0.25"), Decimal(50), Decimal(1))
    assert contract.flat_by_ns == at("2026-12-17T21:00"), (
        "the day before its third Friday, in Chicago's winter"
    )


def test_the_front_month_changes_by_the_exchanges_day() -> None:
    before, after = at("2026-12-14T05:59"), at("2026-12-14T06:01")
    assert [item.asset for item in contracts_of(["ES"], before)] == ["ESZ6"]
    assert [item.asset for item in contracts_of(["ES"], after)] == ["ESH7"]


def test_spot_gold_is_held_in_ounces() -> None:
    (gold,) = contracts_of(["xau/usd"], NOW_NS)
    assert (gold.key, gold.kind, gold.base) == ("XAUUSD@barchart", InstrumentKind.SPOT, "XAU")


@pytest.mark.parametrize("symbol", ["VIX", "$VIX", "CLZ6", "BTC/USD", "", "ES1!", "ESA6"])
def test_what_cannot_be_traded_is_refused(symbol: str) -> None:
    with pytest.raises(UsageError):
        contracts_of([symbol], NOW_NS)


@pytest.mark.parametrize(
    ("given", "enough"),
    [
        ({"USERNAME": "a", "PASSWORD": "b"}, True),
        ({"JWT": "c"}, True),
        ({"USERNAME": "a"}, False),
        ({"PASSWORD": "b", "APIKEY": "d"}, False),
    ],
)
def test_a_login_is_asked_for_before_anything_is_sent(
    given: dict[str, str], enough: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("USERNAME", "PASSWORD", "JWT", "APIKEY"):
        monkeypatch.setenv(f"BARCHART_{name}", given.get(name, ""))
    if enough:
        barchart_source(WALL, "", lambda _: None)
        return
    with pytest.raises(UsageError, match="BARCHART_USERNAME"):
        barchart_source(WALL, "", lambda _: None)
