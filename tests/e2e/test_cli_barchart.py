"""`neuratrade run --venue barchart`: a desk on Barchart's prices, on paper, and what `status` says of it."""

import json
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from neuratrade.app.barchart_market import contracts_of
from neuratrade.core.model.market import NS_PER_MINUTE
from neuratrade.feeds.clock import WALL
from neuratrade.rehearsal.openfeed import APIKEY, PASSWORD, USERNAME, OpenfeedSimulator
from tests.e2e.desk_process import end, here, look, neuratrade, running, wait_until
from tests.loopback.barchart import live_barchart

WORDS = ("--venue", "barchart", "--symbols", "MES,MNQ")


@pytest.fixture(autouse=True)
def _login(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("USERNAME", USERNAME), ("PASSWORD", PASSWORD), ("APIKEY", APIKEY), ("JWT", "")):
        monkeypatch.setenv(f"BARCHART_{name}", value)


def home_beside(host: str, folder: Path) -> Path:
    """A home whose desk finds Barchart at `host`."""
    home = folder / "home"
    (home / "config").mkdir(parents=True)
    (home / "config" / "neuratrade.yaml").write_text(
        f'market: {{host: "{host}"}}\naccount: {{cash: 500000}}\n'
    )
    return home


def proposed(home: Path) -> Any:
    """The gate's verdict on a sensible proposal at the price the market stands at."""
    asset = contracts_of(["MES"], WALL.now_ns())[0].asset
    document = {
        "intent_id": str(uuid.uuid4()), "asset": asset, "direction": "LONG", "order_type": "market",
        "trigger_price": 4_000.0, "take_profit": 4_080.0, "stop_loss": 3_960.0, "confidence": 0.9,
        "strategy_ref": "a_person", "timestamp": datetime.now(UTC).isoformat(), "ttl_seconds": 60,
    }  # fmt: skip
    ended = here(home, "intent", "submit", "-", "--json", stdin=json.dumps(document).encode())
    return ended.document["answers"][0]["verdict"]


def feed_of(home: Path) -> Any:
    """What `status --json` says of the feed."""
    return here(home, "status", "--json").document["feed"]


def test_futures_are_traded_on_paper_and_status_tells_what_is_heard(tmp_path: Path) -> None:
    with live_barchart("MES", "MNQ") as (host, _):
        home = home_beside(host, tmp_path)
        with running(home, *WORDS) as process:
            wait_until(lambda: (feed_of(home) or {}).get("messages", 0) > 20, "prices came")
            wait_until(lambda: bool(proposed(home)["approved"]), "a proposal was approved")
            wait_until(lambda: any(b.held > 0 for b in look(home).state.brackets.values()), "it is held")
            feed = feed_of(home)
            assert (feed["venue"], feed["is_current"], feed["is_open"]) == ("barchart", True, True)
            assert (feed["gaps"], feed["reconnects"], feed["unreadable"]) == (0, 0, {})
            keys = [item.key for item in contracts_of(["MES", "MNQ"], WALL.now_ns())]
            assert list(feed["symbols"]) == keys
            assert all(item["age_s"] < 5 and not item["is_stalled"] for item in feed["symbols"].values())
            said = here(home, "status").out
            assert "barchart: open, as of" in said
            assert "present" in said
            halted = here(home, "flatten", "--reason", "enough", "--json")
            assert halted.code == 0, halted
            wait_until(lambda: not look(home).state.brackets, "all is sold")
            end(process)
        feed = feed_of(home)
        assert not feed["is_current"], "nobody tells more"
        assert "nobody tells more" in here(home, "status").out
    everything = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    for secret in (PASSWORD, APIKEY):
        assert secret.encode() not in everything


def test_delayed_prices_open_nothing_and_status_says_so(tmp_path: Path) -> None:
    def delayed(simulator: OpenfeedSimulator) -> None:
        simulator.service = "DELAYED"
        simulator.ondemand.mode, simulator.ondemand.delay_ns = "I", 15 * NS_PER_MINUTE

    with live_barchart("MES", "MNQ", change=delayed) as (host, _):
        home = home_beside(host, tmp_path)
        with running(home, *WORDS) as process:
            wait_until(
                lambda: any(i["delayed"] > 20 for i in (feed_of(home) or {}).get("symbols", {}).values()),
                "delayed prices came",
            )
            verdict = proposed(home)
            feed = feed_of(home)
            said = here(home, "status").out
            end(process)
    assert not verdict["approved"]
    assert "stale_data" in [item["layer"] for item in verdict["refused_by"]]
    assert {item["delay_minutes"] for item in feed["symbols"].values()} == {-1}
    assert feed["messages"] == 0
    assert all(item["is_stalled"] for item in feed["symbols"].values())
    assert "delayed" in said


def test_a_login_elsewhere_leaves_the_desk_up_and_the_other_program_alone(tmp_path: Path) -> None:
    with live_barchart("MES", "MNQ") as (host, simulator):
        home = home_beside(host, tmp_path)
        with running(home, *WORDS) as process:
            wait_until(lambda: (feed_of(home) or {}).get("messages", 0) > 20, "prices came")
            simulator.log_out("DUPLICATE_LOGIN")
            wait_until(lambda: "DUPLICATE_LOGIN" in (feed_of(home) or {}).get("ended", ""), "it ended")
            logins = simulator.logins
            time.sleep(4)
            assert simulator.logins == logins
            end(process)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--symbols", "VIX"), "nobody trades it"),
        (("--symbols", "BTC/USD"), "no futures contract known here"),
        (("--symbols", "ESA6"), "no futures contract known here"),
    ],
)
def test_what_cannot_be_traded_is_said_before_anything_is_begun(
    words: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    home = home_beside("127.0.0.1:9", tmp_path)
    ended = neuratrade(home, "run", "--venue", "barchart", *words, "--json")
    assert ended.code == 2, ended
    assert said in ended.err + ended.out


def test_without_a_login_it_says_what_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BARCHART_PASSWORD", "")
    ended = neuratrade(home_beside("127.0.0.1:9", tmp_path), "run", "--venue", "barchart", "--json")
    assert ended.code == 2
    assert "BARCHART_USERNAME" in ended.err + ended.out


def test_a_refused_login_ends_the_desk_and_repeats_no_password(tmp_path: Path) -> None:
    def refuse(simulator: OpenfeedSimulator) -> None:
        simulator.login_result = "INVALID_CREDENTIALS"

    with live_barchart("MES", "MNQ", change=refuse) as (host, _):
        home = home_beside(host, tmp_path)
        ended = neuratrade(home, "run", *WORDS, "--json")
    assert ended.code != 0
    assert "INVALID_CREDENTIALS" in ended.err + ended.out
    assert PASSWORD not in ended.err + ended.out
