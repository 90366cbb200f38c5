"""Logins: one session, renewed in time; penalties waited out; what cannot be helped is told, no secret is."""

import asyncio
from collections import deque

import aiohttp
import msgspec
import pytest
from aiohttp import web

from neuratrade.core.model.errors import Refused, UsageError
from neuratrade.feeds.clock import SystemClock
from neuratrade.rehearsal.tradovate import Tradovate
from neuratrade.rehearsal.tradovate_auth import Penalty
from neuratrade.rehearsal.warp import WarpClock, WarpLoop
from neuratrade.venues.port import TooManyRequests
from neuratrade.venues.tradovate.errors import Doubtful
from neuratrade.venues.tradovate.login import Credentials, Login
from neuratrade.venues.tradovate.venue import TradovateVenue
from tests.unit.venues.tradovate.stage import BEGIN_NS, CREDENTIALS, ES, on_stage, warped

MINUTE_S = 60.0
SECRET = Credentials("ana", "pass-nobody-may-see", 7, "sec-nobody-may-see", "device-1")


@warped
async def test_hours_are_one_login_and_a_renewal_every_65_minutes() -> None:
    async with on_stage() as scene:
        door = scene.simulator.door
        await asyncio.sleep(64 * MINUTE_S)
        assert (door.logins, door.renewals) == (1, 0)
        await asyncio.sleep(2 * MINUTE_S)
        assert (door.logins, door.renewals) == (1, 1)
        await asyncio.sleep(65 * MINUTE_S)
        assert (door.logins, door.renewals) == (1, 2)
        await scene.venue.ping()
        assert door.logins == 1


@warped
async def test_a_connection_outlives_the_renewal_of_its_token_and_a_new_one_uses_the_newest() -> None:
    async with on_stage() as scene:
        async with scene.listening():
            await asyncio.sleep(85 * MINUTE_S)
            assert scene.losses == []
            scene.say('c[3000,"Go away!"]')
            await asyncio.sleep(1.0)
            assert len(scene.losses) == 1
        await scene.venue.ping()
        assert scene.simulator.door.logins == 1


@warped
async def test_a_venue_that_forgot_its_sessions_is_logged_in_to_anew() -> None:
    async with on_stage() as scene:
        scene.simulator.door.forget()
        scene.say('a[{"e":"shutdown","d":{"reasonCode":"Maintenance"}}]')
        await asyncio.sleep(5.0)
        await scene.venue.ping()
        assert scene.simulator.door.logins == 2


@warped
async def test_a_penalty_is_waited_out_and_the_same_request_sent_with_its_ticket() -> None:
    def punish(simulator: Tradovate) -> None:
        simulator.door.penalties.append(Penalty(15))

    begin_s = asyncio.get_running_loop().time()
    async with on_stage(dress=punish) as scene:
        # The simulator takes the ticket with the identical body alone, and not before its time.
        assert 15.0 < asyncio.get_running_loop().time() - begin_s < 20.0
        assert scene.simulator.door.logins == 1


@warped
async def test_what_only_a_person_can_lift_stops_logins_for_an_hour() -> None:
    simulators: list[Tradovate] = []

    def punish(simulator: Tradovate) -> None:
        simulators.append(simulator)
        simulator.door.penalties.append(Penalty(15, captcha=True))

    with pytest.raises(TooManyRequests, match="log in once with a browser") as caught:
        async with on_stage(dress=punish):
            pass
    assert caught.value.retry_after_s == 3600.0
    assert simulators[0].door.logins == 0


class Scripted:
    """A host that answers logins with what a test wants. asked: what it was asked."""

    def __init__(self, *answers: tuple[int, str]) -> None:
        self.answers = deque(answers)
        self.asked: list[bytes] = []
        self.base = ""

    async def __aenter__(self) -> "Scripted":
        app = web.Application()
        app.router.add_route("*", "/v1/{path:.+}", self._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.base = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.Response:
        self.asked.append(await request.read())
        status, text = self.answers.popleft()
        return web.Response(status=status, text=text, content_type="application/json")


def clock_of() -> WarpClock:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, WarpLoop)
    return WarpClock(loop, BEGIN_NS)


@warped
async def test_a_ticket_goes_with_an_identical_body() -> None:
    granted = (200, '{"accessToken":"T"}')
    async with (
        Scripted((200, '{"p-ticket":"K","p-time":3}'), granted) as host,
        aiohttp.ClientSession() as http,
    ):
        assert await Login(host.base, SECRET, http, clock_of()).token() == "T"
        first, second = (msgspec.json.decode(raw) for raw in host.asked)
        assert second == {**first, "p-ticket": "K"}
        assert first["deviceId"] == "device-1"


@warped
async def test_a_wrong_password_is_told_once_and_never_tried_again() -> None:
    refused = (200, '{"errorText":"Incorrect password pass-nobody-may-see."}')
    async with Scripted(refused) as host, aiohttp.ClientSession() as http:
        login = Login(host.base, SECRET, http, clock_of())
        for _ in range(3):
            with pytest.raises(UsageError, match="check name, password, cid and sec") as caught:
                await login.token()
            assert "nobody-may-see" not in str(caught.value)
        assert len(host.asked) == 1


@pytest.mark.parametrize(("status", "seconds"), [(429, 3600.0), (423, 60.0)])
@warped
async def test_too_many_logins_are_left_alone_for_as_long_as_the_venue_wants(
    status: int, seconds: float
) -> None:
    answers = (status, ""), (200, '{"accessToken":"T"}')
    async with Scripted(*answers) as host, aiohttp.ClientSession() as http:
        clock = clock_of()
        login = Login(host.base, SECRET, http, clock)
        with pytest.raises(TooManyRequests) as caught:
            await login.token()
        assert caught.value.retry_after_s == seconds
        await clock.sleep(seconds - 1)
        with pytest.raises(TooManyRequests):
            await login.token()
        assert len(host.asked) == 1
        await clock.sleep(2)
        assert await login.token() == "T"


@pytest.mark.parametrize("answer", [(500, "{}"), (200, "{}"), (200, "[1"), (403, '"no"')])
@warped
async def test_an_answer_without_a_token_is_no_token_and_shows_no_secret(answer: tuple[int, str]) -> None:
    async with Scripted(answer) as host, aiohttp.ClientSession() as http:
        with pytest.raises(Doubtful) as caught:
            await Login(host.base, SECRET, http, clock_of()).token()
        assert "nobody-may-see" not in repr(caught.value)


@warped
async def test_who_asks_at_the_same_time_shares_one_login() -> None:
    async with Scripted((200, '{"accessToken":"T"}')) as host, aiohttp.ClientSession() as http:
        login = Login(host.base, SECRET, http, clock_of())
        assert await asyncio.gather(*(login.token() for _ in range(5))) == ["T"] * 5
        assert len(host.asked) == 1


def test_credentials_show_nothing_of_themselves() -> None:
    assert "nobody-may-see" not in f"{SECRET} {SECRET!r}"


def test_a_host_that_trades_money_is_refused_and_a_key_wants_somebody_who_vouches() -> None:
    clock = SystemClock()
    with pytest.raises(Refused, match=r"not sent to live\.tradovateapi\.com"):
        TradovateVenue(
            "main", [ES], CREDENTIALS, clock, "https://live.tradovateapi.com", allow_unverified=True
        )
    with pytest.raises(Refused, match="allow_unverified=True"):
        TradovateVenue("main", [ES], CREDENTIALS, clock)


@warped
async def test_a_goodbye_that_takes_the_token_with_it_leads_to_a_login() -> None:
    async with on_stage() as scene:
        scene.say('a[{"e":"shutdown","d":{"reasonCode":"ConnectionQuotaReached"}}]')
        await asyncio.sleep(1.0)
        await scene.venue.ping()
        assert scene.simulator.door.logins == 2
