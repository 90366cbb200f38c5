"""What an answer of Tradovate proves.

HTTP 200 is no yes, and not every stated failure is a no. A reason counts as a refusal only where it tells of
a check that comes before an order exists; one that comes from the way to the exchange, and one that nobody
has heard of, leave the outcome open.
"""

import msgspec

from neuratrade.venues.port import TooManyRequests, VenueRefused
from neuratrade.venues.tradovate.entities import Violations
from neuratrade.venues.tradovate.frames import Item

HOUR_S = 3600.0
"""How long the venue wants to be left alone after its 429."""
LOCKED_S = 60.0
"""How long it is left alone after a 423, which comes before a 429; it names no time itself."""
LONGEST = 300
"""Characters of the venue's words that are passed on."""

PROVEN = frozenset(
    {
        "AccountClosed",
        "AdvancedTrailingStopUnsupported",
        "BackMonthProhibited",
        "ExecutionProviderNotConfigured",
        "InvalidContract",
        "InvalidPrice",
        "KeyInformationDocumentRequired",
        "LiquidationOnly",
        "LiquidationOnlyBeforeExpiration",
        "MaxOrderQtyIsNotSpecified",
        "MaxOrderQtyLimitReached",
        "MaxPosLimitMisconfigured",
        "MaxPosLimitReached",
        "MaxTotalPosLimitReached",
        "MultipleAccountPlanRequired",
        "NoQuote",
        "SSFRiskDisclosureAcknowledgmentRequired",
        "SessionClosed",
        "TradingLocked",
        "TrailingStopNonOrderQtyModify",
        "Unauthorized",
        "Unsupported",
    }
)
"""Reasons of checks before an order exists. Left out, since an order may be there all the same:
RiskCheckTimeout, UnknownReason, OtherExecutionRelated, ExecutionProviderUnavailable, NotEnoughLiquidity,
ParentRejected, AnotherCommandPending, TooLate, and Success beside a missing number."""
PROVEN_OF_CHANGES = PROVEN | {"TooLate", "AnotherCommandPending"}
"""Of a cancel, these prove as well that it was not done. What the order itself is by then they do not say."""
OWN_NO = frozenset({400, 401, 403, 404, 405, 422})
"""Statuses by which the venue itself says no."""


class Doubtful(Exception):
    """An answer that proves nothing, or none."""


class Missing(Exception):
    """The venue says that it has no such thing."""


class Unauthorised(Exception):
    """The venue does not know the token any more."""


def short(text: str | None) -> str:
    """Words of the venue, of a length that can be shown."""
    return (text or "no words of its own")[:LONGEST]


def refusal(reason: str, text: str | None, proven: frozenset[str]) -> Exception:
    """What a stated failure comes to."""
    words = f"{short(text)} ({short(reason)})"
    return VenueRefused(words) if reason in proven else Doubtful(f"it may be there all the same: {words}")


def status_error(status: int, words: str) -> Exception:
    """What a status comes to."""
    if status == 429:
        return TooManyRequests("the venue says: too many requests; it is left alone for an hour", HOUR_S)
    if status == 423:
        return TooManyRequests("the venue says: locked, which comes before too many requests", LOCKED_S)
    if status == 404:
        return Missing(words)
    if status in OWN_NO:
        return VenueRefused(f"{words} ({status})")
    return Doubtful(f"status {status}: {words}")


def check(item: Item) -> msgspec.Raw:
    """What an answer holds. Raises for every status but 200, see `status_error`."""
    status = item.s or 0
    if status == 200:
        return item.d
    raise status_error(status, _words(item.d))


def _words(raw: msgspec.Raw) -> str:
    """The words of a failed request: text, or violations, or an error text."""
    try:
        return short(msgspec.json.decode(raw, type=str))
    except msgspec.DecodeError:
        pass
    try:
        told = msgspec.json.decode(raw, type=Violations)
    except msgspec.DecodeError:
        return "no words of its own"
    return short("; ".join(item.description for item in told.violations) or told.error_text)
