"""The door of Tradovate on loopback: logins, penalties, tokens that end, and budgets."""

import pytest

from neuratrade.rehearsal.faults import Fault, FaultKind
from neuratrade.rehearsal.tradovate_auth import Penalty
from tests.contract.rehearsal.tradovate_world import World, terms, tradovate
from tests.unit.rehearsal.exchange import warped


async def me(world: World, token: str) -> int:
    """The status of what is answered to a token."""
    before, world.token = world.token, token
    try:
        return (await world.ask("GET", "auth/me"))[0]
    finally:
        world.token = before


@warped
async def test_a_wrong_password_is_answered_in_a_200() -> None:
    async with tradovate() as world:
        said = await world.login(password="wrong")
        assert list(said) == ["errorText"]
        assert list(await world.login(sec="wrong")) == ["errorText"]


@warped
async def test_a_penalty_is_lifted_by_the_same_request_with_its_ticket_and_not_before_its_time() -> None:
    async with tradovate() as world:
        world.venue.door.penalties.append(Penalty(seconds=15))
        first = await world.login()
        assert (first["p-time"], first["p-captcha"]) == (15, False)
        await world.clock.sleep(10)
        early = await world.login(**{"p-ticket": first["p-ticket"]})
        assert "p-ticket" in early
        await world.clock.sleep(early["p-time"])
        other = await world.login(**{"p-ticket": early["p-ticket"], "appVersion": "2"})
        assert "p-ticket" in other
        await world.clock.sleep(other["p-time"])
        assert "accessToken" in await world.login(**{"p-ticket": other["p-ticket"], "appVersion": "2"})
        assert "p-ticket" not in await world.login()


@warped
async def test_a_captcha_is_solved_by_nobody() -> None:
    async with tradovate() as world:
        world.venue.door.penalties.append(Penalty(captcha=True))
        said = await world.login()
        await world.clock.sleep(3600)
        assert said["p-captcha"]
        assert "p-ticket" in await world.login(**{"p-ticket": said["p-ticket"]})


@warped
async def test_an_overload_of_the_plan_is_a_penalty_where_it_meets_a_login() -> None:
    async with tradovate(Fault(1.0, FaultKind.RATE_LIMITED)) as world:
        await world.clock.sleep(2)
        assert "p-ticket" in await world.login()
        assert world.venue.troubles.met == {"429": 1}


@warped
async def test_a_token_holds_for_eighty_minutes_and_its_socket_as_long() -> None:
    async with tradovate() as world:
        line = await world.line()
        await world.clock.sleep(79 * 60)
        assert await me(world, world.token) == 200
        await world.clock.sleep(2 * 60)
        assert (await world.ask("GET", "account/list")) == (401, "Access is denied")
        await line.until(lambda: line.is_over)
        assert line.frames[-1] == 'c[3000,"Go away!"]'
        assert (await (await world.door()).ask("authorize", world.token))["s"] == 401


@warped
async def test_a_renewed_session_goes_on_under_another_token_and_keeps_its_socket() -> None:
    async with tradovate() as world:
        line = await world.line()
        await world.clock.sleep(70 * 60)
        before = world.token
        said = await world.get("auth/renewaccesstoken")
        world.token = said["accessToken"]
        assert (await me(world, before), await me(world, world.token)) == (401, 200)
        await world.clock.sleep(70 * 60)
        assert (await line.ask("account/list"))["s"] == 200
        # Over the socket as well.
        assert (await line.ask("auth/renewaccesstoken"))["d"]["userId"] == 5


@warped
async def test_a_third_session_ends_the_oldest_and_says_so_to_its_socket() -> None:
    async with tradovate() as world:
        first = world.token
        line = await world.line()
        await world.login()
        assert await me(world, first) == 200
        await world.login()
        assert await me(world, first) == 401
        await line.until(lambda: line.is_over)
        assert line.events[-1] == {"e": "shutdown", "d": {"reasonCode": "ConnectionQuotaReached"}}


@warped
async def test_too_many_sockets_revoke_the_session_of_the_oldest() -> None:
    async with tradovate() as world:
        oldest, first = await world.bare(), world.token
        await world.login()
        for _ in range(50):
            await world.bare()
        assert await me(world, first) == 401
        await oldest.until(lambda: oldest.is_over)


@warped
async def test_an_eleventh_login_in_a_minute_stops_everything_for_an_hour() -> None:
    async with tradovate() as world:
        for _ in range(9):
            await world.login()
        assert await world.ask("POST", "auth/accesstokenrequest", {}) == (429, "")
        await world.clock.sleep(3590)
        # Who does not wait waits another hour.
        assert await world.ask("GET", "account/list") == (429, "")
        await world.clock.sleep(3590)
        assert await world.ask("GET", "account/list") == (429, "")
        await world.clock.sleep(3601)
        assert (await world.ask("GET", "account/list"))[0] == 401


@warped
async def test_five_thousand_requests_an_hour_are_all_there_are_by_socket_too() -> None:
    async with tradovate() as world:
        line = await world.bare()
        # The login and the authorisation count.
        for _ in range(4_998):
            world.venue.door.count("account/list")
            if not _ % 800:
                await world.clock.sleep(2)
        number = await line.send("account/list")
        await line.until(lambda: number in line.answers)
        assert line.answers[number] == {"s": 429, "i": number}


@warped
async def test_beats_are_no_requests() -> None:
    async with tradovate() as world:
        await world.bare()
        before = world.venue.requests
        await world.clock.sleep(600)
        assert world.venue.requests == before


@pytest.mark.parametrize("token", ["", "access-9", "market"])
def test_nothing_is_answered_without_a_token(token: str) -> None:
    @warped
    async def play() -> None:
        async with tradovate() as world:
            world.token = token
            assert (await world.ask("GET", "account/list"))[0] == 401
            assert (await world.ask("POST", "order/placeorder", terms("Buy", 1)))[0] == 401
            assert world.engine.orders == {}
            line = await world.door()
            assert (await line.ask("account/list"))["s"] == 401

    play()
