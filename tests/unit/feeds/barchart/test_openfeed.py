"""Openfeed as our client hears it: prices, delays, refusals, ends, and what no frame can do to it."""

from decimal import Decimal

import pytest

from neuratrade.core.model.errors import Refused, Retryable, Terminal, UsageError
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.feeds.barchart.hosts import check_url
from neuratrade.feeds.barchart.openfeed import Login, Service
from neuratrade.feeds.barchart.transport import UNKNOWN_DELAY, ClockTick, Opened, QuoteTick, TradeTick
from neuratrade.rehearsal.faults import Fault, FaultKind
from neuratrade.rehearsal.openfeed import framed
from tests.unit.feeds.barchart.gateway import (
    BEGIN_NS,
    GC,
    NQ,
    SYMBOLS,
    D,
    Gateway,
    gateway,
    listening,
)
from tests.unit.rehearsal.exchange import warped

PASSWORD = "a-password-nobody-may-read"


@warped
async def test_quotes_and_trades_come_with_the_venues_times_and_exact_prices() -> None:
    async with gateway() as world, listening(world, world.transport()) as heard:
        world.quote("5800.25", "5800.50")
        world.trade("5800.25")
        await world.clock.sleep(0.5)
        at_ns = BEGIN_NS + NS_PER_SECOND
        (_, quote) = [tick for tick in heard.of(QuoteTick) if tick.symbol == "ESZ26"]
        assert quote == QuoteTick("ESZ26", D("5800.25"), D("5800.5"), D(7), D(8), at_ns, 0)
        assert heard.of(TradeTick) == [TradeTick("ESZ26", D("5800.25"), D(3), at_ns, 0, "", False)]
        assert heard.of(Opened) == [Opened()]


@warped
async def test_heartbeats_tell_the_venues_clock_and_keep_a_quiet_connection() -> None:
    async with gateway() as world, listening(world, world.transport(), wait_s=120) as heard:
        assert not heard.ended
        beats = heard.of(ClockTick)
        assert len(beats) >= 100
        assert all(BEGIN_NS < (beat.at_ns or 0) <= world.clock.now_ns() for beat in beats)


@warped
async def test_a_connection_without_heartbeats_is_given_up() -> None:
    mute = Fault(2.0, FaultKind.SILENT_STREAM, 60.0)
    async with gateway(mute) as world, listening(world, world.transport(), wait_s=30) as heard:
        assert isinstance(heard.error, Retryable)
        assert "said nothing" in str(heard.error)


@warped
async def test_several_messages_in_one_frame_are_all_heard() -> None:
    async with gateway() as world, listening(world, world.transport()) as heard:
        world.simulator.together = 3
        for price in ("5800.25", "5800.50", "5800.75"):
            world.trade(price)
        await world.clock.sleep(0.5)
        assert [tick.price for tick in heard.of(TradeTick)] == [D("5800.25"), D("5800.5"), D("5800.75")]


@warped
async def test_what_is_granted_as_delayed_is_told_as_delayed_whatever_was_asked_for() -> None:
    async with gateway() as world:
        world.simulator.service = "DELAYED"
        async with listening(world, world.transport()) as heard:
            world.trade("5800.25")
            await world.clock.sleep(0.5)
            assert {tick.delay_minutes for tick in heard.of(TradeTick)} == {UNKNOWN_DELAY}


@warped
async def test_what_is_asked_for_as_delayed_is_never_of_the_present() -> None:
    async with gateway() as world:
        world.simulator.service = "REAL_TIME"
        async with listening(world, world.transport(service=Service.DELAYED)) as heard:
            world.trade("5800.25")
            await world.clock.sleep(0.5)
            assert {tick.delay_minutes for tick in heard.of(TradeTick)} == {UNKNOWN_DELAY}


@warped
async def test_a_second_login_ends_the_first_for_good() -> None:
    async with gateway() as world:
        first, second = world.transport(), world.transport()
        async with listening(world, first) as before, listening(world, second) as after:
            await world.clock.sleep(1)
            assert isinstance(before.error, Terminal)
            assert "DUPLICATE_LOGIN" in str(before.error)
            assert not after.ended


@pytest.mark.parametrize("result", ["INVALID_CREDENTIALS", "JWT_EXPIRED", "INSUFFICIENT_PRIVILEGES"])
@pytest.mark.parametrize("before", [False, True])
def test_a_refused_login_is_an_error_of_use_at_first_and_final_once_it_was_taken(
    result: str, before: bool
) -> None:
    @warped
    async def play() -> None:
        async with gateway(Fault(1.5, FaultKind.PRICES_CUT)) as world:
            transport = world.transport()
            if before:
                async with listening(world, transport, wait_s=5) as cut:
                    assert isinstance(cut.error, Retryable)
            world.simulator.login_result = result
            async with listening(world, transport) as heard:
                assert type(heard.error) is (Terminal if before else UsageError)
                assert result in str(heard.error)

    play()


@warped
async def test_a_failure_of_the_gateways_own_may_pass() -> None:
    async with gateway() as world:
        world.simulator.login_result = "GENERIC_FAILURE"
        async with listening(world, world.transport()) as heard:
            assert isinstance(heard.error, Retryable)


@warped
async def test_no_error_and_no_note_repeats_a_password_or_a_token() -> None:
    async with gateway() as world:
        transport = world.transport(Login("somebody", PASSWORD, "a-jwt-nobody-may-read"))
        async with listening(world, transport) as heard:
            said = f"{heard.error} {heard.error!r} {transport!r} {world.notes} {Login('a', PASSWORD)!r}"
            assert "INVALID_CREDENTIALS" in said
            assert "***" in said, "the gateway repeated it, and it was taken out"
            assert "nobody-may-read" not in said


@warped
async def test_a_symbol_that_is_refused_at_first_ends_it_by_its_name() -> None:
    async with gateway() as world, listening(world, world.transport(), ("ESZ26", "ESZ99")) as heard:
        assert isinstance(heard.error, UsageError)
        assert "ESZ99: INVALID_SYMBOL" in str(heard.error)


@warped
async def test_a_symbol_that_is_refused_later_leaves_the_others_alone() -> None:
    async with gateway(Fault(1.5, FaultKind.PRICES_CUT)) as world:
        transport = world.transport()
        async with listening(world, transport, wait_s=5):
            pass
        world.simulator.refused["ESZ26"] = "INSUFFICIENT_PRIVILEGES"
        async with listening(world, transport) as heard:
            world.quote("20000", "20000.25", NQ)
            await world.clock.sleep(0.5)
            assert heard.of(Opened)
            assert heard.of(QuoteTick)[-1].symbol == "NQZ26"
            assert any("ESZ26: INSUFFICIENT_PRIVILEGES" in note for note in world.notes)


@warped
async def test_a_silent_symbol_is_left_and_asked_for_anew() -> None:
    async with gateway() as world:
        transport = world.transport()
        with pytest.raises(Retryable):
            await transport.subscribe_again("ESZ26")
        async with listening(world, transport) as heard:
            await transport.subscribe_again("ESZ26")
            await world.clock.sleep(0.5)
            asked = [
                (item.unsubscribe, [one.symbol for one in item.requests]) for item in world.simulator.asked
            ]
            assert asked == [(False, ["ESZ26", "NQZ26"]), (True, ["ESZ26"]), (False, ["ESZ26"])]
            world.trade("5800.25")
            await world.clock.sleep(0.5)
            assert len(heard.of(TradeTick)) == 1


@pytest.mark.parametrize(
    ("denominator", "price", "exact"),
    [(1, "3", "3"), (100, "5.25", "5.25"), (32, "5.03125", "5.03125"), (64, "2.5", "2.5")],
)
def test_prices_are_exact_whatever_their_denominator(denominator: int, price: str, exact: str) -> None:
    @warped
    async def play() -> None:
        async with gateway() as world:
            world.simulator.denominators["GCZ26"] = denominator
            async with listening(world, world.transport(), ("GCZ26",)) as heard:
                world.trade(price, GC)
                await world.clock.sleep(0.5)
                assert [tick.price for tick in heard.of(TradeTick)] == [D(exact)]

    play()


def hostile(world: Gateway) -> dict[str, list[bytes | str]]:
    """Frames nobody should send, by the kind each is counted as."""
    api = world.simulator.api
    now_ns = world.clock.now_ns()

    def update(**fields: object) -> object:
        message = api.OpenfeedGatewayMessage()
        told = message.marketUpdate
        told.marketId, told.symbol, told.priceDenominator, told.transactionTime = 1001, "ESZ26", 100, now_ns
        told.bbo.bidPrice = told.bbo.offerPrice = 580_000
        for name, value in fields.items():
            where, _, last = name.rpartition("__")
            setattr(getattr(told, where) if where else told, last, value)
        return message

    unknown = update(marketId=77, symbol="???")
    negative = api.OpenfeedGatewayMessage()
    negative.instrumentDefinition.marketId = 1001
    negative.instrumentDefinition.symbol = "ESZ26"
    negative.instrumentDefinition.priceDenominator = -100
    stranger = api.OpenfeedGatewayMessage()
    stranger.instrumentDefinition.marketId = 78
    whole = update().SerializeToString()  # type: ignore[attr-defined]
    return {
        "text frames": ["hello", "\x00\x03abc", ""],
        "torn lengths": [b"\x00"],
        "messages longer than their frame": [b"\xff\xff\x01", framed(whole)[:-1]],
        "empty messages": [b"\x00\x00"],
        "messages that are no protobuf": [framed(b"\xff\xff\xff"), framed(whole[:-2])],
        "messages of unknown kinds": [framed(b"\xa2\x06\x00")],
        "data of markets that were not asked for": [framed(unknown)],
        "definitions of markets that were not asked for": [framed(stranger)],
        "denominators that are none": [framed(negative)],
        "numbers without a denominator": [framed(update(priceDenominator=-1))],
        "prices that are no decimals": [framed(update(priceDenominator=3, bbo__offerPrice=580_001))],
        "books whose bid is above the ask": [framed(update(bbo__bidPrice=580_100))],
        "sizes below zero": [framed(update(bbo__bidQuantity=-5))],
        "times that are none": [
            framed(update(transactionTime=-1)),
            framed(update(bbo__transactionTime=2**62)),
        ],
    }


@warped
async def test_no_frame_ends_the_feed_and_each_kind_is_counted_and_told_once() -> None:
    async with gateway() as world:
        transport = world.transport()
        async with listening(world, transport) as heard:
            frames = hostile(world)
            for _ in range(3):
                for kinds in frames.values():
                    for frame in kinds:
                        world.simulator.send(frame)
            await world.clock.sleep(1)
            before = len(heard.of(TradeTick))
            world.trade("5800.25")
            await world.clock.sleep(0.5)
            assert not heard.ended
            assert len(heard.of(TradeTick)) == before + 1
            assert transport.tally.unreadable == {kind: 3 * len(sent) for kind, sent in frames.items()}
            for kind in frames:
                assert sum(kind in note for note in world.notes) == 1


@warped
async def test_what_came_whole_before_a_tear_in_the_same_frame_counts() -> None:
    async with gateway() as world, listening(world, world.transport()) as heard:
        message = world.simulator._update("ESZ26")
        message.marketUpdate.bbo.bidPrice = 58_000_000
        world.simulator.send(framed(message) + b"\x10\x00torn")
        await world.clock.sleep(0.5)
        assert heard.of(QuoteTick)[-1].bid == D(5800)


@warped
async def test_words_of_a_newer_protocol_are_lawful_and_change_nothing() -> None:
    async with gateway() as world:
        transport = world.transport()
        async with listening(world, transport) as heard:
            message = world.simulator._update("ESZ26")
            trade = message.marketUpdate.trades.trades.add().trade
            trade.price, trade.quantity, trade.side = 58_000_000, 1, 99
            world.simulator.send(framed(message.SerializeToString() + b"\xa2\x06\x03new"))
            await world.clock.sleep(0.5)
            (told,) = heard.of(TradeTick)
            assert told.aggressor_buy is None, "a side nobody knows is no side"
            assert not transport.tally.unreadable


@warped
async def test_a_service_of_a_name_nobody_knows_is_not_taken_for_the_present() -> None:
    async with gateway() as world, listening(world, world.transport()) as heard:
        snapshot = world.simulator._snapshot("ESZ26", 99)
        world.simulator.send(framed(snapshot))
        await world.clock.sleep(0.5)
        assert heard.of(QuoteTick)[-1].delay_minutes == UNKNOWN_DELAY


@warped
async def test_a_price_below_zero_is_lawful_on_the_wire() -> None:
    async with gateway() as world, listening(world, world.transport(), tuple(SYMBOLS)) as heard:
        world.trade("-37.63", GC)
        await world.clock.sleep(0.5)
        assert heard.of(TradeTick)[-1].price == Decimal("-37.63")


@pytest.mark.parametrize("kind", ["doesNotUpdateLast", "blockTrade"])
def test_trades_that_do_not_make_the_last_price_are_left_out(kind: str) -> None:
    @warped
    async def play() -> None:
        async with gateway() as world:
            transport = world.transport()
            async with listening(world, transport) as heard:
                message = world.simulator._update("ESZ26")
                trade = message.marketUpdate.trades.trades.add().trade
                trade.price, trade.quantity = 58_000_000, 1
                setattr(trade, kind, True)
                message.marketUpdate.trades.trades.add().tradeCancel.transactionTime = 1
                world.simulator.send(framed(message))
                await world.clock.sleep(0.5)
                assert heard.of(TradeTick) == []
                assert transport.tally.unused["trades that do not make the last price"] == 1
                assert transport.tally.unused["corrections of trades"] == 1

    play()


@pytest.mark.parametrize("where", ["message", "book"])
def test_quotes_of_one_participant_are_none_of_the_market(where: str) -> None:
    @warped
    async def play() -> None:
        async with gateway() as world:
            transport = world.transport()
            async with listening(world, transport) as heard:
                message = world.simulator._update("ESZ26")
                message.marketUpdate.bbo.bidPrice = 58_000_000
                (message.marketUpdate if where == "message" else message.marketUpdate.bbo).regional = True
                before = len(heard.of(QuoteTick))
                world.simulator.send(framed(message))
                await world.clock.sleep(0.5)
                assert len(heard.of(QuoteTick)) == before
                assert transport.tally.unused["quotes and trades of one participant"] == 1

    play()


@warped
async def test_a_side_that_is_not_told_is_gone_and_a_price_of_zero_with_a_size_is_a_price() -> None:
    async with gateway() as world, listening(world, world.transport(), ("GCZ26",)) as heard:
        message = world.simulator._update("GCZ26")
        message.marketUpdate.bbo.offerQuantity = 4
        world.simulator.send(framed(message))
        await world.clock.sleep(0.5)
        told = heard.of(QuoteTick)[-1]
        assert (told.bid, told.bid_size, told.ask, told.ask_size) == (None, D(0), D(0), D(4))


@warped
async def test_a_book_that_is_cleared_has_no_side() -> None:
    async with gateway() as world, listening(world, world.transport()) as heard:
        world.quote("5800.25", "5800.50")
        message = world.simulator._update("ESZ26")
        message.marketUpdate.clearBook.reserved = 1
        await world.clock.sleep(0.1)
        world.simulator.send(framed(message))
        await world.clock.sleep(0.5)
        assert (heard.of(QuoteTick)[-1].bid, heard.of(QuoteTick)[-1].ask) == (None, None)


@warped
async def test_an_index_has_a_value_and_no_size() -> None:
    async with gateway() as world, listening(world, world.transport()) as heard:
        message = world.simulator._update("ESZ26")
        message.marketUpdate.index.last = 187_500
        world.simulator.send(framed(message))
        await world.clock.sleep(0.5)
        told = heard.of(TradeTick)[-1]
        assert (told.price, told.size) == (D("18.75"), D(0))


@warped
async def test_sizes_have_denominators_of_their_own() -> None:
    async with gateway() as world, listening(world, world.transport()) as heard:
        definition = world.simulator._definition("ESZ26")
        definition.instrumentDefinition.quantityDenominator = 100
        definition.instrumentDefinition.bidOfferQuantityDenominator = 10
        world.simulator.send(framed(definition))
        world.quote("5800.25", "5800.50", size=7)
        world.trade("5800.25", quantity=3)
        await world.clock.sleep(0.5)
        assert heard.of(QuoteTick)[-1].bid_size == D("0.7")
        assert heard.of(TradeTick)[-1].size == D("0.03")


@pytest.mark.parametrize(
    ("url", "allowed"),
    [
        ("wss://openfeed.aws.barchart.com/ws", True),
        ("ws://127.0.0.1:9/ws", True),
        ("ws://localhost:9/ws", True),
        ("ws://openfeed.aws.barchart.com/ws", False),
        ("http://ondemand.websol.barchart.com", False),
        ("wss://", False),
    ],
)
def test_credentials_leave_this_machine_only_encrypted(url: str, allowed: bool) -> None:
    if allowed:
        assert check_url(url) == url
        return
    with pytest.raises(Refused):
        check_url(url)
