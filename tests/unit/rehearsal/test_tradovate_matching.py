"""What the matching engine does for a futures broker: orders of one id, margin of what opens, whole fills."""

from decimal import Decimal

import pytest

from neuratrade.core.model.orders import Side
from neuratrade.rehearsal.matching import MOST_LEVELS, Rules
from neuratrade.rehearsal.orders import Reason, Rejected
from neuratrade.rehearsal.tradovate import RULES
from tests.contract.rehearsal.tradovate_world import ES
from tests.unit.rehearsal.exchange import Floor

D = Decimal


def floor(cash: str, rules: Rules = RULES) -> Floor:
    """ES at 6900.00 and 6900.25."""
    made = Floor(ES, balances={"USD": D(cash)}, rules=rules)
    made.quote("6900.00", "6900.25", "3")
    return made


def test_an_id_that_is_there_already_is_one_more_order() -> None:
    here = floor("1000000")
    first, second = here.buy("1", name="same"), here.buy("1", name="same")
    assert first.order_id != second.order_id
    assert here.engine.account.position(ES.key) == 2
    assert here.engine.find("same") is second


def test_what_closes_needs_no_margin_and_what_turns_needs_that_of_the_rest() -> None:
    # One contract ties up 0.06 of 345 012.50.
    here = floor("25000")
    here.buy("1")
    with pytest.raises(Rejected) as lacking:
        here.buy("1")
    assert lacking.value.reason is Reason.BALANCE
    here.sell("1", stop="6880")
    with pytest.raises(Rejected):
        here.sell("2")
    here.sell("1", limit="6900.00")
    assert here.engine.account.position(ES.key) == 0


def test_elsewhere_what_closes_needs_margin_like_any_order() -> None:
    here = floor("25000", Rules(lends=True))
    here.buy("1")
    with pytest.raises(Rejected):
        here.sell("1")


def test_a_larger_order_may_be_made_of_one_that_closes() -> None:
    here = floor("25000")
    here.buy("1")
    stop = here.sell("1", stop="6880")
    with pytest.raises(Rejected):
        here.engine.amend(stop.order_id, D(3), None, D(6880))
    here.engine.amend(stop.order_id, D(1), None, D(6881))


def test_what_is_takeable_is_what_an_order_then_takes() -> None:
    here = floor("10000000")
    market = here.ticket(Side.BUY, "99")
    assert here.engine.takeable(market) == 3 * MOST_LEVELS
    limited = here.ticket(Side.BUY, "99", limit="6900.50")
    assert here.engine.takeable(limited) == 6
    assert here.engine.place(limited).filled == 6
    assert here.engine.takeable(here.ticket(Side.BUY, "99", limit="6900.50")) == 0
    assert here.engine.place(market).filled == 3 * MOST_LEVELS - 6
    here.quote(None, None)
    assert here.engine.takeable(here.ticket(Side.SELL, "1")) == 0
