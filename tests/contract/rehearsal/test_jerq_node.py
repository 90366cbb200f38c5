"""The JERQ server, used by the vendor's own client `@barchart/marketdata-api-js` 6.3.2, unmodified."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from neuratrade.rehearsal.jerq import PASSWORD, USER
from tests.contract.rehearsal.jerq_world import ES, JerqWorld, heard, jerq
from tests.node import packages

D = Decimal
PACKAGE = "@barchart/marketdata-api-js"
TRADES = 200


async def play(world: JerqWorld) -> None:
    """A market that moves once the client is there."""
    await heard(world, "GO _TIMESTAMP_", "GO ESZ6=Ssc", "GO ESZ6=Bb")
    for step in range(TRADES):
        price = f"{6900 + step % 7}.25"
        world.quote(ES, price, f"{6900 + step % 7}.50", step + 1, 9)
        world.trade(ES, price, step + 1)
        await asyncio.sleep(0.005)


async def used(world: JerqWorld, password: str = PASSWORD) -> Any:
    playing = asyncio.create_task(play(world))
    try:
        words = (str(world.server.port), USER, password, str(TRADES))
        return await packages.run("barchart_client.js", *words)
    finally:
        playing.cancel()
        await asyncio.gather(playing, return_exceptions=True)


@pytest.mark.node
@packages.needs(PACKAGE)
@pytest.mark.parametrize("torn", [None, 3])
async def test_the_unmodified_client_logs_in_and_is_told_every_price(torn: int | None) -> None:
    async with jerq(torn=torn) as world:
        said = await used(world)
        commands = world.server.commands
    assert said["events"][0] == "login success"
    assert said["updates"][0] == "REFRESH_QUOTE"
    assert "TOB" in said["updates"]
    assert [(price, size) for price, size, _, _ in said["trades"]] == [
        (6900.25 + step % 7, step + 1) for step in range(TRADES)
    ]
    chicago = datetime.now(UTC).astimezone(ZoneInfo("America/Chicago")).replace(tzinfo=UTC)
    for at_ms in (said["clock"], said["trades"][-1][2]):
        assert abs(at_ms / 1000 - chicago.timestamp()) < 60
    last = 6900.25 + (TRADES - 1) % 7
    quote = said["quote"]
    assert (quote["last"], quote["bid"], quote["ask"]) == (last, last, last + 0.25)
    assert (quote["bidSize"], quote["mode"], quote["profile"]) == (TRADES, "R", "E-Mini S&P 500")
    assert [level["price"] for level in said["depth"]["bids"][:2]] == [last, last - 0.25]
    assert [level["price"] for level in said["depth"]["asks"][:2]] == [last + 0.25, last + 0.5]
    assert sum(level["volume"] for level in said["volumes"]) == sum(range(1, TRADES + 1))
    assert {"GO _TIMESTAMP_", "GO ESZ6=Ssc", "GO ESZ6=Bb"} <= set(commands)


@pytest.mark.node
@packages.needs(PACKAGE)
async def test_the_unmodified_client_sees_that_data_is_delayed() -> None:
    async with jerq(delay_minutes=10) as world:
        said = await used(world)
    assert said["quote"]["mode"] == "I"
    assert {delay for _, _, _, delay in said["trades"]} == {10}


@pytest.mark.node
@packages.needs(PACKAGE)
async def test_the_unmodified_client_knows_a_refused_login() -> None:
    async with jerq() as world:
        said = await used(world, password="wrong")
        assert world.server.refused == 1
    assert "login fail" in said["events"]
