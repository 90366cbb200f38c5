"""Alpaca's stream of updates: what it tells, how it ends, and that nothing strange ends it unseen."""

import asyncio
from typing import Any

import msgspec
import pytest

from neuratrade.core.model import facts as f
from neuratrade.core.model.orders import Side
from neuratrade.rehearsal.faults import Fault, FaultKind
from neuratrade.venues.alpaca.rest import Doubtful, Keys
from neuratrade.venues.alpaca.venue import AlpacaVenue
from neuratrade.venues.port import StreamOpened, VenueRefused
from tests.unit.rehearsal.exchange import ETH, D, Floor, warped
from tests.unit.venues.alpaca.stage import Told, buy, cancel, on_stage, scripted
from tests.unit.venues.alpaca.test_questions import SIMPLE


def update(event: str = "fill", order: dict[str, Any] | None = None, **more: Any) -> bytes:
    """A frame of `trade_updates`: an execution of all of an order, unless told otherwise."""
    data = {
        "event": event,
        "execution_id": "e",
        "timestamp": "2026-11-01T10:00:01Z",
        "price": "100",
        "qty": "1",
        "order": SIMPLE if order is None else order,
    } | more
    return msgspec.json.encode({"stream": "trade_updates", "data": data})


GOOD = update()


async def heard(venue: AlpacaVenue) -> tuple[list[Told], BaseException | None]:
    """What the stream tells within a minute, and what ended it."""
    told: list[Told] = []

    try:
        async with asyncio.timeout(60.0):
            async for item in venue.events():
                told.append(item)  # noqa: PERF401 - what came before an error counts
    except TimeoutError:
        return told, None
    except Exception as error:  # noqa: BLE001 - a test says what it may be
        return told, error
    return told, AssertionError("a stream that ends says why")


@warped
async def test_an_order_is_told_from_its_beginning_to_its_end() -> None:
    async with on_stage() as stage, stage.listening():
        await stage.submit(buy("1", "a", limit="99"))
        stage.quote("98", "99", size="0.4")
        stage.quote("98", "99", size="0.6")
        await stage.submit(buy("1", "b", limit="90"))
        await stage.venue.cancel(cancel("b"))
        await asyncio.sleep(1.0)
    assert [type(item) for item in stage.told] == [
        StreamOpened, f.OrderAccepted, f.OrderFilled, f.OrderFilled, f.OrderAccepted, f.OrderCancelled,
    ]  # fmt: skip
    first, second = (item.fill for item in stage.told if isinstance(item, f.OrderFilled))
    assert (first.quantity, second.quantity, first.price) == (D("0.4"), D("0.6"), D(99))
    assert first.trade_id != second.trade_id


@warped
async def test_a_silent_stream_is_probed_and_stands() -> None:
    async with on_stage() as stage, stage.listening():
        await asyncio.sleep(3600.0)
        assert stage.lost is None
        await stage.submit(buy("1"))
        await asyncio.sleep(1.0)
        assert isinstance(stage.told[-1], f.OrderFilled)


@warped
async def test_a_stream_that_is_cut_says_so() -> None:
    async with on_stage(Fault(30.0, FaultKind.DISCONNECT)) as stage, stage.listening():
        await asyncio.sleep(60.0)
        assert isinstance(stage.lost, Doubtful)
    async with on_stage() as stage, stage.listening():
        await stage.simulator.__aexit__()
        await asyncio.sleep(60.0)
        assert stage.lost is not None


@warped
async def test_a_stream_is_not_opened_under_maintenance() -> None:
    async with on_stage(Fault(0.0, FaultKind.MAINTENANCE, seconds=60.0)) as stage:
        told, end = await heard(stage.venue)
    assert told == []
    assert isinstance(end, Doubtful)
    assert end.status == 503


@warped
async def test_keys_it_does_not_know_open_no_stream() -> None:
    async with on_stage(keys=Keys("no", "such")) as stage:
        told, end = await heard(stage.venue)
    assert told == []
    assert isinstance(end, VenueRefused)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"null",
        b'{"stream":"authorization"}',
        b"\xff\xfe",
        b'{"stream":"authorization","data":{"status":0}}',
    ],
)
def test_an_authorisation_that_is_none_opens_no_stream(answer: bytes) -> None:
    @warped
    async def scene() -> None:
        async with scripted() as (script, venue):
            script.authorisation = answer
            told, end = await heard(venue)
        assert told == []
        assert end is not None

    scene()


LET_BE = {
    "an unknown stream": b'{"stream":"account_updates","data":{"id":1}}',
    "no stream": b"{}",
    "an unknown event": update("a word of next year"),
    "a pending replacement": update("pending_replace"),
    "a rejected cancel": update("order_cancel_rejected"),
    "unknown fields": update(order=SIMPLE | {"new": {"a": [1]}}, more=1.5, event_id="01J"),
    "unknown states": update("calculated", order=SIMPLE | {"status": "never heard"}),
    "an order of another market": update(order=SIMPLE | {"symbol": "DOGE/USD", "id": "other"}),
    "an order by its value": update("new", order=SIMPLE | {"qty": None}),
}


@pytest.mark.parametrize("name", LET_BE)
def test_what_it_does_not_know_is_let_be_and_the_next_execution_is_heard(name: str) -> None:
    @warped
    async def scene() -> None:
        async with scripted() as (script, venue):
            script.frames = [LET_BE[name], GOOD]
            told, end = await heard(venue)
        assert end is None
        assert isinstance(told[0], StreamOpened)
        assert isinstance(told[-1], f.OrderFilled)
        ours = {item.fill.trade_id for item in told if isinstance(item, f.OrderFilled)}
        assert len(ours) == 1

    scene()


HOSTILE: dict[str, str | bytes] = {
    "cut off": GOOD[:-40],
    "empty": b"",
    "empty text": "",
    "not JSON": "hello",
    "binary rubbish": bytes(range(256)),
    "not UTF-8": b'{"stream":"trade_updates","data":{"event":"\xff"}}',
    "a list": b"[" + GOOD + b"]",
    "a number": b"17",
    "null": b"null",
    "data that is text": b'{"stream":"trade_updates","data":"fill"}',
    "no data": b'{"stream":"trade_updates"}',
    "no order": b'{"stream":"trade_updates","data":{"event":"fill","price":"1","qty":"1"}}',
    "an order without a name": update(order={"id": "x", "symbol": "BTC/USD", "side": "buy", "status": "new"}),
    "a quantity that is a word": update(qty="lots"),
    "a quantity that is a list": update(qty=["1"]),
    "a quantity of nothing": update(qty="0"),
    "a quantity below zero": update(qty="-1"),
    "a quantity that is no number": update(qty="NaN"),
    "an endless price": update(price="Infinity"),
    "no price": update(price=None),
    "a time that is none": update(timestamp="yesterday"),
    "a filled quantity that is no number": update(order=SIMPLE | {"filled_qty": "sNaN"}),
    "nested deep": b'{"stream":' + b"[" * 20_000,
    "huge": b'{"stream":"' + b"x" * 5_000_000 + b'"}',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_frame_without_sense_ends_the_stream_so_that_everything_is_compared_anew(name: str) -> None:
    @warped
    async def scene() -> None:
        async with scripted() as (script, venue):
            script.frames = [HOSTILE[name], GOOD]
            told, end = await heard(venue)
        assert end is not None
        assert not isinstance(end, AssertionError)
        assert [type(item) for item in told] == [StreamOpened]

    scene()


@pytest.mark.parametrize("symbol", ["BTC/USD", "BTCUSD"])
def test_an_execution_is_ours_with_or_without_the_slash(symbol: str) -> None:
    @warped
    async def scene() -> None:
        async with scripted() as (script, venue):
            script.frames = [update(order=SIMPLE | {"symbol": symbol})]
            told, _ = await heard(venue)
        filled = told[-1]
        assert isinstance(filled, f.OrderFilled)
        assert filled.fill.instrument == "BTC/USD@alpaca"
        assert filled.fill.fee == D("0.0025")

    scene()


@pytest.mark.parametrize(
    ("event", "status", "kind"),
    [
        ("pending_new", "pending_new", f.OrderAccepted),
        ("accepted", "accepted", f.OrderAccepted),
        ("rejected", "rejected", f.OrderRejected),
        ("expired", "expired", f.OrderExpired),
        ("replaced", "replaced", f.OrderCancelled),
        ("canceled", "canceled", f.OrderCancelled),
    ],
)
def test_every_event_has_its_meaning(event: str, status: str, kind: type) -> None:
    @warped
    async def scene() -> None:
        async with scripted() as (script, venue):
            order = SIMPLE | {"status": status, "filled_qty": "0.25"}
            script.frames = [update(event, order, price=None, qty=None)]
            told, _ = await heard(venue)
        assert isinstance(told[-1], kind)
        if isinstance(told[-1], f.OrderCancelled | f.OrderExpired):
            assert told[-1].filled == D("0.25")

    scene()


@warped
async def test_orders_of_other_markets_are_not_told() -> None:
    async with on_stage() as stage, stage.listening():
        stage.quote("10", "10.1", contract=ETH)
        stage.engine.place(Floor(ETH).ticket(Side.BUY, "1", name="by hand"))
        await asyncio.sleep(1.0)
        assert [type(item) for item in stage.told] == [StreamOpened]
        assert stage.lost is None


@warped
async def test_an_execution_has_one_name_however_its_quantity_is_written() -> None:
    async with scripted() as (script, venue):
        script.frames = [update(order=SIMPLE | {"filled_qty": text}) for text in ("1", "1.0", "1.000000000")]
        told, _ = await heard(venue)
    assert len(told) == 4
    assert len({item.fill.trade_id for item in told if isinstance(item, f.OrderFilled)}) == 1
