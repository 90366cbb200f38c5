"""All markets together: whose price is believed, what a currency is worth, and when either is too old."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from neuratrade.core.engine.markets import Markets, Rate
from neuratrade.core.engine.state import AccountState
from neuratrade.core.model import facts as f
from neuratrade.core.model.account import Lot, Position
from neuratrade.core.model.events import MarkSeen, RateSeen, VenueHealth
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_SECOND, Quote
from tests.simulation.world import ACCOUNT, BINARY, FUTURE, PERP, SPOT, T0, D, desk_engine

S = NS_PER_SECOND
EURO = replace(SPOT, asset="EUR/USDT", base="EUR")
SHARE = replace(SPOT, asset="SAP/EUR", base="SAP", quote="EUR")
DAX = replace(PERP, asset="DAX/EUR", base="DAX", quote="EUR")
NEXT = replace(FUTURE, asset="ESZ/USDT")


def markets(*more: Instrument) -> Markets:
    """Markets that saw nothing yet."""
    return desk_engine(instruments=(PERP, SPOT, FUTURE, BINARY, *more)).markets


def show(known: Markets, item: Instrument, price: D | int | str, at_ns: int = T0) -> bool:
    return known.see_quote(Quote(item.key, at_ns, D(price), D(price), D(9), D(9)))


def account(cash: dict[str, D | int | str], **held: D | int | str) -> AccountState:
    """An account with balances by currency and units by base."""
    keys = {item.base: item.key for item in (PERP, SPOT, FUTURE, SHARE, DAX)}
    positions = {keys[base]: Position(D(units), lots=[Lot(D(units), D(100))]) for base, units in held.items()}
    return AccountState(ACCOUNT, {key: D(value) for key, value in cash.items()}, positions=positions)


# marks


def test_a_perpetual_is_marked_at_the_venues_own_mark_for_a_minute_and_others_by_their_book() -> None:
    known = markets()
    for item in (PERP, FUTURE):
        show(known, item, 100)
        known.see_mark(MarkSeen(item.key, T0, D(104)))
    assert known.mark_of(PERP.key, D(1), T0 + NS_PER_MINUTE) == 104
    assert known.mark_of(PERP.key, D(1), T0 + NS_PER_MINUTE + 1) == 100
    assert known.mark_of(FUTURE.key, D(1), T0) == 100
    assert known.mark_of("NOBODY@test", D(1), T0) is None


def test_only_what_is_held_and_has_a_price_is_marked() -> None:
    known = markets()
    show(known, PERP, 100)
    show(known, FUTURE, 50)
    held = account({}, BTC=2, ES=0, ETH=1)
    assert known.marks({"paper": held}, T0) == {PERP.key: D(100)}


def test_a_quote_without_prices_empties_the_book_and_is_no_outlier() -> None:
    known = markets()
    show(known, PERP, 100)
    assert known.see_quote(Quote(PERP.key, T0 + 1, None, None, D(0), D(0)))
    assert known.views[PERP.key].bid is None
    assert known.price_of(PERP.key) == 100
    assert not show(known, PERP, 150, T0 + 2)
    assert known.held_back(PERP.key) == 150
    assert known.price_of("NOBODY@test") is None


def test_a_price_is_stale_when_it_is_older_than_allowed_held_back_or_its_feed_is_stalled() -> None:
    known = markets()
    show(known, PERP, 100)
    assert not known.is_stale(PERP.key, T0 + 5 * S, 5 * S)
    assert known.is_stale(PERP.key, T0 + 5 * S + 1, 5 * S)
    known.views[PERP.key].stalled = True
    assert known.is_stale(PERP.key, T0, 5 * S)
    known.views[PERP.key].stalled = False
    show(known, PERP, 150)
    assert known.is_stale(PERP.key, T0, 5 * S)


def test_a_venue_in_trouble_is_so_for_all_its_markets_until_it_is_well_again_and_a_feed_for_its_own() -> None:
    known = markets(replace(SPOT, asset="ETH/USD", venue="elsewhere"))
    known.see_health(VenueHealth("test", T0, True))
    assert known.is_degraded(PERP.key)
    assert known.is_degraded(SPOT.key)
    assert not known.is_degraded("ETH/USD@elsewhere")
    known.see_health(VenueHealth("test", T0, False))
    assert not known.is_degraded(PERP.key)
    known.views[PERP.key].stalled = True
    assert known.is_degraded(PERP.key)
    assert not known.is_degraded(SPOT.key)


# conversions


def test_a_rate_that_was_told_goes_before_one_that_a_market_gives() -> None:
    known = markets(EURO)
    show(known, EURO, "1.25", T0 + 3)
    assert known.rate("EUR", "USDT") == Rate(D("1.25"), T0 + 3, EURO.key)
    assert known.rate("USDT", "EUR") == Rate(D("0.8"), T0 + 3, EURO.key)
    known.see_rate(RateSeen("EUR", "USDT", T0 + 1, D("1.2"), "bank"))
    assert known.rate("EUR", "USDT") == Rate(D("1.2"), T0 + 1, "bank")
    assert known.value_of_one("EUR", "USDT") == D("1.2")


def test_nobody_knows_a_rate_without_a_market_that_has_a_price_for_it() -> None:
    known = markets(EURO)
    show(known, SPOT, 100)
    assert known.rate("EUR", "USDT") is None
    assert known.value_of_one("USDT", "EUR") is None
    assert known.value_of_one("DOGE", "USDT") is None


def test_a_derivative_says_what_its_base_is_worth_but_nothing_can_be_bought_with_its_quote() -> None:
    known = markets()
    show(known, PERP, 100)
    assert known.value_of_one("BTC", "USDT") == 100
    assert known.rate("USDT", "BTC") is None


def test_a_currency_is_worth_itself_for_ever() -> None:
    found = markets().rate("EUR", "EUR")
    assert found is not None
    assert found.value == 1
    assert found.at_ns > T0 + 100 * 365 * 24 * 60 * NS_PER_MINUTE


@pytest.mark.parametrize("amount", ["1", "-1", "0.5"])
def test_cash_in_another_currency_needs_its_conversion_and_none_of_it_needs_none(amount: str) -> None:
    known = markets()
    rate = RateSeen("EUR", "USDT", T0, D("1.1"), "bank")
    known.see_rate(rate)
    assert known.conversions(account({"USDT": 5, "EUR": amount})) == [Rate(D("1.1"), T0, "bank")]
    assert known.conversions(account({"USDT": 5, "EUR": 0})) == []


def test_what_is_quoted_in_another_currency_needs_its_conversion_also_without_cash_there() -> None:
    known = markets(DAX, SHARE)
    assert known.conversions(account({"USDT": 5}, DAX=1)) == [None]
    assert known.conversions(account({"USDT": 5, "SAP": 1}, SAP=1)) == [None], "its quote, not its units"
    assert known.conversions(account({"USDT": 5}, DAX=0)) == []


def test_of_units_only_those_beyond_the_position_need_a_conversion() -> None:
    known = markets()
    show(known, SPOT, 100)
    (rate,) = known.conversions(account({"USDT": 5, "ETH": 3}, ETH=2))
    assert rate is not None
    assert rate.source == SPOT.key
    assert known.conversions(account({"USDT": 5, "ETH": 2}, ETH=2)) == []
    assert known.conversions(account({"USDT": 5, "BTC": 2}, BTC=2)) == [None], "a derivative holds no units"


def test_what_people_brought_while_nobody_knew_its_worth_needs_a_conversion_still() -> None:
    held = account({"USDT": 5})
    held.unrated["EUR"] = D(7)
    assert markets().conversions(held) == [None]


def test_conversions_are_stale_when_any_is_older_than_allowed_or_not_known_and_none_when_none_is_needed() -> (
    None
):
    known = markets()
    held = account({"EUR": 1, "GBP": 1})
    known.see_rate(RateSeen("EUR", "USDT", T0, D("1.1"), "bank"))
    assert known.converts_stale(held, T0, 5 * S), "nobody knows the other"
    known.see_rate(RateSeen("GBP", "USDT", T0 + 9 * S, D("1.3"), "bank"))
    assert not known.converts_stale(held, T0 + 5 * S, 5 * S)
    assert known.converts_stale(held, T0 + 5 * S + 1, 5 * S)
    assert not known.converts_stale(account({"USDT": 1}), T0 + 5 * S + 1, 5 * S)


def test_the_rates_of_an_account_are_into_its_own_currency() -> None:
    known = markets()
    known.see_rate(RateSeen("EUR", "USDT", T0, D("1.1"), "bank"))
    rates = known.rates_of(account({}))
    assert (rates.get("EUR"), rates.get("GBP")) == (D("1.1"), None)


# contracts that change


def acted(kind: f.ActionKind, item: Instrument, **terms: object) -> f.CorporateActed:
    return replace(f.CorporateActed(T0, "paper", item.key, kind, action_id="x"), **terms)


def prices(known: Markets, item: Instrument) -> tuple[Decimal | None, ...]:
    view = known.views[item.key]
    return view.price, view.bid, view.ask


def test_after_a_split_prices_go_on_in_new_terms_and_what_was_reckoned_from_the_old_is_gone() -> None:
    known = markets()
    known.see_quote(Quote(PERP.key, T0, D(100), D(101), D(9), D(9)))
    known.see_mark(MarkSeen(PERP.key, T0, D(104)))
    known.views[PERP.key].stalled = True
    before = known.views[PERP.key]
    known.act(acted(f.ActionKind.SPLIT, PERP, ratio=D(2)), PERP)
    view = known.views[PERP.key]
    assert view is not before
    assert prices(known, PERP) == (D("50.25"), D(50), D("50.5"))
    assert (view.price_ns, view.stalled) == (T0, True)
    assert known.mark_of(PERP.key, D(1), T0) == 50, "the venue's mark was in old terms"


def test_a_dividend_takes_its_amount_off_the_prices_and_keeps_what_was_reckoned() -> None:
    known = markets()
    show(known, SPOT, 100)
    before = known.views[SPOT.key]
    known.act(acted(f.ActionKind.DIVIDEND, SPOT, amount=D(2)), SPOT)
    assert known.views[SPOT.key] is before
    assert prices(known, SPOT) == (D(98), D(98), D(98))


def test_a_market_without_a_price_has_none_after_an_action_either() -> None:
    known = markets()
    known.act(acted(f.ActionKind.SPLIT, PERP, ratio=D(2)), PERP)
    assert prices(known, PERP) == (None, None, None)


@pytest.mark.parametrize(("seen", "price"), [(None, 103), (107, 107)])
def test_a_successor_begins_at_prices_that_were_reckoned_unless_it_has_its_own(
    seen: int | None, price: int
) -> None:
    known = markets(NEXT)
    show(known, FUTURE, 100)
    if seen is not None:
        show(known, NEXT, seen)
    known.act(acted(f.ActionKind.ROLL, FUTURE, amount=D(3), successor=NEXT), NEXT)
    assert known.price_of(NEXT.key) == price
    unknown = markets()
    show(unknown, FUTURE, 100)
    unknown.act(acted(f.ActionKind.ROLL, FUTURE, amount=D(3), successor=NEXT), NEXT)
    assert unknown.price_of(NEXT.key) == 103


def test_new_terms_of_a_known_contract_keep_its_market_and_an_unknown_one_gets_a_market() -> None:
    known = markets()
    show(known, PERP, 100)
    before = known.views[PERP.key]
    finer = replace(PERP, tick=D("0.01"))
    known.follow(finer)
    assert known.views[PERP.key] is before
    assert before.instrument == finer
    assert before.price == 100
    known.follow(NEXT)
    assert known.views[NEXT.key].instrument == NEXT
