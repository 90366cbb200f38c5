"""Whatever comes, the door answers; whatever it admits keeps the invariants and fits the published schema."""

import json
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import cast

from hypothesis import given, settings
from hypothesis import strategies as st

from neuratrade.core.model.decimals import is_multiple
from neuratrade.core.model.facts import DoorRefused, decode_fact, encode_fact
from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.intent import Direction
from neuratrade.hands.door import Admitted, Door
from neuratrade.hands.fields import moment_ns
from neuratrade.hands.intent_schema import EXAMPLE_JSON, intent_json_schema

SENT_NS = moment_ns("2026-02-12T19:15:00Z")
TICK = Decimal("0.05")
SOL = Instrument(
    "SOL/USD",
    "paper",
    InstrumentKind.SPOT,
    "SOL",
    "USD",
    TICK,
    Decimal("0.001"),
    Decimal("0.001"),
    Decimal(5),
)
DOOR = Door({SOL.key: SOL}, "paper", "account-1", "operator-1")
SCHEMA = intent_json_schema()
EXAMPLE = cast("dict[str, object]", json.loads(EXAMPLE_JSON))
Node = Mapping[str, object]


def answer(raw: bytes, wall_ns: int = SENT_NS) -> Admitted | DoorRefused:
    return DOOR.admit(raw, source="property", name="any", wall_ns=wall_ns)


# A checker of just the keywords our schema uses; any other keyword is an error, so none is skipped unseen.
ANNOTATIONS = {"$schema", "$defs", "title", "description", "default", "examples", "format"}
TYPES: Mapping[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "number": (int, float),
    "integer": int,
}


def fits(value: object, node: Node) -> bool:
    """Whether a JSON value is valid under a node of the published schema (2020-12)."""
    reference = node.get("$ref")
    if isinstance(reference, str):
        definitions = cast("Mapping[str, Node]", SCHEMA["$defs"])
        return fits(value, definitions[reference.removeprefix("#/$defs/")])
    return all(
        keyword_holds(value, node, name, rule) for name, rule in node.items() if name not in ANNOTATIONS
    )


def keyword_holds(value: object, node: Node, name: str, rule: object) -> bool:
    match name:
        case "type":
            return isinstance(value, TYPES[cast("str", rule)]) and not isinstance(value, bool)
        case "anyOf" | "oneOf":
            fitting = sum(fits(value, choice) for choice in cast("Sequence[Node]", rule))
            return fitting == 1 if name == "oneOf" else fitting > 0
        case "enum" | "const":
            return value in cast("Sequence[object]", rule if name == "enum" else [rule])
        case _:
            pass
    if isinstance(value, dict):
        return member_keyword_holds(value, node, name, rule)
    match name, value:
        case (("minimum" | "maximum"), (int() | float())):
            bound = cast("float", rule)
            return value >= bound if name == "minimum" else value <= bound
        case (("minLength" | "minItems"), (str() | list())):
            return len(value) >= cast("int", rule)
        case (("maxLength" | "maxItems"), (str() | list())):
            return len(value) <= cast("int", rule)
        case "pattern", str():
            return re.search(cast("str", rule), value) is not None
        case "items", list():
            return all(fits(item, cast("Node", rule)) for item in value)
        case _:
            pass
    if name in KNOWN:
        return True  # a keyword for another kind of value
    raise AssertionError(f"the checker does not know {name}")


KNOWN = {
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "pattern",
    "items",
    "properties",
    "required",
    "additionalProperties",
    "maxProperties",
    "propertyNames",
}


def member_keyword_holds(value: dict[str, object], node: Node, name: str, rule: object) -> bool:
    properties = cast("Mapping[str, Node]", node.get("properties", {}))
    match name:
        case "properties":
            return all(fits(value[key], properties[key]) for key in value if key in properties)
        case "required":
            return set(cast("Sequence[str]", rule)) <= set(value)
        case "additionalProperties":
            extra = [value[key] for key in value if key not in properties]
            return not extra if rule is False else all(fits(item, cast("Node", rule)) for item in extra)
        case "maxProperties":
            return len(value) <= cast("int", rule)
        case "propertyNames":
            return all(fits(key, cast("Node", rule)) for key in value)
        case _:
            pass
    if name in KNOWN:
        return True
    raise AssertionError(f"the checker does not know {name}")


prices = st.one_of(
    st.decimals("0.01", "1000", places=3).map(float),
    st.floats(0.01, 1000),
    st.sampled_from([142.5, 0, -1, 1e13]),
)
shares = st.one_of(st.sampled_from([0.25, 0.5, 1.0]), st.floats(0, 1.5))
texts = st.text(max_size=20)
OPTIONAL: dict[str, st.SearchStrategy[object]] = {
    "take_profit": prices,
    "take_profits": st.lists(st.fixed_dictionaries({"price": prices, "fraction": shares}), max_size=3),
    "quantity": prices,
    "evidence": st.lists(texts, max_size=3),
    "lane": st.sampled_from(["scalp", "tactical", "none"]),
    "max_hold_s": st.one_of(st.integers(0, 10**9), st.floats(0, 100)),
    "trailing_pct": st.floats(0, 0.3),
    "order_type": st.sampled_from(["market", "limit", "stop", "Limit"]),
    "entry_expiry_s": st.integers(0, 1000),
    "tags": st.dictionaries(texts, texts, max_size=3),
    "ttl_seconds": st.integers(0, 100_000),
    "strategy_ref": texts,
    "venue": st.sampled_from(["paper", "moon"]),
    "execution": st.one_of(
        st.just({"type": "single"}),
        st.fixed_dictionaries(
            {"type": st.just("twap"), "slices": st.integers(1, 501), "span_seconds": st.integers(0, 1000)}
        ),
        st.fixed_dictionaries(
            {
                "type": st.just("vwap"),
                "profile": st.lists(st.floats(-1, 9), max_size=5),
                "span_seconds": st.floats(0, 1000),
            }
        ),
        st.fixed_dictionaries({"type": st.sampled_from(["iceberg", "twap", "x"]), "shown": prices}),
    ),
}
documents = st.fixed_dictionaries(
    {
        "direction": st.sampled_from(["LONG", "SHORT"]),
        "trigger_price": prices,
        "stop_loss": prices,
        "confidence": st.one_of(st.just(0.8), st.floats(-0.1, 1.1)),
    },
    optional=OPTIONAL,
).map(lambda fields: EXAMPLE | fields)


def ordered(direction: str, low: float, middle: float, high: float) -> dict[str, object]:
    stop, target = (low, high) if direction == "LONG" else (high, low)
    return {"direction": direction, "stop_loss": stop, "trigger_price": middle, "take_profit": target}


levels = st.lists(st.decimals("1", "1000", places=4), min_size=3, max_size=3, unique=True).map(sorted)
likely = st.builds(
    lambda direction, three, rest: EXAMPLE | rest | ordered(direction, *(float(p) for p in three)),
    st.sampled_from(["LONG", "SHORT"]),
    levels,
    st.fixed_dictionaries(
        {}, optional={name: values for name, values in OPTIONAL.items() if not name.startswith("take")}
    ),
)


@settings(max_examples=400)
@given(st.one_of(documents, likely))
def test_an_admitted_intent_keeps_the_invariants_and_fits_the_schema(document: dict[str, object]) -> None:
    outcome = answer(json.dumps(document).encode())
    if isinstance(outcome, DoorRefused):
        assert outcome.errors
        return
    assert fits(document, SCHEMA)
    intent = outcome.intent
    sign = intent.direction.sign
    stop = intent.stop_price
    assert stop is not None
    assert (intent.trigger_price - stop) * sign > 0
    assert intent.take_profits
    assert all((rung.price - intent.trigger_price) * sign > 0 for rung in intent.take_profits)
    assert 0 < sum(rung.fraction for rung in intent.take_profits) <= 1
    assert all(
        is_multiple(price, TICK)
        for price in (intent.trigger_price, stop, *(r.price for r in intent.take_profits))
    )
    assert 0 <= intent.confidence <= 1
    assert intent.ttl_ns > 0
    assert intent.created_ns == SENT_NS


@given(likely)
def test_rounding_to_the_grid_never_adds_risk(document: dict[str, object]) -> None:
    outcome = answer(json.dumps(document).encode())
    if isinstance(outcome, DoorRefused):
        return
    intent, sign = outcome.intent, outcome.intent.direction.sign
    asked = {name: Decimal(repr(document[name])) for name in ("trigger_price", "stop_loss", "take_profit")}
    assert intent.stop_price is not None
    assert 0 <= (asked["trigger_price"] - intent.trigger_price) * sign < TICK
    assert 0 <= (intent.stop_price - asked["stop_loss"]) * sign < TICK
    assert 0 <= (asked["take_profit"] - intent.take_profits[-1].price) * sign < TICK
    assert abs(intent.trigger_price - intent.stop_price) <= abs(asked["trigger_price"] - asked["stop_loss"])


def test_the_likely_documents_are_mostly_admitted() -> None:
    """Otherwise the two tests above would prove nothing."""
    admitted: list[bool] = []

    @settings(max_examples=200)
    @given(likely)
    def collect(document: dict[str, object]) -> None:
        admitted.append(isinstance(answer(json.dumps(document).encode()), Admitted))

    collect()
    assert sum(admitted) > 40


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), texts),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300)
@given(st.sampled_from([*EXAMPLE, *OPTIONAL, "other"]), json_values)
def test_a_field_of_any_kind_gives_an_intent_that_fits_or_a_refusal(name: str, value: object) -> None:
    document = EXAMPLE | {name: value}
    outcome = answer(json.dumps(document).encode())
    if isinstance(outcome, Admitted):
        assert fits(document, SCHEMA)
    else:
        assert outcome.errors
        assert decode_fact(encode_fact(outcome)) == outcome
        assert all(error.isprintable() for error in outcome.errors)


@settings(max_examples=300)
@given(st.sampled_from([*EXAMPLE, *OPTIONAL]), json_values)
def test_what_the_schema_refuses_the_door_refuses(name: str, value: object) -> None:
    document = EXAMPLE | {name: value}
    if not fits(document, SCHEMA):
        assert isinstance(answer(json.dumps(document).encode()), DoorRefused)


@settings(max_examples=300)
@given(st.binary(max_size=400))
def test_arbitrary_bytes_are_refused_and_never_raise(raw: bytes) -> None:
    outcome = answer(raw)
    assert isinstance(outcome, DoorRefused)
    assert decode_fact(encode_fact(outcome)) == outcome


@settings(max_examples=300)
@given(st.integers(0, len(EXAMPLE_JSON)), st.integers(0, 12), st.binary(max_size=6))
def test_a_damaged_document_never_raises(at: int, length: int, patch: bytes) -> None:
    outcome = answer(EXAMPLE_JSON[:at] + patch + EXAMPLE_JSON[at + length :])
    if isinstance(outcome, Admitted):
        assert outcome.intent.direction is Direction.LONG
        assert outcome.intent.stop_price is not None
        assert outcome.intent.stop_price < outcome.intent.trigger_price


OLDEST, NEWEST = SENT_NS + 15_000_000_000, SENT_NS - 2_000_000_000


@given(st.sampled_from([OLDEST, NEWEST]), st.one_of(st.integers(-2, 2), st.integers(-(10**11), 10**11)))
def test_freshness_has_exactly_two_edges_to_the_nanosecond(edge_ns: int, off_ns: int) -> None:
    wall_ns = edge_ns + off_ns
    assert isinstance(answer(EXAMPLE_JSON, wall_ns), Admitted) == (NEWEST <= wall_ns <= OLDEST)


def test_the_example_of_the_schema_fits_it_and_a_rung_off_it_does_not() -> None:
    assert fits(EXAMPLE, SCHEMA)
    assert not fits(EXAMPLE | {"take_profits": [{"price": 1}]}, SCHEMA)
    assert not fits(EXAMPLE | {"stop": 1}, SCHEMA)
    assert not fits({name: value for name, value in EXAMPLE.items() if name != "take_profit"}, SCHEMA)


def test_every_field_of_the_schema_is_described() -> None:
    properties = cast("Mapping[str, Node]", SCHEMA["properties"])
    assert [name for name, field in properties.items() if not field.get("description")] == []
    assert SCHEMA["additionalProperties"] is False
    json.dumps(SCHEMA, allow_nan=False)
