"""How an entry is to be cut, at the door: what fits is part of the intent, what does not is explained."""

import json
from decimal import Decimal

import pytest

from neuratrade.core.model.facts import DoorRefused
from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.intent import Iceberg, OpenIntent, Twap, Vwap
from neuratrade.hands.door import Admitted, Door
from neuratrade.hands.fields import moment_ns
from neuratrade.hands.intent_schema import EXAMPLE_JSON, intent_json_schema

NOW_NS = moment_ns("2026-02-12T19:15:01Z")
SECOND = 1_000_000_000
LOT, LEAST = Decimal("0.001"), Decimal(5)
SOL = Instrument("SOL/USD", "paper", InstrumentKind.SPOT, "SOL", "USD", Decimal("0.01"), LOT, LOT, LEAST)
DOOR = Door({SOL.key: SOL}, "paper", "account-1", "operator-1")


def asked(execution: str, **fields: object) -> Admitted | DoorRefused:
    """The door's answer to the example with this JSON text as its execution."""
    document = json.dumps(json.loads(EXAMPLE_JSON) | fields)
    raw = document[:-1] + f', "execution": {execution}}}'
    return DOOR.admit(raw.encode(), source="test", name="one", wall_ns=NOW_NS)


def admitted(execution: str, **fields: object) -> OpenIntent:
    answer = asked(execution, **fields)
    assert isinstance(answer, Admitted), answer
    return answer.intent


def refused(execution: str, **fields: object) -> tuple[str, ...]:
    answer = asked(execution, **fields)
    assert isinstance(answer, DoorRefused), answer
    return answer.errors


def test_each_kind_of_execution_reaches_the_intent_digit_by_digit() -> None:
    twap = '{"type": "twap", "slices": 5, "span_seconds": 300.5}'
    assert admitted(twap).execution == Twap(5, 300_500_000_000)
    vwap = '{"type": "vwap", "profile": [0.1, 0, 3], "span_seconds": 60}'
    assert admitted(vwap).execution == Vwap((Decimal("0.1"), Decimal(0), Decimal(3)), 60 * SECOND)
    assert admitted('{"type": "iceberg", "shown": 0.25}').execution == Iceberg(Decimal("0.25"))
    assert admitted('{"type": "single"}').execution is None


def test_slices_without_an_expiry_may_rest_until_they_had_their_time() -> None:
    twap = '{"type": "twap", "slices": 5, "span_seconds": 300}'
    assert admitted(twap).entry_expiry_ns == 315 * SECOND
    assert admitted(twap, entry_expiry_s=400).entry_expiry_ns == 400 * SECOND
    assert admitted('{"type": "iceberg", "shown": 1}').entry_expiry_ns is None


@pytest.mark.parametrize(
    ("execution", "error"),
    [
        ("null", "execution: null is no value; leave the field out"),
        ("5", "execution: 5 names no type; send an object with type"),
        ("[]", "execution: a list is no object; send one in braces"),
        ('{"slices": 5, "span_seconds": 9}', "execution: an object names no type"),
        ('{"type": "twop"}', "execution.type: 'twop' is none of single, twap, vwap, iceberg"),
        ('{"type": ["twap"]}', "is none of single, twap, vwap, iceberg; send one of these"),
        ('{"type": "twap", "slices": 5}', "execution.span_seconds: is missing; add it"),
        ('{"type": "twap", "slices": 1, "span_seconds": 9}', "execution.slices: 1 is no whole number from 2"),
        ('{"type": "twap", "slices": 2.5, "span_seconds": 9}', "execution.slices: 2.5 is no whole number"),
        ('{"type": "twap", "slices": 501, "span_seconds": 999}', "execution.slices: 501 is no whole number"),
        ('{"type": "twap", "slices": true, "span_seconds": 9}', "execution.slices: true is not a number"),
        ('{"type": "twap", "slices": 1E+999999, "span_seconds": 9}', "execution.slices: "),
        ('{"type": "twap", "slices": 5, "span_seconds": "9"}', "execution.span_seconds: '9' is text"),
        ('{"type": "twap", "slices": 5, "span_seconds": -9}', "execution.span_seconds: -9 is outside"),
        ('{"type": "twap", "slices": 5, "span_seconds": 90000}', "execution.span_seconds: 90000 is outside"),
        ('{"type": "twap", "slices": 5, "span_seconds": 3.9}', "send at least 4"),
        ('{"type": "twap", "slices": 5, "span_seconds": 9, "slice": 1}', "did you mean 'slices'?"),
        ('{"type": "single", "slices": 5}', "execution.slices: unknown field; remove it"),
        ('{"type": "vwap", "profile": [1], "span_seconds": 9}', "execution.profile: "),
        ('{"type": "vwap", "profile": [1, -1], "span_seconds": 9}', "execution.profile[1]: -1 is below zero"),
        ('{"type": "vwap", "profile": [0, 0], "span_seconds": 9}', "all weights are zero"),
        ('{"type": "vwap", "profile": [1, NaN], "span_seconds": 9}', "execution.profile[1]: NaN is not"),
        ('{"type": "iceberg"}', "execution.shown: is missing; add it"),
        ('{"type": "iceberg", "shown": 0}', "execution.shown: 0 is not above zero"),
    ],
)
def test_what_cannot_be_an_execution_is_refused_with_the_place_and_advice(execution: str, error: str) -> None:
    (found,) = refused(execution)
    assert error in found


def test_what_does_not_go_together_is_refused() -> None:
    twap = '{"type": "twap", "slices": 5, "span_seconds": 300}'
    (stop,) = refused(twap, order_type="stop")
    assert stop.startswith("execution: a stop entry goes as one order")
    (late,) = refused(twap, entry_expiry_s=200)
    assert late == "entry_expiry_s: 200 ends before the last slice; send at least 300, or leave it out"
    (market,) = refused('{"type": "iceberg", "shown": 1}', order_type="market")
    assert market == "execution: an iceberg rests limit orders, not market; send order_type limit"


def test_all_that_is_wrong_is_said_at_once() -> None:
    errors = refused('{"type": "twap", "slices": 0, "span_seconds": 0}', confidence=85)
    assert [error.partition(":")[0] for error in errors] == [
        "confidence",
        "execution.slices",
        "execution.span_seconds",
    ]


def test_a_deep_nest_in_place_of_an_execution_is_refused_and_nothing_breaks() -> None:
    nest = '{"type": ' * 40 + "1" + "}" * 40
    assert refused(nest)


def test_the_published_schema_names_every_kind() -> None:
    schema = intent_json_schema()
    text = json.dumps(schema)
    for kind in ("single", "twap", "vwap", "iceberg"):
        assert f'"const": "{kind}"' in text
    assert "discriminator" not in text
