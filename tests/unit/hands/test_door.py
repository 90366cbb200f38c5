"""The door admits what the contract says, exactly, and stamps what is the desk's to stamp."""

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest

from neuratrade.core.model.facts import DoorRefused, decode_fact, encode_fact
from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.intent import Direction, EntryType, Lane, OpenIntent, Stop, TakeProfit, Twap
from neuratrade.hands.door import Admitted, Door
from neuratrade.hands.fields import moment_ns
from neuratrade.hands.intent_schema import EXAMPLE_JSON

SENT_NS = moment_ns("2026-02-12T19:15:00Z")
SECOND = 1_000_000_000


def instrument(asset: str, venue: str, tick: str, kind: InstrumentKind = InstrumentKind.SPOT) -> Instrument:
    base, _, quote = asset.partition("/")
    return Instrument(
        asset,
        venue,
        kind,
        base,
        quote or "USD",
        Decimal(tick),
        Decimal("0.001"),
        Decimal("0.001"),
        Decimal(5),
    )


SOL = instrument("SOL/USD", "paper", "0.01")
DOOR = Door({SOL.key: SOL}, "paper", "account-1", "operator-1")


def admitted(
    fields: dict[str, object] | None = None, door: Door = DOOR, engine_ns: int | None = None
) -> Admitted:
    document = json.loads(EXAMPLE_JSON) | (fields or {})
    raw = json.dumps({name: value for name, value in document.items() if value is not None}).encode()
    answer = door.admit(raw, source="test", name="one", wall_ns=SENT_NS + SECOND, engine_ns=engine_ns)
    assert isinstance(answer, Admitted), answer
    return answer


def open_intent(fields: dict[str, object] | None = None) -> OpenIntent:
    return admitted(fields).intent


def test_the_example_of_the_contract_becomes_the_intent_it_describes() -> None:
    assert admitted() == Admitted(
        OpenIntent(
            intent_id="6f1c2f0e-5f0a-4c55-9a43-0d6a4f1b7c11",
            account_id="account-1",
            operator_id="operator-1",
            instrument="SOL/USD@paper",
            direction=Direction.LONG,
            trigger_price=Decimal("142.50"),
            protection=Stop(Decimal("139.50")),
            take_profits=(TakeProfit(Decimal("148.00")),),
            confidence=Decimal("0.85"),
            strategy_ref="rule_4_rsi_divergence",
            created_ns=SENT_NS,
            ttl_ns=15 * SECOND,
            source="test",
        ),
        (),
    )


def test_every_optional_field_arrives_where_the_documentation_says(repository: Path) -> None:
    text = (repository / "docs" / "intents.md").read_text("utf-8")
    example = re.search(r"```json\n(\{\n.*?\n\})\n```", text, re.DOTALL)
    assert example is not None
    answer = DOOR.admit(example[1].encode(), source="docs", name="intents.md", wall_ns=SENT_NS)
    assert isinstance(answer, Admitted), answer
    intent = answer.intent
    assert intent.protection == Stop(Decimal("139.50"), Decimal("0.015"))
    assert intent.take_profits == (
        TakeProfit(Decimal("145.00"), Decimal("0.5")),
        TakeProfit(Decimal("148.00"), Decimal("0.5")),
    )
    assert (intent.quantity, intent.lane, intent.order_type) == (
        Decimal("2.5"),
        Lane.TACTICAL,
        EntryType.LIMIT,
    )
    assert (intent.max_hold_ns, intent.entry_expiry_ns) == (3600 * SECOND, 300 * SECOND)
    assert intent.execution == Twap(5, 240 * SECOND)
    assert (intent.evidence, intent.tags) == (("news-4711",), {"session": "london", "note": "second try"})


def test_the_documentation_names_every_field_of_the_contract(repository: Path) -> None:
    from neuratrade.hands.intent_schema import IntentDocument

    text = (repository / "docs" / "intents.md").read_text("utf-8")
    assert [name for name in IntentDocument.model_fields if f"`{name}`" not in text] == []


def test_numbers_reach_decimal_digit_by_digit() -> None:
    fine = instrument("SOL/USD", "paper", "0.000000000001")
    raw = EXAMPLE_JSON.replace(b"142.50", b"142.123456789012").replace(b"0.85", b"0.8500000000000000000001")
    answer = Door({fine.key: fine}, "paper", "a", "o").admit(raw, source="t", name="n", wall_ns=SENT_NS)
    assert isinstance(answer, Admitted), answer
    assert answer.intent.trigger_price == Decimal("142.123456789012")
    assert answer.intent.confidence == Decimal("0.8500000000000000000001")


def test_an_id_has_one_spelling() -> None:
    assert (
        open_intent({"intent_id": "6F1C2F0E-5F0A-4C55-9A43-0D6A4F1B7C11"}).intent_id
        == open_intent().intent_id
    )


@pytest.mark.parametrize(
    ("direction", "sent", "taken"),
    [
        ("LONG", (142.509, 139.501, 148.009), ("142.50", "139.51", "148.00")),
        ("SHORT", (142.501, 145.009, 139.001), ("142.51", "145.00", "139.01")),
    ],
)
def test_prices_off_the_grid_move_towards_less_risk_and_the_sender_is_told(
    direction: str, sent: tuple[float, ...], taken: tuple[str, ...]
) -> None:
    answer = admitted(
        {"direction": direction} | dict(zip(("trigger_price", "stop_loss", "take_profit"), sent, strict=True))
    )
    intent = answer.intent
    assert (intent.trigger_price, intent.stop_price, intent.take_profits[0].price) == tuple(
        map(Decimal, taken)
    )
    assert answer.notes == tuple(
        f"{field}: {price} taken as {grid} on the tick grid of 0.01"
        for field, price, grid in zip(("trigger_price", "stop_loss", "take_profit"), sent, taken, strict=True)
    )


@pytest.mark.parametrize(
    ("ladder", "take_profit", "expected"),
    [
        ([(146, 0.5), (150, 0.5)], None, [("146", "0.5"), ("150", "0.5")]),
        ([(150, 0.25), (146, 0.25)], None, [("146", "0.25"), ("150", "0.25")]),
        ([(146, 0.5)], 148, [("146", "0.5"), ("148", "0.5")]),
        ([(146, 0.5), (150, 0.5)], 150, [("146", "0.5"), ("150", "0.5")]),
        ([(146.001, 0.5), (146.002, 0.3)], None, [("146.00", "0.8")]),
        ([], 148, [("148", "1")]),
    ],
)
def test_ladder_and_target_agree_on_who_takes_what(
    ladder: list[tuple[float, float]], take_profit: int | None, expected: list[tuple[str, str]]
) -> None:
    rungs = [{"price": price, "fraction": share} for price, share in ladder]
    intent = open_intent({"take_profits": rungs, "take_profit": take_profit})
    assert intent.take_profits == tuple(TakeProfit(Decimal(p), Decimal(f)) for p, f in expected)


@pytest.mark.parametrize(
    ("timestamp", "ns"),
    [
        ("2026-02-12T20:15:00+01:00", SENT_NS),
        ("2026-02-12T19:15:00.5Z", SENT_NS + SECOND // 2),
        ("2026-02-12T19:15:00.123456789Z", SENT_NS + 123_456_789),
        ("2026-02-12T19:15:03Z", SENT_NS + 3 * SECOND),  # 2 s ahead of the door: allowed
        ("2026-02-12T19:14:46Z", SENT_NS - 14 * SECOND),  # 15 s old at the door: still allowed
    ],
)
def test_times_are_exact_and_tolerated_up_to_the_limits(timestamp: str, ns: int) -> None:
    assert open_intent({"timestamp": timestamp}).created_ns == ns


def test_a_replay_judges_freshness_by_the_wall_and_stamps_with_the_engines_time() -> None:
    engine_ns = moment_ns("2024-08-05T00:00:00Z")
    assert admitted(engine_ns=engine_ns).intent.created_ns == engine_ns
    late = DOOR.admit(EXAMPLE_JSON, source="t", name="n", wall_ns=SENT_NS + 16 * SECOND, engine_ns=engine_ns)
    assert isinstance(late, DoorRefused)
    assert late.at_ns == engine_ns
    assert late.errors[0].startswith("ttl_seconds: stale, 15 s ended 1.000 s before it arrived")


def test_a_binary_outcome_keeps_its_prices_between_zero_and_one() -> None:
    outcome = Instrument(
        "RAIN-YES",
        "poly",
        InstrumentKind.BINARY,
        "RAIN-YES",
        "USDC",
        Decimal("0.001"),
        Decimal(1),
        Decimal(1),
        Decimal(1),
        price_ceiling=Decimal(1),
    )
    door = Door({outcome.key: outcome}, "poly", "a", "o")
    levels: dict[str, object] = {
        "asset": "RAIN-YES",
        "trigger_price": 0.5,
        "stop_loss": 0.4,
        "take_profit": 0.9,
    }
    assert admitted(levels, door).intent.instrument == "RAIN-YES@poly"
    raw = json.dumps(json.loads(EXAMPLE_JSON) | levels | {"take_profit": 1}).encode()
    refused = door.admit(raw, source="t", name="n", wall_ns=SENT_NS)
    assert isinstance(refused, DoorRefused)
    assert refused.errors == (
        "take_profit: 1.000 is no price of RAIN-YES@poly (tick 0.001); send one above 0 and below 1",
    )


def test_notes_and_names_in_any_script_pass() -> None:
    tags = {"emotion": "спокойно 🙂", "note": "first line\nsecond line\tindented"}
    intent = open_intent({"tags": tags, "strategy_ref": "戦略 7"})
    assert (intent.tags, intent.strategy_ref) == (tags, "戦略 7")


def test_a_refusal_survives_the_journal_whatever_the_file_was_called() -> None:
    refused = DOOR.admit(b"{}", source="folder", name="bad\udcff\x1b[2J" + "x" * 999, wall_ns=1)
    assert isinstance(refused, DoorRefused)
    assert decode_fact(encode_fact(refused)) == refused
    assert refused.name.isprintable()
