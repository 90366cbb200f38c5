"""What an error of ccxt's proves: its class, what was sent, and what was answered have to agree."""

import importlib

import pytest

from neuratrade.venues.ccxt.errors import PAUSE_S, Doubtful, Missing, judged, words_of
from neuratrade.venues.ccxt.lazy import prepare
from neuratrade.venues.ccxt.wire import Sent
from neuratrade.venues.port import TooManyRequests, VenueRefused

prepare()
errors = importlib.import_module("ccxt.base.errors")


def submission(*statuses: int, changes: int = 1) -> Sent:
    """One submission that was answered so."""
    return Sent(asks=False, changes=changes, answered=list(statuses))


@pytest.mark.parametrize(
    ("error", "sent"),
    [
        (errors.InvalidOrder('binance {"code":-1013,"msg":"Filter failure"}'), submission(400)),
        (errors.InsufficientFunds("binance Account has insufficient balance"), submission(400)),
        (errors.InvalidOrder("kraken EOrder:Order minimum not met"), submission(200)),
        (errors.BadSymbol("binance does not have market symbol X"), submission(changes=0)),
        (KeyError("a bug before anything left"), submission(changes=0)),
    ],
    ids=lambda item: type(item).__name__,
)
def test_a_definite_no_is_a_refusal(error: Exception, sent: Sent) -> None:
    assert type(judged(error, sent)) is VenueRefused


@pytest.mark.parametrize(
    ("error", "sent"),
    [
        (errors.RequestTimeout("binance POST"), submission()),
        (errors.ExchangeNotAvailable("binance POST 503"), submission(503)),
        (errors.InvalidNonce('binance {"code":-1021}'), submission(400)),
        (errors.BadResponse("binance"), submission(200)),
        (errors.ExchangeError("a body that broke off"), submission()),
        (errors.ExchangeError('binance {"code":-9999}'), submission(500)),
        (errors.ExchangeError('binance {"code":-1007}'), submission(408)),
        (errors.ExchangeError('binance {"code":-1006,"msg":"execution status unknown"}'), submission(400)),
        (errors.DuplicateOrderId("okx 51016"), submission(200)),
        (errors.InvalidOrder("binance Duplicate order sent."), submission(400)),
        (errors.InvalidOrder("client_order_id must be unique"), submission(422)),
        (errors.InvalidOrder("Client order ID already exists"), submission(200)),
        (errors.InvalidOrder("of the second request"), submission(200, 400, changes=2)),
        (KeyError("a bug after the order left"), submission(200)),
        (TimeoutError(), submission()),
    ],
    ids=lambda item: type(item).__name__,
)
def test_whatever_is_not_proven_is_doubtful(error: Exception, sent: Sent) -> None:
    assert type(judged(error, sent, frozenset({"-1006"}))) is Doubtful


@pytest.mark.parametrize("error", [errors.DDoSProtection("kraken"), errors.RateLimitExceeded("kraken")])
def test_too_many_requests_in_the_body_of_a_good_answer_are_heard_as_such(error: Exception) -> None:
    told = judged(error, submission(200))
    assert type(told) is TooManyRequests
    assert told.retry_after_s == PAUSE_S


def test_a_venue_that_wants_to_be_left_alone_says_for_how_long() -> None:
    for asks in (True, False):
        told = judged(errors.DDoSProtection("429"), Sent(asks=asks, changes=not asks, told_to_wait_s=5.0))
        assert isinstance(told, TooManyRequests)
        assert told.retry_after_s == 5


def test_an_order_that_a_question_does_not_find_is_missing() -> None:
    asked = Sent(asks=True, questions=1)
    assert type(judged(errors.OrderNotFound("-2013"), asked)) is Missing
    assert type(judged(errors.BadRequest("-1102"), asked)) is Doubtful
    assert (
        type(judged(errors.OrderNotFound("made up before anything was asked"), Sent(asks=True))) is Doubtful
    )


def test_a_cancel_of_an_order_that_is_not_there_is_a_refusal_of_the_cancel() -> None:
    assert type(judged(errors.OrderNotFound("-2011"), submission(400))) is VenueRefused


def test_words_carry_no_signature() -> None:
    error = errors.ExchangeNotAvailable(
        "binance GET https://api.binance.com/api/v3/order?a=1&signature=5ec 503"
    )
    assert "5ec" not in words_of(error)
    assert "https://api.binance.com/api/v3/order 503" in words_of(error)
