"""What an error of ccxt's proves about an order.

ccxt sorts errors into those of the exchange (a definite no) and those of the way there. That is not enough to
build on: it maps a body that broke off, and for some markets even "execution status unknown", to the first
kind. So an error counts as a refusal only where the wire saw it: either nothing that could change anything
left at all, or the one request that left was answered whole, by a status only the venue itself gives, with
words that are none of the doubtful ones. A duplicate client id is no refusal: it says the order is there.
"""

import re

from neuratrade.venues.ccxt.wire import Sent
from neuratrade.venues.port import TooManyRequests, VenueRefused

NOT_SO_SURE = frozenset({408, 418, 425, 429})
DUPLICATE = re.compile(
    r"duplicat|already (been )?(exist|used|submitted)|not unique|must be unique|cl_ord_id", re.IGNORECASE
)
"""A venue that objects to an id as such may have the order: Kraken says no more of one that is taken."""
TOO_MANY = frozenset({"RateLimitExceeded", "DDoSProtection"})
PAUSE_S = 5.0
"""For how long a venue is left alone that does not say for how long."""
CODE = re.compile(r'"(?:code|sCode|retCode)"\s*:\s*"?(-?\d+)')
QUERY = re.compile(r"\?\S+")
LONGEST = 300


class Doubtful(Exception):
    """Nobody knows what became of it."""


class Missing(Exception):
    """The venue says that it has no such order."""


def judged(error: Exception, sent: Sent, doubtful_codes: frozenset[str] = frozenset()) -> Exception:
    """The error to raise instead: `VenueRefused`, `Missing` (questions), `TooManyRequests` or `Doubtful`."""
    kinds, words = kinds_of(error), words_of(error)
    if sent.told_to_wait_s is not None:
        return TooManyRequests(words, sent.told_to_wait_s)
    if kinds & TOO_MANY:
        # Some venues say so in an answer of status 200.
        return TooManyRequests(words, PAUSE_S)
    if sent.asks:
        return Missing(words) if "OrderNotFound" in kinds and sent.questions else Doubtful(words)
    if not sent.changes:
        return VenueRefused(f"not sent: {words}")
    proven = sent.changes == 1 and len(sent.answered) == 1 and _is_its_own(sent.answered[0])
    definite = "ExchangeError" in kinds and "DuplicateOrderId" not in kinds
    code = CODE.search(str(error))
    hedged = DUPLICATE.search(str(error)) is not None or (code is not None and code[1] in doubtful_codes)
    return VenueRefused(words) if proven and definite and not hedged else Doubtful(words)


def kinds_of(error: Exception) -> frozenset[str]:
    """Names of its class and of those above: ccxt's classes are there only once ccxt is."""
    return frozenset(kind.__name__ for kind in type(error).__mro__)


def words_of(error: Exception) -> str:
    """The error in words, without the query of an address, which is signed."""
    return f"{type(error).__name__}: {QUERY.sub('', str(error))}"[:LONGEST]


def _is_its_own(status: int) -> bool:
    """Whether a status comes from the venue itself: a proxy on the way gives the others too."""
    return 200 <= status < 300 or (400 <= status < 500 and status not in NOT_SO_SURE)
