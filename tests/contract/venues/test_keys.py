"""The contract of every venue: what a key may do is known, or vouched for, or nothing is opened."""

import inspect
from typing import Any

import pytest

from neuratrade.core.model.errors import Refused
from neuratrade.feeds.clock import SystemClock
from neuratrade.rehearsal.binance_spot import KEY, SECRET
from neuratrade.rehearsal.server import Simulator
from neuratrade.venues.alpaca.rest import Keys
from neuratrade.venues.alpaca.venue import AlpacaVenue
from neuratrade.venues.ccxt.exchange import Keys as CcxtKeys
from neuratrade.venues.ccxt.venue import CcxtVenue
from neuratrade.venues.keys import KeyCheck
from neuratrade.venues.tradovate.venue import TradovateVenue
from tests.contract.rehearsal.binance_world import BTC, binance, place_of
from tests.contract.venues.stand import VENUES, on_all_venues, on_stand, warped

WORDS = "allow_unverified=True"
ASKED = [name for name in VENUES if name not in ("paper", "alpaca", "alpaca_stocks", "tradovate")]


def withdrawing(simulator: Simulator) -> None:
    """The key of this account may move money away."""
    _rights(simulator, True)


def untold(simulator: Simulator) -> None:
    """The venue answers, but does not say what the key may do."""
    _rights(simulator, None)


def _rights(simulator: Simulator, may_withdraw: bool | None) -> None:
    known: Any = simulator
    if simulator.name == "binance":
        known.account.restrictions.pop("enableWithdrawals")
        if may_withdraw:
            known.account.restrictions["enableWithdrawals"] = True
        return
    if may_withdraw is not None:
        allowed = known.credentials._replace(may_withdraw=may_withdraw)
        known.credentials = allowed
        if hasattr(known.account, "_credentials"):
            known.account._credentials = allowed
        return
    match simulator.name:
        case "binance_usdm":
            told = {
                key: value for key, value in known.account.key_row().items() if key != "enableWithdrawals"
            }
            known.account.key_row = lambda: told
        case "kraken":
            info = known.account.methods["GetApiKeyInfo"]
            known._private["GetApiKeyInfo"] = lambda params: {**info(params), "permissions": []}
        case "okx":
            config = known._questions["account/config"]
            known._questions["account/config"] = lambda params: [{**config(params)[0], "perm": ""}]
        case other:
            raise AssertionError(f"how {other} tells the rights of a key is not known to this test")


@on_all_venues()
@warped
async def test_a_key_is_verified_where_the_venue_can_be_asked_and_unverified_where_not(name: str) -> None:
    async with on_stand(name) as stand:
        asked = stand.venue.capabilities.asks_permissions or name == "paper"
        assert stand.venue.key_check is (KeyCheck.VERIFIED if asked else KeyCheck.UNVERIFIED)


@pytest.mark.parametrize("name", ASKED)
@warped
async def test_a_key_that_may_withdraw_opens_nothing_even_if_somebody_vouches_for_it(name: str) -> None:
    with pytest.raises(Refused, match=r"may move money away.*make one that may trade only"):
        async with on_stand(name, dress=withdrawing):
            pass
    with pytest.raises(Refused, match="may move money away"):
        async with on_stand(name, dress=withdrawing, allow_unverified=True):
            pass


@pytest.mark.parametrize("name", ASKED)
@warped
async def test_an_answer_that_does_not_say_is_unknown_not_harmless(name: str) -> None:
    with pytest.raises(Refused, match=f"is not known.*{WORDS}"):
        async with on_stand(name, dress=untold):
            pass
    async with on_stand(name, dress=untold, allow_unverified=True) as stand:
        assert stand.venue.key_check is KeyCheck.UNVERIFIED


def test_a_venue_that_cannot_be_asked_is_opened_only_where_somebody_vouches_for_the_key() -> None:
    how: dict[str, Any] = {"contracts": [], "keys": Keys("k", "s"), "clock": SystemClock()}
    with pytest.raises(Refused, match=f"the key for alpaca may do is not known.*{WORDS}"):
        AlpacaVenue("main", **how)
    assert AlpacaVenue("main", **how, allow_unverified=True).key_check is KeyCheck.UNVERIFIED


def test_the_words_name_an_argument_that_is_there() -> None:
    argument = WORDS.partition("=")[0]
    for adapter in (AlpacaVenue, CcxtVenue, TradovateVenue):
        assert inspect.signature(adapter).parameters[argument].default is False


async def test_a_sandbox_without_the_endpoint_that_would_tell_leaves_the_key_unverified() -> None:
    async with binance() as simulator:
        how: dict[str, Any] = {"elsewhere": place_of(simulator), "sandbox": True}
        given = ("main", "binance", [BTC], CcxtKeys(KEY, SECRET), SystemClock())
        with pytest.raises(Refused, match=f"is not known.*{WORDS}"):
            async with CcxtVenue(*given, **how):
                pass
        async with CcxtVenue(*given, **how, allow_unverified=True) as venue:
            assert venue.key_check is KeyCheck.UNVERIFIED
