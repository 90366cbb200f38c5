"""Operator requests: a halt is taken however old, everything else only fresh, and mistakes are named."""

import json

import pytest

from neuratrade.core.model.events import Halt, OperatorEvent, Resume, SetLimit
from neuratrade.core.model.facts import DoorRefused, KillPolicy
from neuratrade.hands.fields import moment_ns
from neuratrade.hands.inbox.control import read_request

ASKED = "2026-02-12T19:15:00Z"
NOW_NS = moment_ns(ASKED) + 1_000_000_000
WHO = {"operator_id": "ana", "reason": "news"}


def read(request: dict[str, object] | bytes, wall_ns: int = NOW_NS) -> OperatorEvent | DoorRefused:
    raw = request if isinstance(request, bytes) else json.dumps(WHO | request).encode()
    return read_request(raw, source="control", name="a.json", wall_ns=wall_ns)


@pytest.mark.parametrize(
    ("request_", "event"),
    [
        ({"action": "halt"}, Halt(NOW_NS, "ana", "news", KillPolicy.CANCEL_ENTRIES)),
        ({"action": "halt", "policy": "close_perps"}, Halt(NOW_NS, "ana", "news", KillPolicy.CLOSE_PERPS)),
        ({"action": "halt", "timestamp": "2020-01-01T00:00:00Z"}, Halt(NOW_NS, "ana", "news")),
        ({"action": "flatten", "timestamp": ASKED}, Halt(NOW_NS, "ana", "news", KillPolicy.FLATTEN_ALL)),
        ({"action": "resume", "timestamp": ASKED}, Resume(NOW_NS, "ana", "news")),
        (
            {"action": "set_limit", "name": "trades_per_day", "value": 7, "timestamp": ASKED},
            SetLimit(NOW_NS, "ana", "trades_per_day", "7", "news"),
        ),
        (
            {"action": "set_limit", "name": "daily_loss", "value": 1e-05, "timestamp": ASKED},
            SetLimit(NOW_NS, "ana", "daily_loss", "0.00001", "news"),
        ),
    ],
)
def test_a_request_becomes_the_operators_event(request_: dict[str, object], event: OperatorEvent) -> None:
    assert read(request_) == event


@pytest.mark.parametrize(
    ("request_", "error"),
    [
        ({"action": "resume"}, "timestamp: is missing; resume must say when it was asked"),
        ({"action": "flatten"}, "timestamp: is missing; flatten must say when"),
        (
            {"action": "resume", "timestamp": "2026-02-12T19:14:00Z"},
            "timestamp: stale, resume is taken within 60 s",
        ),
        ({"action": "resume", "timestamp": "2026-02-12T19:15:09Z"}, "timestamp: more than 2 s in the future"),
        ({"action": "resume", "timestamp": "2026-02-12T19:15:00"}, "names no time zone"),
        (
            {"action": "resume", "timestamp": ASKED, "policy": "close_perps"},
            "policy: belongs to halt, not to resume",
        ),
        (
            {"action": "set_limit", "timestamp": ASKED, "name": "x"},
            "value: belongs to set_limit and to nothing else",
        ),
        ({"action": "halt", "value": 1}, "value: belongs to set_limit and to nothing else; leave it out"),
        ({"action": "set_limit", "timestamp": ASKED, "name": "x", "value": True}, "value: true is not text"),
        ({"action": "halt", "policy": "flaten_all"}, "did you mean flatten_all?"),
        ({"action": "stop"}, "action: 'stop' is none of halt, resume, flatten, set_limit"),
        ({"action": "halt", "operator_id": ""}, "operator_id: is empty"),
        ({"action": "halt", "reason": 5}, "reason: 5 is not text"),
        ({"action": "halt", "force": 1}, "force: unknown field"),
        (b"", "document: empty"),
        (b"HALT", "document: not JSON"),
        (b"[]", "document: one JSON object is expected"),
        (b"{}", "action: is missing"),
    ],
)
def test_a_mistaken_request_is_refused_by_name(request_: dict[str, object] | bytes, error: str) -> None:
    answer = read(request_)
    assert isinstance(answer, DoorRefused), answer
    assert any(error in found for found in answer.errors), answer.errors


def test_in_a_replay_the_event_has_the_engines_time_and_the_wall_judges_freshness() -> None:
    raw = json.dumps(WHO | {"action": "resume", "timestamp": ASKED}).encode()
    answer = read_request(raw, source="control", name="a.json", wall_ns=NOW_NS, engine_ns=5)
    assert answer == Resume(5, "ana", "news")
