"""Which of Barchart's protocols a desk follows is the operator's to say, by naming a host of JERQ."""

import pytest

from neuratrade.app.barchart_market import barchart_source
from neuratrade.core.model.errors import Refused
from neuratrade.feeds.barchart.market import BarchartMarket
from neuratrade.feeds.clock import ManualClock


@pytest.fixture(autouse=True)
def login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BARCHART_USERNAME", "somebody")
    monkeypatch.setenv("BARCHART_PASSWORD", "hunter2")
    monkeypatch.setenv("BARCHART_JERQ_HOST", "qsws-us-e-02.aws.barchart.com")


def test_a_host_of_jerq_is_followed_in_its_own_protocol() -> None:
    market = barchart_source(ManualClock(), "", lambda _: None)()
    assert isinstance(market, BarchartMarket)
    assert market._transport.name == "ddf"


def test_a_host_in_the_clear_is_refused_without_showing_the_login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BARCHART_JERQ_HOST", "ws://qsws-us-e-02.aws.barchart.com")
    with pytest.raises(Refused) as caught:
        barchart_source(ManualClock(), "", lambda _: None)
    assert "hunter2" not in str(caught.value)
