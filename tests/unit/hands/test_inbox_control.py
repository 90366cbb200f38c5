"""Operator requests: a halt is taken however old, everything else only fresh, and mistakes are named."""

import json
from decimal import Decimal

import pytest

from neuratrade.core.model.events import AdoptForeign, Halt, LiftQuarantine, OperatorEvent, Resume, SetLimit
from neuratrade.core.model.facts import DoorRefused, KillPolicy
from neuratrade.hands.fields import moment_ns
from neuratrade.hands.inbox.control import read_request

ASKED = "2026-02-12T19:15:00Z"
NOW_NS = moment_ns(ASKED) + 1_000_000_000
WHO = {"operator_id": "ana", "reason": "news"}


def read(request: dict[str, object] | bytes, wall_ns: int = NOW_NS) -> OperatorEvent | DoorRefused:
    raw = request if isinstance(request, bytes) else json.dumps(WHO | request).encode()
    return read_request(raw, source="control", name="a.json", wall_ns=wall_ns)


LIFT: dict[str, object] = {"action": "lift_quarantine", "reference": "BTC/USDT@okx", "timestamp": ASKED}
ADOPT: dict[str, object] = {
    "action": "adopt",
    "instrument": "BTC/USDT@okx",
    "stop_price": 59000,
    "timestamp": ASKED,
}


def without(request: dict[str, object], field: str) -> dict[str, object]:
    return {name: value for name, value in request.items() if name != field}


def hostile(stop: bytes) -> bytes:
    """A request to adopt whose stop is written as no encoder of ours would."""
    rest = json.dumps(WHO | without(ADOPT, "stop_price")).encode()
    return rest[:-1] + b", " + stop + b"}"


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
        (LIFT, LiftQuarantine(NOW_NS, "ana", "", "BTC/USDT@okx", "news")),
        (LIFT | {"account_id": "second"}, LiftQuarantine(NOW_NS, "ana", "second", "BTC/USDT@okx", "news")),
        (ADOPT, AdoptForeign(NOW_NS, "ana", "", "BTC/USDT@okx", Decimal(59000), "news")),
        (
            ADOPT | {"account_id": "second"},
            AdoptForeign(NOW_NS, "ana", "second", "BTC/USDT@okx", Decimal(59000), "news"),
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
            "value: is missing; set_limit needs it",
        ),
        ({"action": "halt", "value": 1}, "value: belongs to set_limit, not to halt; leave it out"),
        ({"action": "set_limit", "timestamp": ASKED, "name": "x", "value": True}, "value: true is not text"),
        ({"action": "halt", "policy": "flaten_all"}, "did you mean flatten_all?"),
        (
            {"action": "stop"},
            "action: 'stop' is none of halt, resume, flatten, set_limit, lift_quarantine, adopt",
        ),
        ({"action": "halt", "operator_id": ""}, "operator_id: is empty"),
        ({"action": "halt", "reason": 5}, "reason: 5 is not text"),
        ({"action": "halt", "force": 1}, "force: unknown field"),
        (without(LIFT, "reference"), "reference: is missing; lift_quarantine needs it"),
        (without(LIFT, "timestamp"), "timestamp: is missing; lift_quarantine must say when"),
        (LIFT | {"timestamp": "2026-02-12T19:13:00Z"}, "timestamp: stale, lift_quarantine is taken within"),
        (LIFT | {"reference": ""}, "reference: is empty"),
        (LIFT | {"reference": ["a"]}, "is not text"),
        (LIFT | {"reference": "a\nb"}, "characters that do not print"),
        (LIFT | {"reference": "a\u202eb"}, "characters that do not print"),
        (LIFT | {"reference": "x" * 129}, "reference: 129 characters, the limit is 128"),
        (LIFT | {"reference": None}, "reference: null is no value"),
        (LIFT | {"references": ["a"]}, "references: unknown field; did you mean 'reference'?"),
        (LIFT | {"account_id": 5}, "account_id: 5 is not text"),
        (LIFT | {"stop_price": 5}, "stop_price: belongs to adopt, not to lift_quarantine; leave it out"),
        (LIFT | {"action": "lift_quarantin"}, "did you mean lift_quarantine?"),
        (without(ADOPT, "stop_price"), "stop_price: is missing; adopt needs it"),
        (without(ADOPT, "instrument"), "instrument: is missing; adopt needs it"),
        (without(ADOPT, "timestamp"), "timestamp: is missing; adopt must say when"),
        (ADOPT | {"stop_price": "59000"}, "write the number without quotes"),
        (ADOPT | {"stop_price": 0}, "stop_price: 0 is not above zero"),
        (ADOPT | {"stop_price": -1}, "stop_price: -1 is not above zero"),
        (ADOPT | {"stop_price": True}, "stop_price: true is not a number"),
        (ADOPT | {"stop_price": None}, "stop_price: null is no value"),
        (ADOPT | {"instrument": 7}, "instrument: 7 is not text"),
        (ADOPT | {"reference": "x"}, "reference: belongs to lift_quarantine, not to adopt; leave it out"),
        (ADOPT | {"quantity": 1}, "quantity: unknown field"),
        (
            {"action": "halt", "account_id": "a"},
            "account_id: belongs to lift_quarantine and adopt, not to halt",
        ),
        ({"action": "halt", "instrument": "a"}, "instrument: belongs to adopt, not to halt"),
        (hostile(b'"stop_price": NaN'), "stop_price: NaN is not a finite number"),
        (hostile(b'"stop_price": 1e999999999'), "stop_price:"),
        (hostile(b'"stop_price": 1, "stop_price": 2'), "stop_price: given twice"),
        (hostile(b'"stop_price": ' + b"9" * 100), "stop_price:"),
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
