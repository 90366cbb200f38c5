"""What Alpaca's market data answers when it is asked: instruments, history, and crypto without keys."""

import asyncio
from contextlib import aclosing

import pytest
from aiohttp import web
from msgspec.structs import replace

from neuratrade.core.model.errors import Retryable, UsageError
from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_SECOND, Bar, Quote, Trade
from neuratrade.feeds.live.source import SourceOpened
from neuratrade.rehearsal.faults import Act, Fault, FaultKind
from neuratrade.venues.alpaca.market_assets import WireAsset, instrument_of
from neuratrade.venues.alpaca.market_rest import PAGE
from neuratrade.venues.alpaca.rest import Keys
from tests.unit.rehearsal.exchange import AAPL, BEGIN_NS, BTC, ETH, D, warped
from tests.unit.venues.alpaca.market_stage import Floor, floor, told_by

FIRST_NS = BEGIN_NS - BEGIN_NS % NS_PER_MINUTE


def minute(number: int, price: str = "100", instrument: str = BTC.key) -> Bar:
    """The bar that opens so many minutes after the first."""
    value = D(price)
    return Bar(
        instrument, NS_PER_MINUTE, FIRST_NS + number * NS_PER_MINUTE,
        value, value + 2, value - D("0.5"), value + 1, D("1.25"),
    )  # fmt: skip


@warped
async def test_instruments_are_what_the_list_of_assets_says() -> None:
    async with floor() as here:
        coin, stock = await here.market.instruments(["BTC/USD", "AAPL"])
        assert coin == replace(BTC, min_notional=D(1))
        assert (stock.kind, stock.tick, stock.lot, stock.key) == (AAPL.kind, D("0.01"), D(1), "AAPL@alpaca")


@warped
async def test_a_symbol_that_is_not_traded_is_refused_with_those_near_it() -> None:
    async with floor() as here:
        with pytest.raises(UsageError, match=r"BTC/USB is not traded.*BTC/USD"):
            await here.market.instruments(["BTC/USB"])
        with pytest.raises(UsageError, match=r"APPL is not traded.*AAPL"):
            await here.market.instruments(["APPL"])


@warped
async def test_keys_that_are_not_known_are_refused_by_the_list_of_assets() -> None:
    async with floor(keys=Keys("someone", "guessed")) as here:
        with pytest.raises(UsageError, match=r"keys are not accepted.*paper account") as caught:
            await here.market.instruments(["BTC/USD"])
        assert "guessed" not in str(caught.value)


@pytest.mark.parametrize("asset", [
    WireAsset("BTC/USD", "crypto", min_trade_increment=D(-1)),
    WireAsset("BTC/USD", "crypto", price_increment=D("NaN")),
    WireAsset("AAPL250101C1", "us_option"),
    WireAsset("BTC/", "crypto"),
])  # fmt: skip
def test_an_asset_that_cannot_be_valued_is_refused(asset: WireAsset) -> None:
    with pytest.raises(UsageError):
        instrument_of(asset)


@warped
async def test_history_is_the_last_complete_minutes_oldest_first() -> None:
    async with floor() as here:
        for number in range(10):
            here.simulator.tape.play(minute(number, str(100 + number)))
        await asyncio.sleep(600.0)
        before_ns = FIRST_NS + 7 * NS_PER_MINUTE + 30 * NS_PER_SECOND
        found = await here.market.history(BTC, 3, before_ns)
        assert found == [minute(number, str(100 + number)) for number in (4, 5, 6)]
        assert await here.market.history(BTC, 100, before_ns) == [
            minute(number, str(100 + number)) for number in range(7)
        ]
        edge_ns = FIRST_NS + 7 * NS_PER_MINUTE
        assert (await here.market.history(BTC, 1, edge_ns))[0].close_ns == edge_ns
        assert await here.market.history(ETH, 5, before_ns) == []


@warped
async def test_history_is_read_page_by_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neuratrade.venues.alpaca.market_rest.PAGE", 7)
    async with floor() as here:
        for number in range(40):
            here.simulator.tape.play(minute(number, str(100 + number)))
        await asyncio.sleep(2400.0)
        asked = here.simulator.requests
        found = await here.market.history(BTC, 30, FIRST_NS + 40 * NS_PER_MINUTE)
        assert found == [minute(number, str(100 + number)) for number in range(10, 40)]
        assert here.simulator.requests - asked == 5
    assert PAGE == 10_000


@warped
async def test_minutes_without_a_trade_are_passed_over_however_many() -> None:
    async with floor() as here:
        for number in range(60):
            traded = number in (3, 40, 41)
            here.simulator.tape.play(minute(number) if traded else replace(minute(number), volume=D(0)))
        await asyncio.sleep(3600.0)
        found = await here.market.history(BTC, 2, FIRST_NS + 60 * NS_PER_MINUTE)
        assert found == [minute(40), minute(41)]


@warped
async def test_history_of_stocks_reaches_back_over_nights_and_weekends() -> None:
    async with floor() as here:
        friday = -3 * 24 * 60
        for number in (*range(friday, friday + 5), *range(5)):
            here.simulator.tape.play(minute(number, instrument=AAPL.key))
        await asyncio.sleep(300.0)
        found = await here.market.history(AAPL, 8, FIRST_NS + 5 * NS_PER_MINUTE)
        assert [bar.open_ns for bar in found] == [
            FIRST_NS + number * NS_PER_MINUTE
            for number in (friday + 2, friday + 3, friday + 4, 0, 1, 2, 3, 4)
        ]


@warped
async def test_bars_that_contradict_themselves_are_left_out_and_told_of() -> None:
    async with floor() as here:
        here.simulator.tape.play(minute(0))
        here.simulator.tape.play(replace(minute(1), high=D(1)))
        here.simulator.tape.play(minute(2))
        await asyncio.sleep(180.0)
        found = await here.market.history(BTC, 3, FIRST_NS + 3 * NS_PER_MINUTE)
        assert found == [minute(0), minute(2)]
        assert here.market.left_out == {"bars that contradict themselves": 1}
        assert len(here.notes) == 1


# without keys


def played(here: Floor, *prices: str) -> None:
    """Trades of BTC at these prices, and a quote behind the last."""
    for price in prices:
        here.trade(price)
    here.quote("100.25", "100.5")


@warped
async def test_without_keys_a_pair_is_known_by_its_quote_and_a_stock_is_not() -> None:
    async with floor(keys=None) as here:
        here.quote("100.1234", "101")
        (coin,) = await here.market.instruments(["BTC/USD"])
        assert (coin.key, coin.tick, coin.lot, coin.min_notional) == (BTC.key, D("0.0001"), D("1e-9"), D(1))
        with pytest.raises(UsageError, match="keys"):
            await here.market.instruments(["AAPL"])
        with pytest.raises(UsageError, match="no quote"):
            await here.market.instruments(["NO/SUCH"])


@warped
async def test_without_keys_quotes_and_every_trade_come_by_rest_once() -> None:
    async with floor(keys=None) as here, here.listening(BTC, ETH):
        assert here.told == [SourceOpened()]
        played(here, "100", "101", "102")
        await asyncio.sleep(30.0)
        here.trade("103", buys=False)
        here.quote("1", "2", ETH)
        await asyncio.sleep(90.0)
        trades = [item for item in here.data if isinstance(item, Trade)]
        assert [(item.price, item.aggressor_buy) for item in trades] == [
            (D(100), True), (D(101), True), (D(102), True), (D(103), False),
        ]  # fmt: skip
        assert [item.instrument for item in here.data if isinstance(item, Quote)] == [BTC.key, ETH.key]
        assert here.market.left_out == {}, "what is asked for twice on purpose is nothing to tell of"


@warped
async def test_without_keys_the_last_trade_of_a_minute_is_told_within_a_second_of_its_end() -> None:
    async with floor(keys=None) as here, here.listening():
        for _ in range(5):
            now_ns = here.simulator.now_ns
            close_ns = now_ns - now_ns % NS_PER_MINUTE + NS_PER_MINUTE
            await asyncio.sleep((close_ns - now_ns) / NS_PER_SECOND - 0.001)
            before = len(here.data)
            here.trade("100")
            await asyncio.sleep(0.95)
            assert len(here.data) == before + 1


@warped
async def test_without_keys_nothing_is_told_from_before_it_was_asked() -> None:
    async with floor(keys=None) as here:
        here.trade("50")
        await asyncio.sleep(1.0)
        async with here.listening():
            here.trade("51")
            await asyncio.sleep(5.0)
        assert [item.price for item in here.data if isinstance(item, Trade)] == [D(51)]


@warped
async def test_without_keys_history_is_there_all_the_same() -> None:
    async with floor(keys=None) as here:
        here.simulator.tape.play(minute(0))
        await asyncio.sleep(120.0)
        assert await here.market.history(BTC, 3, FIRST_NS + 2 * NS_PER_MINUTE) == [minute(0)]


@warped
async def test_subscribing_again_without_keys_changes_nothing() -> None:
    async with floor(keys=None) as here, here.listening():
        await here.market.subscribe_again(BTC)
        here.trade("100")
        await asyncio.sleep(5.0)
        assert len(here.data) == 1


@pytest.mark.parametrize("kind", [FaultKind.RATE_LIMITED, FaultKind.SERVER_ERROR, FaultKind.CUT])
@warped
async def test_a_question_that_fails_ends_the_source_and_may_be_asked_again(kind: FaultKind) -> None:
    # Twice: the client of ours reads once more where a connection that was used before is cut.
    async with floor(Fault(5.0, kind, times=2, on=Act.DATA), keys=None) as here:
        here.quote("1", "2")
        told, lost = await told_by(here.market)
        assert told[0] == SourceOpened()
        assert isinstance(lost, Retryable)
        here.simulator.troubles._left.clear()
        async with aclosing(here.market.pieces([BTC])) as again:
            assert await anext(again) == SourceOpened()


@warped
async def test_a_slow_answer_is_waited_for_and_one_too_slow_is_not() -> None:
    async with floor(Fault(0.0, FaultKind.SLOW, 12.0, on=Act.HISTORY)) as here:
        assert await here.market.history(BTC, 1, BEGIN_NS) == []
    async with floor(Fault(0.0, FaultKind.SLOW, 60.0, on=Act.HISTORY)) as here:
        with pytest.raises(Retryable):
            await here.market.history(BTC, 1, BEGIN_NS)


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b'{"bars": 7}', b'{"bars": {"BTC/USD": [{"t": 1}]}}',
                                  b"\xff\xfe", b"[" * 100_000, b"<html>"])  # fmt: skip
@warped
async def test_an_answer_without_sense_is_worth_asking_again(
    body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with floor() as here:

        def nonsense(*_: object, **__: object) -> web.Response:
            return web.Response(body=body)

        monkeypatch.setattr("neuratrade.rehearsal.alpaca_market._answer", nonsense)
        with pytest.raises(Retryable):
            await here.market.history(BTC, 1, BEGIN_NS)
