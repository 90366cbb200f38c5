"""Contracts as ccxt describes an exchange's markets. Numbers are its strings, never floats.

What cannot be valued here (options, inverse contracts, contracts settled in another currency) is left out.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from neuratrade.core.model.decimals import BASIS_POINTS, ONE, ZERO
from neuratrade.core.model.instrument import Instrument, InstrumentKind

Market = Mapping[str, Any]


class MarketsRead(msgspec.Struct, frozen=True):
    """Contracts as they stood at a time. at_ns: when they were asked for; symbols: of ccxt, by key."""

    at_ns: int
    venue: str
    contracts: dict[str, Instrument]
    symbols: dict[str, str]


def contracts_of(markets: Mapping[str, Market], venue: str, at_ns: int, *, fee_in_base: bool) -> MarketsRead:
    """Every active contract of an exchange that can be valued here."""
    contracts: dict[str, Instrument] = {}
    symbols: dict[str, str] = {}
    for symbol, market in markets.items():
        contract = contract_of(market, venue, fee_in_base=fee_in_base)
        if contract is not None:
            contracts[contract.key] = contract
            symbols[contract.key] = symbol
    return MarketsRead(at_ns, venue, contracts, symbols)


def contract_of(market: Market, venue: str, *, fee_in_base: bool) -> Instrument | None:
    """One market as a contract; None for one that cannot be valued. fee_in_base: whether buys pay so."""
    kind = _kind(market)
    tick, lot = number(market["precision"].get("price")), number(market["precision"].get("amount"))
    if kind is None or tick is None or lot is None or tick <= 0 or lot <= 0 or market.get("active") is False:
        return None
    derivative = kind is not InstrumentKind.SPOT
    limits = market["limits"]
    return Instrument(
        market["symbol"],
        venue,
        kind,
        market["base"],
        market["quote"],
        tick=tick,
        lot=lot,
        min_quantity=number(limits["amount"].get("min")) or lot,
        min_notional=number(limits["cost"].get("min")) or ZERO,
        multiplier=(number(market.get("contractSize")) or ONE) if derivative else ONE,
        maker_fee_bps=(number(market.get("maker")) or ZERO) * BASIS_POINTS,
        taker_fee_bps=(number(market.get("taker")) or ZERO) * BASIS_POINTS,
        fee_in_base=fee_in_base and not derivative,
    )


def symbol_of(contract: Instrument, markets: Mapping[str, Market]) -> str | None:
    """ccxt's symbol of a contract: that of its name, else the one of the same kind, base and quote."""
    named = markets.get(contract.asset)
    if named is not None and _kind(named) is contract.kind:
        return contract.asset
    for symbol, market in markets.items():
        if (market["base"], market["quote"]) == (contract.base, contract.quote) and _kind(
            market
        ) is contract.kind:
            return symbol
    return None


def number(told: object) -> Decimal | None:
    """A number as ccxt hands it on, exact where it is a string; None where there is none."""
    if told is None or told == "":
        return None
    made = Decimal(str(told))
    return made if made.is_finite() else None


def _kind(market: Market) -> InstrumentKind | None:
    if market.get("spot"):
        return InstrumentKind.SPOT
    if not market.get("linear") or market.get("settle") != market["quote"] or market.get("option"):
        return None
    if market.get("swap"):
        return InstrumentKind.PERPETUAL
    return InstrumentKind.FUTURE if market.get("future") else None
