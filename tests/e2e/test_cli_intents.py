"""Proposals to a running desk: approved, refused, hostile, doubled, by file, by stdin and by folder."""

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from neuratrade.core.model.market import Bar
from neuratrade.feeds.catalogue import Catalogue
from tests.e2e.desk_process import copy_of, here, look, running, wait_until


@pytest.fixture(scope="module")
def desk(stopped: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home whose desk runs, a minute of the market a second."""
    home = copy_of(stopped, tmp_path_factory.mktemp("desk") / "home")
    with running(home, "--speed", "60"):
        yield home


def price_of(home: Path, asset: str) -> float:
    """The newest price the desk has seen, from the recording it replays."""
    now_ns = look(home).state.now_ns
    for series in Catalogue(home / "data").open("short").series:
        if series.instrument.startswith(asset):
            (bar,) = series.last(1, now_ns)
            assert isinstance(bar, Bar)
            return float(bar.close)
    raise AssertionError(f"no recording of {asset}")


def proposal(home: Path, **changes: Any) -> dict[str, Any]:
    """A sensible proposal now, with changes; a change to None leaves the field out."""
    price = price_of(home, "BTC/USDT")
    document = {
        "intent_id": str(uuid.uuid4()),
        "asset": "BTC/USDT",
        "direction": "LONG",
        "order_type": "market",
        "trigger_price": round(price, 1),
        "take_profit": round(price * 1.02, 1),
        "stop_loss": round(price * 0.991, 1),
        "confidence": 0.9,
        "strategy_ref": "a_person",
        "timestamp": datetime.now(UTC).isoformat(),
        "ttl_seconds": 60,
        **changes,
    }
    return {name: value for name, value in document.items() if value is not None}


def submit(home: Path, *documents: dict[str, Any] | bytes, **options: str) -> Any:
    raw = [item if isinstance(item, bytes) else json.dumps(item).encode() for item in documents]
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    ended = here(home, "intent", "submit", "-", "--json", *words, stdin=b"\n".join(raw) + b"\n")
    assert ended.code == (0 if ended.document["ok"] else 1)
    return ended.document["answers"]


def test_a_sensible_proposal_is_approved_traded_protected_and_doubled_by_nobody(
    desk: Path, tmp_path: Path
) -> None:
    mine = proposal(desk, tags={"note": "[/bold] my own idea"})
    idea = tmp_path / "idea.json"
    idea.write_text(json.dumps(mine))
    ended = here(desk, "intent", "submit", str(idea))
    assert (ended.code, f"approved {mine['intent_id']}" in ended.out) == (0, True), ended
    wait_until(lambda: mine["intent_id"] in {item.bracket_id for item in held(desk)}, "the position")
    (position,) = of_bracket(mine, here(desk, "positions", "--json").document)
    assert position["protected"] is True
    assert position["stop_price"] == mine["stop_loss"]
    (order,) = of_bracket(mine, here(desk, "orders", "--json").document)
    assert order["role"] == "stop"
    trades = len(held(desk))
    (again,) = submit(desk, {**mine, "direction": "LONG", "timestamp": datetime.now(UTC).isoformat()})
    assert again["verdict"]["approved"] is True, "the answer of before, not a second trade"
    assert len(held(desk)) == trades
    shown = here(desk, "why", mine["intent_id"])
    assert "note: [/bold] my own idea" in shown.out


def of_bracket(intent: dict[str, Any], listed: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [item for item in listed if item["bracket_id"] == intent["intent_id"]]


def held(home: Path) -> list[Any]:
    return [item for item in look(home).state.brackets.values() if item.held > 0]


def test_refusals_name_their_layers_and_each_document_gets_its_own_answer(desk: Path) -> None:
    timid = proposal(desk, confidence=0.1)
    price = timid["trigger_price"]
    wide = proposal(desk, stop_loss=round(price * 0.9, 1))
    answers = submit(desk, timid, wide)
    assert [item["outcome"] for item in answers] == ["judged", "judged"]
    layers = [{found["layer"] for found in item["verdict"]["refused_by"]} for item in answers]
    assert "confidence" in layers[0]
    assert any("stop" in name for name in layers[1]), layers[1]
    assert [item["verdict"]["approved"] for item in answers] == [False, False]


def test_hostile_documents_are_turned_away_with_the_field_named(desk: Path) -> None:
    now = datetime.now(UTC)
    hostile: list[tuple[dict[str, Any] | bytes, str]] = [
        (proposal(desk, stop_loss=None), "stop_loss"),
        (proposal(desk, stop_loss=999_999), "stop_loss"),
        (proposal(desk, trigger_price="100"), "trigger_price"),
        (proposal(desk, stop_los=1), "stop_los"),
        (proposal(desk, intent_id="me"), "intent_id"),
        (proposal(desk, direction="UP"), "direction"),
        (proposal(desk, confidence=2), "confidence"),
        (proposal(desk, asset="DOGE/USDT"), "asset"),
        (proposal(desk, timestamp="2026-02-12T19:15:00"), "timestamp"),
        (proposal(desk, timestamp=(now + timedelta(hours=1)).isoformat()), "timestamp"),
        (b'{"intent_id": "a", "intent_id": "b"}', "intent_id"),
        (b'{"trigger_price": NaN}', "trigger_price"),
        (b"not json at all", "document"),
        (b"\xff\xfe\x00", "document"),
        (b"[1, 2]", "document"),
    ]
    answers = submit(desk, *[document for document, _ in hostile])
    assert len(answers) == len(hostile)
    for (document, field), answer in zip(hostile, answers, strict=True):
        assert answer["outcome"] == "turned_away", (document, answer)
        assert any(line.startswith(field) for line in answer["reasons"]), (document, answer)
    named = {document["intent_id"] for document, _ in hostile if isinstance(document, dict)}
    assert not named & look(desk).state.seen


def test_a_stale_proposal_is_refused_and_an_empty_input_is_wrong_usage(desk: Path) -> None:
    old = datetime.now(UTC) - timedelta(minutes=5)
    (answer,) = submit(desk, proposal(desk, timestamp=old.isoformat(), ttl_seconds=15))
    assert answer["outcome"] == "turned_away"
    assert "ttl_seconds: stale" in answer["reasons"][0]
    empty = here(desk, "intent", "submit", "-", "--json", stdin=b"\n\n")
    assert (empty.code, "no document in it" in empty.document["error"]) == (2, True)


def test_files_dropped_into_the_folder_are_answered_beside_them(desk: Path) -> None:
    inbox = desk / "intents"
    for name, raw in (("good", json.dumps(proposal(desk, confidence=0.2)).encode()), ("bad", b"{oops")):
        (inbox / f".{name}.tmp").write_bytes(raw)
        (inbox / f".{name}.tmp").rename(inbox / f"{name}.json")
    (inbox / "link.json").symlink_to("/etc/hostname")
    (inbox / "folder.json").mkdir()
    reasons = [inbox / "rejected" / f"{name}.json.reason.txt" for name in ("bad", "link", "folder")]
    wait_until(lambda: all(path.exists() for path in reasons), "the reasons")
    answer = inbox / "done" / "good.json.answer.json"
    wait_until(answer.exists, "the verdict")
    assert json.loads(answer.read_text())["approved"] is False
    assert "symbolic link" in reasons[1].read_text()
    assert (inbox / "rejected" / "bad.json").read_bytes() == b"{oops"
    assert sorted(path.name for path in inbox.glob("*.json")) == []
    assert here(desk, "status", "--json").document["running"] is True
