"""`neuratrade run --venue ...`: a desk on a venue's live data, on paper, as a user has it."""

import json
import signal
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.desk_process import end, here, look, neuratrade, running, wait_until
from tests.loopback.live_market import live_venue

SYMBOLS = {"binance": "BTC/USDT", "okx": "BTC/USDT", "alpaca": "BTC/USD"}


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("APCA_API_KEY_ID", raising=False)
    monkeypatch.delenv("APCA_API_SECRET_KEY", raising=False)


def home_beside(host: str, folder: Path) -> Path:
    """A home whose desk finds its venue at `host`."""
    home = folder / "home"
    (home / "config").mkdir(parents=True)
    (home / "config" / "neuratrade.yaml").write_text(f'market: {{host: "{host}"}}\n')
    return home


def proposed(home: Path, symbol: str) -> Any:
    """The gate's verdict on a sensible proposal at the price the loopback market stands at."""
    document = {
        "intent_id": str(uuid.uuid4()),
        "asset": symbol,
        "direction": "LONG",
        "order_type": "market",
        "trigger_price": 60_000.0,
        "take_profit": 61_200.0,
        "stop_loss": 59_400.0,
        "confidence": 0.9,
        "strategy_ref": "a_person",
        "timestamp": datetime.now(UTC).isoformat(),
        "ttl_seconds": 60,
    }
    ended = here(home, "intent", "submit", "-", "--json", stdin=json.dumps(document).encode())
    return ended.document["answers"][0]["verdict"]


def is_held(home: Path) -> bool:
    """Whether something is held soon."""
    for _ in range(50):
        if any(item.held > 0 for item in look(home).state.brackets.values()):
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("venue", list(SYMBOLS))
def test_live_data_is_traded_on_paper_stopped_and_gone_on_with(venue: str, tmp_path: Path) -> None:
    symbol = SYMBOLS[venue]
    words = ("--venue", venue, "--symbols", symbol)
    with live_venue(venue) as host:
        home = home_beside(host, tmp_path)
        with running(home, *words) as process:
            # Before the first quote a proposal may be approved at the last bar's price and find no market.
            wait_until(lambda: bool(proposed(home, symbol)["approved"]) and is_held(home), "it is held")
            said = end(process, signal.SIGINT)
            assert f"live market of {venue}" in said
        with running(home, *words) as process:
            halted = here(home, "flatten", "--reason", "enough", "--json")
            assert halted.code == 0, halted
            wait_until(lambda: not look(home).state.brackets, "all is sold")
            end(process)
    state = look(home).state
    assert state.mode == "paper"
    assert state.counts.trades == 1
    assert neuratrade(home, "audit", "verify", "--json").document["ok"] is True


def test_a_venue_that_tells_too_little_history_opens_nothing_and_says_why(tmp_path: Path) -> None:
    with live_venue("kraken") as host:
        home = home_beside(host, tmp_path)
        with running(home, "--venue", "kraken", "--symbols", "BTC/USD") as process:
            verdict = proposed(home, "BTC/USD")
            end(process)
    refused = {item["layer"]: item["reason"] for item in verdict["refused_by"]}
    assert not verdict["approved"]
    assert refused["liquidity"] == "24 hours of volume is not known"


def test_a_venue_that_is_not_there_is_said_and_nothing_is_begun(tmp_path: Path) -> None:
    home = home_beside("127.0.0.1:9", tmp_path)
    for venue in ("kraken", "alpaca"):
        ended = neuratrade(home, "run", "--venue", venue, "--json")
        assert ended.code == 1, ended
        assert venue in ended.err.lower()
        assert not ended.document["ok"]
    assert not (home / "journal.db").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--venue", "mtgox"), "mtgox"),
        (("--venue", "Kraken"), "Kraken"),
        (("--venue", "../etc"), "../etc"),
        (("--venue", "kraken", "--mode", "live"), "--mode live: only paper can be run yet"),
        (("--venue", "kraken", "--mode", "test"), "--mode test: only paper can be run yet"),
        (("--venue", "kraken", "--data", "shipped"), "--venue and --data name two markets"),
        (("--venue", "kraken", "--speed", "max"), "--speed is of recorded markets"),
        (("--symbols", "BTC/USD"), "--symbols are those of a live market"),
        (("--venue", "kraken", "--symbols", ","), "is no symbol"),
        (("--venue", "kraken", "--symbols", "BTC USD"), "is no symbol"),
        (("--venue", "kraken", "--symbols", "x" * 200), "is no symbol"),
        (("--venue", "bitstamp"), "--symbols is needed for bitstamp"),
        (
            ("--venue", "kraken", "--symbols", ",".join(f"A{number}/USD" for number in range(51))),
            "51 symbols",
        ),
    ],
)
def test_a_market_that_cannot_be_traded_is_said(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    home = home_beside("127.0.0.1:9", tmp_path)
    ended = here(home, "run", *words, "--json")
    assert ended.code == 2, ended
    assert said in ended.err
    assert ended.document["ok"] is False
