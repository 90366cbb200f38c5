"""Facts survive the journal digit for digit; rounding never gives more than was asked."""

from decimal import Decimal
from fractions import Fraction
from typing import cast, get_args

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neuratrade.core.model import facts as f
from neuratrade.core.model.account import Account
from neuratrade.core.model.approval import Envelope, LayerReport
from neuratrade.core.model.decimals import ceil_to, floor_to, is_multiple, nearest
from neuratrade.core.model.facts import MarketSeen
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.intent import (
    AmendIntent,
    BasketIntent,
    CancelIntent,
    CloseIntent,
    DefinedRisk,
    Hedged,
    OpenIntent,
    ReduceIntent,
    Stop,
    TakeProfit,
)
from neuratrade.core.model.orders import Fill, OrderRequest, client_order_id

KINDS: tuple[type[msgspec.Struct], ...] = get_args(f.Fact)
FINITE = st.decimals(allow_nan=False, allow_infinity=False)

st.register_type_strategy(Decimal, FINITE)
# The codec holds integers of 64 bits: nanoseconds until the year 2262.
st.register_type_strategy(int, st.integers(-(2**63), 2**63 - 1))
# A lone surrogate is no text: the door refuses it.
st.register_type_strategy(str, st.text(st.characters(codec="utf-8"), max_size=8))


def whole(kind: type[msgspec.Struct]) -> st.SearchStrategy[msgspec.Struct]:
    """Facts and their parts with every field drawn, those with a default too."""
    return st.builds(kind, **dict.fromkeys(kind.__struct_fields__, ...))


PARTS = (
    Account, Instrument, LayerReport, Envelope, MarketSeen, OrderRequest, Fill,
    Stop, DefinedRisk, Hedged, TakeProfit, ReduceIntent, CloseIntent, CancelIntent, AmendIntent,
)  # fmt: skip
for part in PARTS:
    st.register_type_strategy(part, whole(part))
RUNGS = st.lists(st.from_type(TakeProfit), max_size=2).map(tuple)
WORDS = st.lists(st.from_type(str), max_size=2).map(tuple)
TAGS = st.dictionaries(st.from_type(str), st.from_type(str), max_size=2)
OPENS = st.builds(
    OpenIntent,
    **dict.fromkeys(OpenIntent.__struct_fields__, ...)
    | {"take_profits": RUNGS, "evidence": WORDS, "tags": TAGS},
)
st.register_type_strategy(OpenIntent, OPENS)
st.register_type_strategy(BasketIntent, st.builds(BasketIntent, legs=st.lists(OPENS, max_size=2).map(tuple)))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_every_kind_of_fact_comes_back_as_it_was(kind: type, data: st.DataObject) -> None:
    fact = cast("f.Fact", data.draw(whole(kind)))
    payload = f.encode_fact(fact)
    back = f.decode_fact(payload)
    assert type(back) is kind
    assert back == fact
    # Equal decimals may differ in their digits (1.0 and 1.00); the text may not.
    assert f.encode_fact(back) == payload
    assert f.kind_of(back) == msgspec.json.decode(payload)["type"]


def test_every_kind_has_a_tag_of_its_own() -> None:
    tags = [kind.__struct_config__.tag for kind in KINDS]
    assert len(set(tags)) == len(tags) >= 30


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@settings(max_examples=2, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_a_fact_without_one_of_its_fields_is_none(kind: type, data: st.DataObject) -> None:
    fields = msgspec.json.decode(f.encode_fact(cast("f.Fact", data.draw(whole(kind)))))
    required = [field.encode_name for field in msgspec.structs.fields(kind) if field.required]
    assert "at_ns" in required
    for name in required:
        without = {key: value for key, value in fields.items() if key != name}
        with pytest.raises(msgspec.ValidationError, match=f"missing required field `{name}`"):
            f.decode_fact(msgspec.json.encode(without))


@pytest.mark.parametrize(
    "digits", ["0.10", "1E+5", "-0", "0E-18", "123456789012345678901234567890.0123456789", "1e-30"]
)
def test_decimals_keep_their_exact_digits(digits: str) -> None:
    moved = f.CashMoved(1, "main", "USD", Decimal(digits))
    back = f.decode_fact(f.encode_fact(moved))
    assert isinstance(back, f.CashMoved)
    assert back.amount.as_tuple() == Decimal(digits).as_tuple()


any_value = st.decimals(min_value=Decimal("-1e18"), max_value=Decimal("1e18"), allow_nan=False)
any_step = st.one_of(
    st.sampled_from(
        [Decimal("1e-12"), Decimal("0.01"), Decimal("0.25"), Decimal(1), Decimal(3), Decimal("1e6")]
    ),
    st.decimals(min_value=Decimal("1e-9"), max_value=Decimal("1e9"), places=9).filter(lambda step: step > 0),
)


@settings(max_examples=300)
@given(any_value, any_step)
def test_rounding_stays_on_the_grid_and_on_its_side(value: Decimal, step: Decimal) -> None:
    exact, grid = Fraction(value), Fraction(step)
    down, near, up = floor_to(value, step), nearest(value, step), ceil_to(value, step)
    for snapped in (down, near, up):
        assert Fraction(snapped) % grid == 0
        assert is_multiple(snapped, step)
    assert Fraction(down) == exact // grid * grid <= exact
    assert Fraction(up) == -(-exact // grid) * grid >= exact
    assert abs(Fraction(near) - exact) * 2 <= grid
    assert is_multiple(value, step) == (down == up)


parts = st.text("ab|\\0", max_size=4)


@given(st.tuples(parts, parts, parts, st.integers(0, 12)), st.tuples(parts, parts, parts, st.integers(0, 12)))
def test_two_orders_share_an_id_only_when_all_their_parts_are_the_same(
    one: tuple[str, str, str, int], other: tuple[str, str, str, int]
) -> None:
    assert (client_order_id(*one) == client_order_id(*other)) == (one == other)
