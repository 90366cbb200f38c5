"""Native brackets of the exchanges of ccxt: a part is filled, the stream is silent, the desk dies.

What is measured is not what an order says but what is left when the market then falls through the stop: units
that the legs did not sell were bare. `DOCUMENTED` is what each venue's documentation says or, where it is
silent, the worst it allows (docs/decisions/0010-native-brackets.md has the sources); a simulator that is
kinder fails here, and so does an adapter that trusts a form which ever left a unit bare.
"""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec
import pytest

from neuratrade.core.model.market import NS_PER_SECOND, Quote
from neuratrade.core.model.orders import Side, TimeInForce
from neuratrade.rehearsal.faults import Fault, FaultKind
from neuratrade.rehearsal.stages import STAGES
from neuratrade.venues.ccxt.dialects import DIALECTS, dialect_of
from neuratrade.venues.port import Capabilities, NativeExit, StreamOpened, VenueRefused
from tests.contract.venues.stand import LATER_S, VENUES, D, Stand, on_stand, warped

HOUR_S = 3600.0
UNHEARD = Fault(LATER_S, FaultKind.SILENT_STREAM, seconds=100 * HOUR_S)
BRACKET, OCO, ONE_LEG = NativeExit.BRACKET, NativeExit.OCO, NativeExit.ONE_LEG
Place = Callable[[Any, str], Awaitable[Any]]


class Moment(StrEnum):
    """What of an entry of one coin was filled when the desk died. CRUMB: less than may be ordered there."""

    CRUMB = "a crumb, the rest rests"
    PART = "a part, the rest rests"
    PARTS = "two parts, the rest rests"
    ENDED = "a part, the rest is cancelled"
    WHOLE = "all"


class Left(NamedTuple):
    """covered: units that working stops were to sell. bare: units nobody sold when the market fell."""

    covered: Decimal
    bare: Decimal


WORKING = {
    "symbol": "BTCUSDT", "listClientOrderId": "list", "workingType": "LIMIT", "workingSide": "BUY",
    "workingPrice": "99", "workingQuantity": "1", "workingTimeInForce": "GTC",
    "workingClientOrderId": "entry", "pendingSide": "SELL", "pendingQuantity": "0.999",
}  # fmt: skip
OTO = WORKING | {"pendingType": "STOP_LOSS", "pendingStopPrice": "95", "pendingClientOrderId": "stop"}
OTOCO = WORKING | {
    "pendingAboveType": "LIMIT_MAKER", "pendingAbovePrice": "110", "pendingAboveClientOrderId": "target",
    "pendingBelowType": "STOP_LOSS", "pendingBelowStopPrice": "95", "pendingBelowClientOrderId": "stop",
}  # fmt: skip
LEGS: dict[str, Any] = {"stopLoss": {"triggerPrice": "95"}, "takeProfit": {"triggerPrice": "110"}}
CLOSE = {"close": {"ordertype": "stop-loss", "price": "95"}}
FORMS: dict[tuple[str, NativeExit], Place] = {
    ("binance", ONE_LEG): lambda exchange, _: exchange.private_post_orderlist_oto(OTO),
    ("binance", BRACKET): lambda exchange, _: exchange.private_post_orderlist_otoco(OTOCO),
    ("kraken", ONE_LEG): lambda exchange, symbol: exchange.create_order(symbol, "limit", "buy", 1, 99, CLOSE),
    ("okx", ONE_LEG): lambda exchange, symbol: exchange.create_order(
        symbol, "limit", "buy", 1, 99, {"stopLoss": LEGS["stopLoss"]}
    ),
    ("okx", BRACKET): lambda exchange, symbol: exchange.create_order(symbol, "limit", "buy", 1, 99, LEGS),
}
"""Every form that an unmodified client can attach to an entry."""
ON_CCXT = [name for name in STAGES if name in DIALECTS]


def left(covered: str, bare: str) -> Left:
    """In words of numbers."""
    return Left(D(covered), D(bare))


_AFTER_THE_WHOLE = {
    Moment.CRUMB: left("0", "0.00999"), Moment.PART: left("0", "0.3996"), Moment.PARTS: left("0", "0.6993"),
    Moment.ENDED: left("0", "0.3996"), Moment.WHOLE: left("0.999", "0"),
}  # fmt: skip
_AFTER_THE_END = {
    Moment.CRUMB: left("0", "0.009992"), Moment.PART: left("0", "0.39968"),
    Moment.PARTS: left("0", "0.69944"), Moment.ENDED: left("0.4", "0.39968"),
    Moment.WHOLE: left("1", "0.9992"),
}  # fmt: skip
DOCUMENTED: dict[tuple[str, NativeExit], dict[Moment, Left]] = {
    ("binance", ONE_LEG): _AFTER_THE_WHOLE,
    ("binance", BRACKET): _AFTER_THE_WHOLE,
    ("kraken", ONE_LEG): {
        Moment.CRUMB: left("0", "0.004"), Moment.PART: left("0.4", "0"), Moment.PARTS: left("0.7", "0"),
        Moment.ENDED: left("0.4", "0"), Moment.WHOLE: left("1", "0"),
    },
    ("okx", ONE_LEG): _AFTER_THE_END,
    ("okx", BRACKET): _AFTER_THE_END,
}  # fmt: skip


def capabilities(name: str) -> Capabilities:
    """What an adapter says of its venue."""
    return dialect_of(name).capabilities


async def die(stand: Stand) -> None:
    """The desk is gone: nothing of it speaks to the venue any more."""
    adapter: Any = stand.venue
    stand.asked.clear()
    await adapter._exchange.close()


def covered(stand: Stand) -> Decimal:
    """What working stops are to sell. Two legs that end each other are one exit."""
    stops = [
        order
        for order in stand.simulator.engine.open_orders(stand.contract.key)
        if order.ticket.side is Side.SELL and order.is_conditional and not order.ticket.takes_profit
    ]
    return sum((order.remaining for order in stops), D(0))


async def fill(stand: Stand, moment: Moment, entry_id: str) -> None:
    """So much of the entry is filled; the rest stays, or is ended by its owner."""
    crumb = "0.004" if stand.name == "kraken" else "0.01"
    sizes = {Moment.CRUMB: [crumb], Moment.PARTS: ["0.4", "0.3"], Moment.WHOLE: ["10"]}
    for size in sizes.get(moment, ["0.4"]):
        stand.quote("98", "98.9", size)
        stand.quote("98", "99.1")
    if moment is Moment.ENDED:
        adapter: Any = stand.venue
        named = {"origClientOrderId": "entry"} if stand.name == "binance" else {}
        await adapter._exchange.cancel_order(entry_id, adapter._symbols[stand.contract.key], named)


async def what_is_left(name: str, form: NativeExit, moment: Moment) -> Left:
    """Plays it: entry with legs, fills, silence, death, and an hour later the market falls."""
    async with on_stand(name, UNHEARD) as stand:
        adapter: Any = stand.venue
        async with stand.listening():
            await stand.trouble()
            made = await FORMS[name, form](adapter._exchange, adapter._symbols[stand.contract.key])
            await fill(stand, moment, made.get("id", ""))
            await stand.settled()
            assert [item for item in stand.told if not isinstance(item, StreamOpened)] == []
            await die(stand)
        await asyncio.sleep(HOUR_S)
        there = covered(stand)
        fall(stand)
        return Left(there, stand.simulator.engine.account.balances.get(stand.contract.base, D(0)))


def fall(stand: Stand) -> None:
    """The market falls through the stop, and nobody sells: what rests of an entry is not filled by it."""
    key, now_ns = stand.contract.key, stand.clock.now_ns()
    stand.simulator.engine.quote(Quote(key, now_ns, D(94), None, D(10), D(0)))


@pytest.mark.parametrize("moment", list(Moment))
@pytest.mark.parametrize(("name", "form"), list(FORMS))
@warped
async def test_legs_cover_what_their_venue_says_and_no_more(
    name: str, form: NativeExit, moment: Moment
) -> None:
    assert await what_is_left(name, form, moment) == DOCUMENTED[name, form][moment]


@pytest.mark.parametrize(("name", "form"), list(FORMS))
@warped
async def test_a_form_that_ever_left_a_filled_unit_bare_is_not_trusted(name: str, form: NativeExit) -> None:
    bare = {moment: (await what_is_left(name, form, moment)).bare for moment in Moment}
    assert form not in capabilities(name).trusted_exits or not any(bare.values()), bare


@pytest.mark.parametrize("name", ON_CCXT)
def test_every_native_form_is_played_or_said_not_to_be_and_only_a_played_one_can_be_trusted(
    name: str,
) -> None:
    able = capabilities(name)
    played = {form for venue, form in FORMS if venue == name}
    played |= {form for venue, form in PAIRS if venue == name}
    assert able.native_exits == played
    assert able.trusted_exits <= played - {OCO}


@pytest.mark.parametrize("name", [name for name in VENUES if name not in (*ON_CCXT, "paper")])
@warped
async def test_a_venue_of_which_nothing_is_measured_here_trusts_nothing(name: str) -> None:
    async with on_stand(name) as stand:
        assert stand.venue.capabilities.trusted_exits == frozenset()


OCO_PAIR = {
    "symbol": "BTCUSDT", "side": "SELL", "quantity": "0.999", "listClientOrderId": "pair",
    "aboveType": "LIMIT_MAKER", "abovePrice": "110", "aboveClientOrderId": "target",
    "belowType": "STOP_LOSS", "belowStopPrice": "95", "belowClientOrderId": "stop",
}  # fmt: skip
BOTH = {"stopLossPrice": "95", "takeProfitPrice": "110"}
PAIRS: dict[tuple[str, NativeExit], Place] = {
    ("binance", OCO): lambda exchange, _: exchange.private_post_orderlist_oco(OCO_PAIR),
    ("okx", OCO): lambda exchange, symbol: exchange.create_order(symbol, "oco", "sell", 0.999, None, BOTH),
}
"""Every form that ties a stop to a target of a position that is there already."""


@pytest.mark.parametrize(("name", "form"), list(PAIRS))
@warped
async def test_a_pair_leaves_bare_what_its_target_did_not_sell_before_the_market_turned(
    name: str, form: NativeExit
) -> None:
    async with on_stand(name, UNHEARD) as stand:
        await stand.own("1")
        adapter: Any = stand.venue
        await PAIRS[name, form](adapter._exchange, adapter._symbols[stand.contract.key])
        assert covered(stand) == D("0.999")
        owned = stand.simulator.engine.account.balances["BTC"]
        stand.quote("110", "110.1", "0.1")
        await die(stand)
        assert covered(stand) == 0
        fall(stand)
        left_over = stand.simulator.engine.account.balances["BTC"]
        assert owned > left_over > D("0.4")


# what a close at Kraken would break for a desk that keeps its own stop


@warped
async def test_a_close_holds_the_coins_that_the_desks_own_stop_would_need_and_has_no_id_of_ours() -> None:
    async with on_stand("kraken") as stand:
        adapter: Any = stand.venue
        await FORMS["kraken", ONE_LEG](adapter._exchange, adapter._symbols[stand.contract.key])
        await fill(stand, Moment.PART, "")
        stop = stand.protective("stop", "0.4")
        with pytest.raises(VenueRefused, match="Insufficient funds"):
            await stand.submit(stop)
        seen = await stand.venue.snapshot("main")
        assert seen.conditional is not None
        (close,) = seen.conditional
        assert close.client_order_id != stop.client_order_id
        stand.asked.clear()


@warped
async def test_an_attached_pair_at_okx_is_in_none_of_the_lists_the_desk_asks_for() -> None:
    async with on_stand("okx") as stand:
        adapter: Any = stand.venue
        await FORMS["okx", BRACKET](adapter._exchange, adapter._symbols[stand.contract.key])
        await fill(stand, Moment.WHOLE, "")
        assert covered(stand) == 1
        seen = await stand.venue.snapshot("main")
        assert (seen.plain, seen.conditional) == ((), ())
        stand.asked.clear()


# what rests while nobody watches


@pytest.mark.parametrize("name", ON_CCXT)
@warped
async def test_an_entry_outlives_its_time_while_the_desk_is_dead_where_its_venue_does_not_end_it(
    name: str,
) -> None:
    async with on_stand(name) as stand:
        ends_ns = stand.clock.now_ns() + 60 * NS_PER_SECOND
        entry = stand.order("entry", Side.BUY, "1", limit="99", force=TimeInForce.GTD)
        await stand.submit(msgspec.structs.replace(entry, expires_ns=ends_ns))
        await asyncio.sleep(HOUR_S)
        stand.quote("100", "100.1")
        (there,) = stand.simulator.engine.orders.values()
        assert there.is_live is (TimeInForce.GTD not in stand.venue.capabilities.times_in_force)
