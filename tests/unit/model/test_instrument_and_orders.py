"""Contracts, money and order ids mean what their words say."""

import hashlib
from decimal import Decimal
from itertools import product

import msgspec
import pytest

from neuratrade.core.model.account import Money
from neuratrade.core.model.facts import decode_fact
from neuratrade.core.model.instrument import InstrumentKind, instrument_key
from neuratrade.core.model.intent import Direction
from neuratrade.core.model.market import NS_PER_MINUTE, Bar, Quote
from neuratrade.core.model.orders import OrderRole, OrderStatus, Side, client_order_id
from tests.unit.risk.builders import BINARY, FUTURE, INTENT, SPOT

D = Decimal


def test_the_key_joins_asset_and_venue() -> None:
    assert SPOT.key == instrument_key("SOL/USD", "paper") == "SOL/USD@paper"


def test_a_tick_and_a_point_of_a_future_are_worth_their_multiplier() -> None:
    assert FUTURE.tick_value == D("12.5")
    assert FUTURE.notional(D(-2), D(5_000)) == 500_000
    assert SPOT.tick_value == D("0.01")


@pytest.mark.parametrize(
    ("quantity", "price"), [("3", "37.63"), ("-3", "37.63"), ("3", "-37.63"), ("-3", "-37.63")]
)
def test_a_notional_is_never_negative(quantity: str, price: str) -> None:
    assert SPOT.notional(D(quantity), D(price)) == D("112.89")


def test_prices_and_quantities_meet_their_grids() -> None:
    assert SPOT.round_price(D("142.506")) == D("142.51")
    assert SPOT.round_quantity(D("0.0019999")) == D("0.001")
    assert FUTURE.round_price(D("5000.30")) == D("5000.25")
    assert FUTURE.round_quantity(D("0.99")) == 0


@pytest.mark.parametrize(
    ("price", "inside"),
    [("0", False), ("0.01", True), ("0.99", True), ("1", False), ("-0.01", False), ("1.01", False)],
)
def test_a_binary_outcome_is_priced_between_nothing_and_one(price: str, inside: bool) -> None:
    assert BINARY.admits_price(D(price)) is inside
    assert SPOT.admits_price(D(price)) is (D(price) > 0)


def test_only_perpetuals_and_futures_are_margin() -> None:
    margined = {kind for kind in InstrumentKind if msgspec.structs.replace(SPOT, kind=kind).is_derivative}
    assert margined == {InstrumentKind.PERPETUAL, InstrumentKind.FUTURE}


def test_money_adds_within_one_currency_only() -> None:
    assert Money(D("0.1"), "USD") + Money(D("0.2"), "USD") == Money(D("0.3"), "USD")
    with pytest.raises(ValueError, match="cannot add EUR to USD: convert one of them first"):
        Money(D(1), "USD") + Money(D(1), "EUR")


def test_an_order_id_is_the_first_128_bits_of_the_hash_of_its_parts() -> None:
    intent = "6f1c2f0e-5f0a-4c55-9a43-0d6a4f1b7c11"
    expected = hashlib.sha256(f"main|{intent}|entry-0|0".encode("ascii")).digest()[:16].hex()
    assert client_order_id("main", intent, "entry-0", 0) == expected == "e96da596080481dd2eb2a95b48624191"
    assert len(expected) == 32
    assert expected == expected.lower()


def test_each_part_of_an_order_id_tells_orders_apart() -> None:
    ids = {client_order_id(*parts) for parts in product(("a", "b"), ("i", "j"), ("entry", "stop"), (0, 1))}
    assert len(ids) == 16


def test_a_separator_inside_a_part_cannot_make_two_orders_one() -> None:
    pieces = ("a", "a|b", "a|b|c", "b", "b|c", "c", "|", "", "\\", "a\\", "\\|b", "a\\|b", "|c")
    ids = {client_order_id(account, intent, leg, 0) for account, intent, leg in product(pieces, repeat=3)}
    assert len(ids) == len(pieces) ** 3
    assert client_order_id("a", "b", "c", 11) != client_order_id("a", "b", "c|1", 1)


def test_sides_and_directions_have_signs_and_opposites() -> None:
    assert (Side.BUY.sign, Side.SELL.sign) == (1, -1)
    assert (Side.BUY.opposite, Side.SELL.opposite) == (Side.SELL, Side.BUY)
    assert (Direction.LONG.sign, Direction.SHORT.sign) == (1, -1)


def test_only_an_entry_may_add_exposure() -> None:
    assert [role for role in OrderRole if not role.reduces] == [OrderRole.ENTRY]


def test_final_orders_are_those_nothing_more_can_come_of() -> None:
    open_ = {OrderStatus.PLANNED, OrderStatus.WORKING, OrderStatus.PARTIAL, OrderStatus.UNKNOWN}
    assert {status for status in OrderStatus if not status.is_final} == open_


def test_a_bar_may_be_acted_on_when_it_closed() -> None:
    bar = Bar("x", NS_PER_MINUTE, 5, D(1), D(1), D(1), D(1), D(1))
    assert bar.close_ns == 5 + NS_PER_MINUTE


def test_the_mid_of_a_one_sided_book_is_the_side_there_is() -> None:
    both = Quote("x", 0, D(1), D(2), D(1), D(1))
    assert both.mid == D("1.5")
    assert msgspec.structs.replace(both, bid=None).mid == 2
    assert msgspec.structs.replace(both, ask=None).mid == 1
    assert msgspec.structs.replace(both, bid=None, ask=None).mid is None


def test_intents_cannot_be_changed_and_share_no_tags() -> None:
    for name in INTENT.__struct_fields__:
        with pytest.raises(AttributeError, match="immutable"):
            setattr(INTENT, name, D(100))
    first, second = (
        msgspec.structs.replace(INTENT, tags={}),
        type(INTENT)(*[getattr(INTENT, name) for name in INTENT.__struct_fields__[:11]]),
    )
    assert first.tags is not second.tags
    assert INTENT.stop_price == 98


@pytest.mark.parametrize(
    "payload",
    [
        b'{"type":"never_heard_of","at_ns":1}',
        b'{"at_ns":1}',
        b"{}",
        b"[]",
        b"",
        b"null",
        b'{"type":"timer_set","at_ns":1}',
        b'{"type":"timer_fired","at_ns":"1","timer_id":"x"}',
        b'{"type":"timer_fired","at_ns":1.5,"timer_id":"x"}',
        b'{"type":"timer_fired","at_ns":true,"timer_id":"x"}',
        b'{"type":"order_amended","at_ns":1,"client_order_id":"x","quantity":"one","stop_price":"1"}',
        b'{"type":"timer_fired","at_ns":1,"timer_id":"x"} trailing',
    ],
)
def test_what_is_no_fact_is_refused(payload: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_fact(payload)


def test_the_refusal_names_the_field() -> None:
    with pytest.raises(msgspec.ValidationError, match="missing required field `due_ns`"):
        decode_fact(b'{"type":"timer_set","at_ns":1,"timer_id":"x"}')
    with pytest.raises(msgspec.ValidationError, match=r"\$\.quantity"):
        decode_fact(
            b'{"type":"order_amended","at_ns":1,"client_order_id":"x","quantity":"one","stop_price":"1"}'
        )
