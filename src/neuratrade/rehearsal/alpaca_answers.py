"""How Alpaca's trading API words anything: bodies, refusals, ids, and amounts as text without exponent."""

import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec
from aiohttp import web

from neuratrade.rehearsal.orders import Reason, Rejected
from neuratrade.rehearsal.server import Handler

Json = dict[str, Any]
SPACE = uuid.UUID("6f1e3a52-0d5c-4f0e-9c7a-5a1c2f0b7d11")
FORBIDDEN, UNPROCESSABLE = 40310000, 42210000
REASONS = {
    Reason.DUPLICATE: (422, 40010001, "client_order_id must be unique"),
    Reason.UNKNOWN_SYMBOL: (422, UNPROCESSABLE, "asset not found"),
    Reason.BALANCE: (403, FORBIDDEN, "insufficient balance"),
    Reason.MINIMUM: (403, FORBIDDEN, "cost basis must be >= minimal amount of order 1"),
    Reason.UNKNOWN_ORDER: (404, 40410000, "order not found"),
}


class NotTaken(Exception):
    """The venue says no. details: what its answer has beside code and message."""

    def __init__(self, status: int, code: int, message: str, **details: str) -> None:
        super().__init__(message)
        self.status = status
        self.body: Json = {"code": code, "message": message, **details}


async def body_of(request: web.Request) -> Json:
    """What a request says. Raises NotTaken where that is no JSON object."""
    try:
        return msgspec.json.decode(await request.read(), type=Json)
    except msgspec.DecodeError:
        raise NotTaken(400, 40010000, "request body format is invalid") from None


def worded(handler: Handler) -> Handler:
    """Answers refusals in the words of the venue."""

    async def answered(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except Rejected as rejected:
            refused = _in_words(rejected)
        except NotTaken as not_taken:
            refused = not_taken
        return answer(refused.body, refused.status)

    return answered


def _in_words(rejected: Rejected) -> NotTaken:
    known = REASONS.get(rejected.reason)
    return NotTaken(*known) if known else NotTaken(422, UNPROCESSABLE, str(rejected))


def invalid(message: str) -> NotTaken:
    """An order the venue cannot make sense of."""
    return NotTaken(422, UNPROCESSABLE, message)


def answer(found: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """An answer of JSON."""
    return web.Response(
        body=msgspec.json.encode(found), status=status, content_type="application/json", headers=headers
    )


def text(number: Decimal) -> str:
    """As the venue writes it: never with an exponent."""
    return format(number, "f")


def text_or_none(number: Decimal | None) -> str | None:
    """As the venue writes it, or nothing."""
    return None if number is None else text(number)


def uuid_of(what: object) -> str:
    """The id the venue gives to something, always the same."""
    return str(uuid.uuid5(SPACE, str(what)))
