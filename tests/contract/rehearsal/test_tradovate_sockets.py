"""The sockets of Tradovate on loopback: framing, and what goes wrong on them."""

import json
from typing import Any

import pytest

from neuratrade.rehearsal.faults import Act, Fault, FaultKind
from tests.conftest import SHARED_DATA
from tests.contract.rehearsal import tradovate_schema as schema
from tests.contract.rehearsal.tradovate_world import net, terms, tradovate
from tests.unit.rehearsal.exchange import warped

RECORDED = SHARED_DATA / "fixtures" / "tradovate" / "ws_frames_doc_examples.jsonl"


@warped
async def test_a_socket_begins_with_o_and_shows_signs_of_life() -> None:
    async with tradovate() as world:
        line = await world.door()
        await world.clock.sleep(10)
        assert line.frames[0] == "o"
        assert set(line.frames[1:]) == {"h"}


@warped
async def test_a_token_is_taken_raw_and_in_quotes() -> None:
    async with tradovate() as world:
        for token in (world.token, f'"{world.token}"'):
            line = await world.door()
            assert await line.ask("authorize", token) == {"s": 200, "i": 1}


@warped
async def test_who_sends_nothing_for_long_is_dropped() -> None:
    async with tradovate() as world:
        lively, silent = await world.bare(), await world.bare()
        silent.beats = False
        await silent.until(lambda: silent.is_over)
        assert silent.frames[-1] == 'c[3000,"Go away!"]'
        await world.clock.sleep(60)
        assert not lively.is_over


@warped
async def test_operations_of_rest_are_there_by_socket_with_the_same_answers() -> None:
    async with tradovate() as world:
        line = await world.bare()
        found = await line.ask("contract/find", query="name=ESZ6")
        assert found["d"] == await world.get("contract/find", name="ESZ6")
        cash = await line.ask("cashBalance/getCashBalanceSnapshot", {"accountId": 77})
        schema.check("CashBalanceSnapshot", cash["d"])
        rows = (await line.ask("command/ldeps", query="masterids=1"))["d"]
        assert rows == []
        assert await line.ask("no/such") == {"s": 404, "i": 5, "d": '"Not found: no/such"'}
        broken = await line.ask("order/placeorder", "{")
        assert broken["s"] == 400


@warped
async def test_quotes_are_for_the_token_of_market_data_only() -> None:
    async with tradovate() as world:
        said = await world.login()
        orders, market = await world.bare(), await world.bare(said["mdAccessToken"])
        assert "errorText" in (await orders.ask("md/subscribequote", {"symbol": "ESZ6"}))["d"]
        assert "errorText" in (await market.ask("md/subscribequote", {"symbol": "XXZ6"}))["d"]
        assert (await market.ask("md/subscribequote", {"symbol": "ESZ6"}))["d"] == {"mode": "RealTime"}
        world.quote("6901.00", "6901.25")
        await market.until(lambda: market.events)
        (quote,) = market.events[-1]["d"]["quotes"]
        assert (quote["contractId"], quote["entries"]["Offer"]) == (3_000_001, {"price": 6901.25, "size": 50})
        assert (await market.ask("md/unsubscribequote", {"symbol": "ESZ6"}))["s"] == 200
        count = len(market.events)
        world.quote("6902.00", "6902.25")
        await world.clock.sleep(2)
        assert (len(market.events), orders.events) == (count, [])


# What goes wrong


@warped
async def test_an_order_may_be_there_though_its_answer_never_came() -> None:
    async with tradovate(Fault(0.0, FaultKind.CUT_AFTER, on=Act.SUBMIT)) as world:
        line = await world.bare()
        assert await line.ask("order/placeorder", terms("Buy", 1, clOrdId="lost")) is None
        assert line.is_over
        (command,) = [row for row in await world.get("command/list") if row.get("clOrdId") == "lost"]
        assert (await world.get("order/item", id=command["orderId"]))["ordStatus"] == "Filled"


@pytest.mark.parametrize(
    ("kind", "answer", "held"),
    [
        (FaultKind.RATE_LIMITED, {"s": 429, "i": 2}, 0),
        (FaultKind.RATE_LIMITED_AFTER, {"s": 429, "i": 2}, 1),
        (FaultKind.SERVER_ERROR, {"s": 500, "i": 2, "d": "Internal server error"}, 0),
        (FaultKind.SERVER_ERROR_AFTER, {"s": 500, "i": 2, "d": "Internal server error"}, 1),
        (FaultKind.CUT, None, 0),
    ],
)
def test_faults_of_requests_meet_those_of_sockets(kind: FaultKind, answer: Any, held: int) -> None:
    @warped
    async def play() -> None:
        async with tradovate(Fault(5.0, kind, on=Act.SUBMIT)) as world:
            line = await world.bare()
            await world.clock.sleep(5)
            assert await line.ask("order/placeorder", terms("Buy", 1)) == answer
            assert await net(world) == held
            assert world.venue.troubles.met == {kind.value: 1}

    play()


@pytest.mark.parametrize("kind", [FaultKind.SLOW, FaultKind.LATE])
def test_a_slow_order_holds_up_neither_other_requests_nor_beats(kind: FaultKind) -> None:
    @warped
    async def play() -> None:
        async with tradovate(Fault(0.0, kind, seconds=12.0, on=Act.SUBMIT)) as world:
            line = await world.bare()
            slow = await line.send("order/placeorder", terms("Buy", 1))
            assert (await line.ask("account/list"))["s"] == 200
            assert slow not in line.answers
            assert await net(world) == (1 if kind is FaultKind.SLOW else 0)
            await line.until(lambda: slow in line.answers)
            assert await net(world) == 1

    play()


@warped
async def test_a_crash_on_a_request_comes_after_it_was_taken_or_before() -> None:
    for seconds, held in ((1.0, 1), (0.0, 0)):
        async with tradovate(Fault(0.0, FaultKind.CRASH, seconds, on=Act.SUBMIT)) as world:
            died: list[int] = []
            world.venue.crash = lambda: died.append(1)  # noqa: B023 - called in this turn only
            line = await world.bare()
            assert await line.ask("order/placeorder", terms("Buy", 1)) is None
            assert (died, await net(world)) == ([1], held)


@warped
async def test_events_are_told_twice_and_out_of_order_where_the_plan_has_it() -> None:
    plan = (Fault(0.0, FaultKind.DUPLICATED), Fault(0.0, FaultKind.REORDERED))
    async with tradovate(*plan) as world:
        line = await world.line()
        number = (await world.order("Buy", 1))["orderId"]
        await line.until(lambda: line.props("position"))
        # The first two frames are one event, held back behind the next.
        assert line.states(number)[:2] == ["PendingNew", "PendingNew"]
        assert line.events[0]["d"]["entityType"] == "orderVersion"


@warped
async def test_a_cut_stream_says_nothing_of_what_happened_meanwhile() -> None:
    async with tradovate(Fault(5.0, FaultKind.DISCONNECT)) as world:
        line = await world.line()
        await line.until(lambda: line.is_over)
        await world.order("Buy", 1)
        again = await world.line()
        assert [row["netPos"] for row in again.answers[2]["d"]["positions"]] == [1]
        await world.clock.sleep(5)
        assert again.events == []


@warped
async def test_maintenance_is_announced_and_ends_all_sessions() -> None:
    async with tradovate(Fault(5.0, FaultKind.MAINTENANCE, seconds=30.0)) as world:
        line = await world.line()
        await line.until(lambda: line.is_over)
        assert line.events[-1] == {"e": "shutdown", "d": {"reasonCode": "Maintenance"}}
        assert (await world.ask("GET", "account/list"))[0] == 503
        await world.clock.sleep(60)
        assert (await world.ask("GET", "account/list"))[0] == 401
        await world.login()
        assert (await world.ask("GET", "account/list"))[0] == 200


def examples() -> list[Any]:
    """What the tutorials of the venue show of answers and events."""
    rows = [json.loads(line) for line in RECORDED.read_text().splitlines()]
    return [json.loads(row["text"][1:])[0] for row in rows if row["text"].startswith("a[")]


def shape(item: Any) -> Any:
    """Names and types; all numbers are alike."""
    if isinstance(item, dict):
        return {name: shape(value) for name, value in item.items()}
    is_number = isinstance(item, int | float) and not isinstance(item, bool)
    return "number" if is_number else type(item).__name__


@pytest.mark.shared
@warped
async def test_frames_have_the_shape_of_those_in_the_documents() -> None:
    recorded = examples()
    async with tradovate() as world:
        said = await world.login()
        line = await world.line(None, "order")
        market = await world.bare(said["mdAccessToken"])
        await world.order("Sell", 1)
        answer = await line.ask("contract/find", query="name=ESZ6")
        await market.ask("md/subscribequote", {"symbol": "ESZ6"})
        await market.until(lambda: market.events)

    found = next(item for item in recorded if item.get("i") == 23)
    assert shape(found["d"]).items() <= shape(answer["d"]).items()
    told = next(item for item in recorded if item.get("e") == "props")
    mine = line.events[0]
    assert mine.keys() == told.keys()
    assert mine["d"].keys() == told["d"].keys()
    assert shape(told["d"]["entity"]).items() <= shape(mine["d"]["entity"]).items()
    quotes = [item["d"]["quotes"][0] for item in recorded if item.get("e") == "md"]
    quote = market.events[-1]["d"]["quotes"][0]
    assert all(quote.keys() == item.keys() for item in quotes)
    assert all(quote["entries"].keys() <= item["entries"].keys() for item in quotes)
