"""What requests to Kraken say: numbers, sides, pages, and the close attached to an order."""

from decimal import Decimal, InvalidOperation
from urllib.parse import parse_qsl

import msgspec
from aiohttp import web

from neuratrade.core.model.orders import OrderType, Side
from neuratrade.rehearsal import kraken_words as words
from neuratrade.rehearsal.attached import Exit, Leg, Opens
from neuratrade.rehearsal.kraken_market import KrakenError, Params

PAGE = 50


def page_of(params: Params) -> slice:
    """The rows asked for."""
    offset = int(params.get("ofs") or 0)
    return slice(offset, offset + PAGE)


def decimal_of(params: Params, name: str) -> Decimal | None:
    """A number, None where none is given. Raises KrakenError."""
    text = params.get(name)
    if not text:
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value < 0 or text[0] in "+-#":
        raise KrakenError(f"EGeneral:Invalid arguments:{name}")
    return value


def side_of(params: Params) -> Side:
    """Raises KrakenError."""
    if params.get("type") not in ("buy", "sell"):
        raise KrakenError("EGeneral:Invalid arguments:type")
    return Side(params["type"])


def prices_of(params: Params, kind: OrderType, form: str = "{}") -> tuple[Decimal | None, Decimal | None]:
    """Stop and limit of an order, where it has them. form: of the names. Raises KrakenError."""
    first, second = decimal_of(params, form.format("price")), decimal_of(params, form.format("price2"))
    stops = kind in (OrderType.STOP, OrderType.STOP_LIMIT)
    limits = kind in (OrderType.LIMIT, OrderType.STOP_LIMIT)
    limit = (second if stops else first) if limits else None
    if (stops and first is None) or (limits and limit is None):
        raise KrakenError("EGeneral:Invalid arguments:price")
    return first if stops else None, limit


def close_of(params: Params) -> Exit | None:
    """The conditional close of an order, None where it has none. Raises KrakenError.

    Every fill of the order places one of its own, of the size of the fill (docs.kraken.com, WebSocket v2,
    `add_order` on `conditional`; REST says: in the same quantity). They are orders like any other: nothing
    ties them to each other or to the order, and they have no id of their owner's. What becomes of a fill
    below the pair's minimum is not said; the worst is played: there is no close for it.
    """
    name = params.get("close[ordertype]", "none")
    if name == "none":
        return None
    gains = name.startswith(words.GAINS)
    kind = words.ORDER_TYPES.get(name.replace(words.GAINS, "stop-loss"))
    if kind in (None, OrderType.MARKET):
        raise KrakenError("EGeneral:Invalid arguments:close[ordertype]")
    stop, limit = prices_of(params, kind, "close[{}]")
    return Exit((Leg(kind, stop, limit, takes_profit=gains),), Opens.EACH_FILL)


def said_in(request: web.Request, body: str) -> Params:
    """What a request says, as JSON or as a form; nothing where it cannot be read."""
    if request.content_type != "application/json":
        return dict(parse_qsl(body, keep_blank_values=True))
    try:
        said = msgspec.json.decode(body, type=dict[str, object])
    except msgspec.DecodeError:
        return {}
    return {name: str(value) for name, value in said.items()}
