"""Hostile and mistaken documents: each is refused with the field named and advice, and all faults at once."""

import json
import time
from decimal import Decimal

import pytest

from neuratrade.core.model.facts import DoorRefused, decode_fact, encode_fact
from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.hands.door import Door
from neuratrade.hands.fields import moment_ns
from neuratrade.hands.intent_schema import EXAMPLE_JSON

NOW_NS = moment_ns("2026-02-12T19:15:01Z")
PAPER = [
    Instrument(
        asset,
        venue,
        InstrumentKind.SPOT,
        asset[:3],
        "USD",
        Decimal("0.01"),
        Decimal("0.001"),
        Decimal("0.001"),
        Decimal(5),
    )
    for asset, venue in (("SOL/USD", "paper"), ("BTC/USDT", "paper"), ("ETH/USDT", "kraken"))
]
DOOR = Door({i.key: i for i in PAPER}, "paper", "account-1", "operator-1")


def refused(raw: bytes) -> tuple[str, ...]:
    answer = DOOR.admit(raw, source="test", name="one", wall_ns=NOW_NS)
    assert isinstance(answer, DoorRefused), answer
    assert decode_fact(encode_fact(answer)) == answer
    return answer.errors


def with_text(name: str, literal: str) -> bytes:
    """The example with one field's value replaced by (or added as) JSON text."""
    fields = {key: json.dumps(value) for key, value in json.loads(EXAMPLE_JSON).items()}
    return (
        "{" + ",".join(f'"{key}":{text}' for key, text in (fields | {name: literal}).items()) + "}"
    ).encode()


FIELDS = {
    # sides and bounds
    "stop on the wrong side": ("stop_loss", "143", "stop_loss: 143.00 is not below trigger_price 142.50"),
    "stop on the trigger": ("stop_loss", "142.50", "stop_loss: 142.50 is not below"),
    "stop that meets the trigger on the grid": (
        "stop_loss",
        "142.499",
        "on the tick grid of 0.01; move it below",
    ),
    "target on the wrong side": (
        "take_profit",
        "142",
        "take_profit: 142.00 is not above trigger_price 142.50",
    ),
    "rung on the wrong side": (
        "take_profits",
        '[{"price":140,"fraction":0.5}]',
        "take_profits[0].price: 140.00 is not above",
    ),
    "price below one tick": ("trigger_price", "0.001", "trigger_price: 0.00 is no price of SOL/USD@paper"),
    "negative price": ("trigger_price", "-142.5", "trigger_price: -142.5 is not above zero"),
    "zero price": ("stop_loss", "0", "stop_loss: 0 is not above zero"),
    "zero of a million digits": ("stop_loss", "0E+999999", "stop_loss: 0 is not above zero"),
    # numbers that are none
    "NaN": ("trigger_price", "NaN", "trigger_price: NaN is not a finite number"),
    "Infinity": ("take_profit", "Infinity", "take_profit: Infinity is not a finite number"),
    "minus Infinity": ("stop_loss", "-Infinity", "stop_loss: -Infinity is not a finite number"),
    "1e999": ("take_profit", "1e999", "take_profit: 1E+999 is outside 1E-12 to 1E+12; check its exponent"),
    "a million zeros": ("trigger_price", "1E+1000000", "trigger_price: 1E+1000000 is outside"),
    "an exponent that Decimal cannot hold": ("trigger_price", "1E+" + "9" * 30, "is not a finite number"),
    "a vanishing number": ("trigger_price", "1e-400", "trigger_price: 1E-400 is outside"),
    "a number of thousands of digits": ("quantity", "1" * 5000, "quantity: 111"),
    "a number of 25 digits": ("quantity", "1." + "3" * 24, "has more than 24 digits; round it"),
    "text for a number": (
        "trigger_price",
        '"142.50"',
        "trigger_price: '142.50' is text; write the number without",
    ),
    "truth for a number": ("confidence", "true", "confidence: true is not a number"),
    "list for a number": ("stop_loss", "[1]", "stop_loss: a list is not a number"),
    "null for a required number": ("stop_loss", "null", "stop_loss: null is not a number"),
    "null for an optional number": ("quantity", "null", "quantity: null is no value; leave the field out"),
    "confidence in percent": (
        "confidence",
        "85",
        "confidence: 85 is outside 0 to 1; write a fraction, 85 % is 0.85",
    ),
    "trail in percent": ("trailing_pct", "1.5", "trailing_pct: 1.5 is above 0.2; write a fraction"),
    "no time to live": ("ttl_seconds", "0", "ttl_seconds: 0 is outside 0.001 to 86400 seconds"),
    "immortal": ("ttl_seconds", "1e9", "ttl_seconds: 1E+9 is outside 0.001 to 86400 seconds"),
    "held for ever": ("max_hold_s", "1e11", "max_hold_s: 1E+11 is outside"),
    # ladders
    "ladder over the whole": (
        "take_profits",
        '[{"price":145,"fraction":0.7},{"price":146,"fraction":0.7}]',
        "take_profits: fractions add up to 1.4; make them add up to at most 1",
    ),
    "ladder that leaves no share": (
        "take_profits",
        '[{"price":145,"fraction":1}]',
        "take_profit: 148.0 has no share left by take_profits",
    ),
    "rung without a share": ("take_profits", '[{"price":145}]', "take_profits[0].fraction: is missing"),
    "rung with a mistyped field": (
        "take_profits",
        '[{"price":145,"fraction":1,"pric":1}]',
        "take_profits[0].pric: unknown field; did you mean 'price'?",
    ),
    "rung that is no object": ("take_profits", "[145]", "take_profits[0]: 145 does not fit"),
    "too many rungs": (
        "take_profits",
        json.dumps([{"price": 145, "fraction": 0.01}] * 11),
        "take_profits: a list does not fit",
    ),
    # words
    "lower-case direction": (
        "direction",
        '"long"',
        "direction: 'long' is none of LONG, SHORT; did you mean LONG?",
    ),
    "unknown order type": (
        "order_type",
        '"iceberg"',
        "order_type: 'iceberg' is none of market, limit, stop; send",
    ),
    "mistyped lane": ("lane", '"mean-reversion"', "did you mean mean_reversion?"),
    "number for a word": ("direction", "1", "direction: 1 is none of LONG, SHORT"),
    "unknown field": ("stop_los", "1", "stop_los: unknown field; did you mean 'stop_loss'?"),
    "leverage smuggled in": ("leverage", "100", "leverage: unknown field; "),
    "approval smuggled in": ("approved", "true", "approved: unknown field; "),
    "id that is none": ("intent_id", '"uuid"', "intent_id: 'uuid' is not a UUID"),
    "id in braces": ("intent_id", '"{6f1c2f0e-5f0a-4c55-9a43-0d6a4f1b7c11}"', "is not a UUID"),
    "endless name": ("strategy_ref", f'"{"x" * 129}"', "strategy_ref: 129 characters, the limit is 128"),
    "blank name": ("strategy_ref", '"  "', "strategy_ref: is empty"),
    "terminal escape": (
        "strategy_ref",
        r'"\u001b[2J"',
        r"strategy_ref: '\x1b[2J' holds characters that do not print",
    ),
    "direction mark": ("strategy_ref", r'"a\u202eb"', "strategy_ref: 'a\\u202eb' holds characters"),
    "lone surrogate": ("tags", r'{"note":"\ud800"}', "tags: 'note' holds characters that do not print"),
    "number for a tag": ("tags", '{"mood":7}', "tags: 'mood' is 7; every tag is text, quote it"),
    "nested tags": ("tags", '{"a":{"b":"c"}}', "tags: 'a' is an object; every tag is text"),
    "list of tags": ("tags", '["a"]', "tags: a list is not a map of text to text"),
    "too many tags": ("tags", json.dumps({f"k{n}": "" for n in range(33)}), "tags: 33 tags, the limit is 32"),
    "evidence that is no id": ("evidence", "[{}]", "evidence[0]: an object is not text"),
    "too much evidence": ("evidence", json.dumps(["e"] * 65), "evidence: a list does not fit"),
    "unknown asset": (
        "asset",
        '"SOL/USDT"',
        "asset: 'SOL/USDT' is not traded at paper; did you mean 'SOL/USD'?",
    ),
    "asset of another venue": (
        "asset",
        '"ETH/USDT"',
        "asset: 'ETH/USDT' is not traded at paper; name venue 'kraken'",
    ),
    "asset like no other": ("asset", '"zzzz"', "known: BTC/USDT, SOL/USD"),
    "unknown venue": ("venue", '"krakn"', "venue: 'krakn' is not connected; did you mean 'kraken'?"),
    # times
    "naive time": (
        "timestamp",
        '"2026-02-12T19:15:00"',
        "timestamp: '2026-02-12T19:15:00' names no time zone",
    ),
    "day without time": ("timestamp", '"2026-02-12"', "names no time zone"),
    "time in seconds": ("timestamp", "1770923700", "timestamp: 1770923700 is not an ISO 8601 time"),
    "time from the future": ("timestamp", '"2026-02-12T19:15:03.001Z"', "timestamp: 2.001 s in the future"),
    "stale": (
        "timestamp",
        '"2026-02-12T19:14:45.999Z"',
        "ttl_seconds: stale, 15 s ended 0.001 s before it arrived",
    ),
    "thirteenth month": ("timestamp", '"2026-13-12T19:15:00Z"', "does not exist in the calendar"),
    "offset of a day": ("timestamp", '"2026-02-12T19:15:00+24:00"', "does not exist in the calendar"),
    "digits of another script": ("timestamp", '"２026-02-12T19:15:00Z"', "is not an ISO 8601 time"),
}


@pytest.mark.parametrize(("name", "literal", "expected"), FIELDS.values(), ids=FIELDS.keys())
def test_a_bad_field_is_refused_alone_and_by_name(name: str, literal: str, expected: str) -> None:
    errors = refused(with_text(name, literal))
    assert expected in errors[0]
    # a trigger of nothing has the stop above it as well
    assert len(errors) == 1 + (literal == "0.001"), errors


DOCUMENTS = {
    "nothing": (b"", "document: empty"),
    "blanks": (b" \n\t ", "document: empty"),
    "not UTF-8": (EXAMPLE_JSON.replace(b"rule", b"r\xfcle"), "document: not UTF-8 at byte"),
    "UTF-16": (EXAMPLE_JSON.decode().encode("utf-16"), "document: not UTF-8 at byte 0"),
    "byte order mark": (b"\xef\xbb\xbf" + EXAMPLE_JSON, "document: starts with a byte order mark"),
    "a list": (b"[" + EXAMPLE_JSON + b"]", "document: one JSON object is expected, this is a list"),
    "a word": (b'"buy"', "document: one JSON object is expected, this is 'buy'"),
    "cut off": (EXAMPLE_JSON[:-1], "document: not JSON at line 3 column"),
    "trailing comma": (EXAMPLE_JSON[:-1] + b",}", "document: not JSON at line 3"),
    "comment": (b"// buy\n" + EXAMPLE_JSON, "document: not JSON at line 1 column 1"),
    "single quotes": (b"{'asset': 1}", "document: not JSON at line 1 column 2"),
    "two documents": (EXAMPLE_JSON + EXAMPLE_JSON, "document: more text follows the object at line 3"),
    "rubbish behind": (EXAMPLE_JSON + b" rm -rf", "document: more text follows the object"),
    "NUL byte": (EXAMPLE_JSON + b"\x00", "document: more text follows the object"),
    "too large": (EXAMPLE_JSON + b" " * 65536, "document: 65816 bytes, the limit is 65536"),
    "depth bomb": (b'{"tags":' + b"[" * 50_000, "document: nested deeper than 8 levels"),
    "brackets behind a broken string": (b'{"a":"' + b'\\"[' * 20_000, "document: not JSON"),
    "field given twice": (EXAMPLE_JSON[:-1] + b',"stop_loss":139}', "stop_loss: given twice; give it once"),
    "tag given twice": (EXAMPLE_JSON[:-1] + b',"tags":{"a":"1","a":"2"}}', "a: given twice; give it once"),
    "number with a plus": (EXAMPLE_JSON.replace(b"142.50", b"+142.50"), "document: not JSON"),
    "number in hex": (EXAMPLE_JSON.replace(b"142.50", b"0x8E"), "document: not JSON"),
}


@pytest.mark.parametrize(("raw", "expected"), DOCUMENTS.values(), ids=DOCUMENTS.keys())
def test_bytes_that_are_no_document_are_refused_with_what_they_are(raw: bytes, expected: str) -> None:
    assert expected in refused(raw)[0]


def test_everything_wrong_is_reported_at_once_also_across_fields() -> None:
    errors = refused(
        b'{"asset":"DOGE","direction":"LONG","trigger_price":142.5,"stop_loss":150,"confidence":7,"sise":1,'
        b'"timestamp":"2026-02-12T19:00:00Z","intent_id":"x","quantity":-1,"quantity":2}'
    )
    assert [error.partition(":")[0] for error in errors] == [
        "quantity",
        "intent_id",
        "confidence",
        "strategy_ref",
        "sise",
        "asset",
        "stop_loss",
        "take_profit",
        "ttl_seconds",
    ]


def test_a_missing_field_is_named() -> None:
    fields = json.loads(EXAMPLE_JSON)
    for name in set(fields) - {"ttl_seconds"}:
        errors = refused(json.dumps({key: value for key, value in fields.items() if key != name}).encode())
        assert [error for error in errors if error.startswith(f"{name}: is missing; add it")], errors
        assert len(errors) == 1, errors


def test_a_flood_of_faults_is_answered_briefly_and_soon() -> None:
    flood = json.dumps({f"stop_losss{n}": 1 for n in range(3000)}).encode()
    assert len(flood) > 60_000
    began = time.process_time()
    errors = refused(flood)
    assert time.process_time() - began < 1
    assert len(errors) == 25
    assert "more is wrong; correct these first" in errors[-1]


def test_no_scan_of_a_broken_document_goes_back() -> None:
    began = time.process_time()
    refused((b'{"a":"' + b'\\"' * 32_000)[:65_536])
    assert time.process_time() - began < 0.5
