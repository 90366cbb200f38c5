"""The terms of an instrument as its exchange states them, in place of what prices alone could tell.

What an exchange does not make public is taken on the dear side and said: fees of 10 basis points where it
names none, and no leverage, since margins depend on the account.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal

from neuratrade.core.model.decimals import ONE, ZERO
from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.instrument import DERIVATIVES, Instrument, InstrumentKind
from neuratrade.feeds.infer import ASSUMED_FEE_BPS

_KINDS = {"spot": InstrumentKind.SPOT, "swap": InstrumentKind.PERPETUAL, "future": InstrumentKind.FUTURE}


def terms_of(
    market: Mapping[str, object], venue: str, asset: str, step: Callable[[object], str | None]
) -> tuple[Instrument, list[str]]:
    """An instrument from a ccxt market, and notes on what had to be assumed.

    step: turns a precision of the market into a step of price or quantity. A tick or lot of zero is one that
    the exchange does not state as a fixed step: to be inferred. Raises UsageError for a contract that cannot
    be valued here (options, and contracts that settle in their base).
    """
    symbol = str(market.get("symbol"))
    kind = _KINDS.get(str(market.get("type")))
    if kind is None:
        raise UsageError(f"market {symbol}: is of type {market.get('type')}, which no ledger here can value")
    if market.get("inverse"):
        raise UsageError(
            f"market {symbol}: settles in its base ({market.get('settle')}), which no ledger here can value"
        )
    precision, notes = _inner(market, "precision"), list[str]()
    lot = _decimal(step(precision.get("amount"))) or ZERO
    limits = _inner(market, "limits")
    maker, taker = _fee(market, "maker", notes), _fee(market, "taker", notes)
    multiplier = ONE
    if kind in DERIVATIVES:
        multiplier = _decimal(market.get("contractSize")) or ONE
        notes.append(
            f"{asset}@{venue}: margins depend on the account; no leverage assumed (initial_margin 1)"
        )
    instrument = Instrument(
        asset=asset,
        venue=venue,
        kind=kind,
        base=str(market.get("base")),
        quote=str(market.get("quote")),
        tick=_decimal(step(precision.get("price"))) or ZERO,
        lot=lot,
        min_quantity=_decimal(_inner(limits, "amount").get("min")) or lot,
        min_notional=_decimal(_inner(limits, "cost").get("min")) or ZERO,
        multiplier=multiplier,
        maker_fee_bps=maker,
        taker_fee_bps=taker,
        fee_in_base=kind is InstrumentKind.SPOT and market.get("feeSide") in ("get", "base"),
    )
    return instrument, notes


def _fee(market: Mapping[str, object], name: str, notes: list[str]) -> Decimal:
    stated = market.get(name)
    if not isinstance(stated, int | float):
        notes.append(f"market {market.get('symbol')}: states no {name} fee; {ASSUMED_FEE_BPS} bps assumed")
        return ASSUMED_FEE_BPS
    return _plain(Decimal(repr(stated)) * 10_000)


def _inner(values: Mapping[str, object], name: str) -> Mapping[str, object]:
    inner = values.get(name)
    return inner if isinstance(inner, Mapping) else {}


def _decimal(value: object) -> Decimal | None:
    """A number of ccxt, the text of a float, as the decimal that was meant; None for nothing."""
    if value is None:
        return None
    return _plain(Decimal(value if isinstance(value, str) else repr(value)))


def _plain(value: Decimal) -> Decimal:
    """Without trailing zeros and without an exponent above zero."""
    even = value.normalize()
    return even.quantize(ONE) if even == even.to_integral_value() else even
