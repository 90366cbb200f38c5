"""Which market a person means by a symbol, and which ones are near where there is no such market."""

import difflib
from collections.abc import Collection, Iterable, Mapping

from neuratrade.core.model.errors import UsageError

MOST_HINTS = 3
LONGEST = 40


def symbol_named(asked: str, venue: str, traded: Collection[str], others: Mapping[str, object]) -> str:
    """The symbol of a market that is traded: as ccxt writes it, or in another case or without its marks.

    others: markets that are there but cannot be traded here. Raises UsageError with the nearest symbols.
    """
    name, _, at = asked.strip().partition("@")
    if at and at != venue:
        raise UsageError(f"{_shown(asked)} is a market of {_shown(at)}, not of {venue}")
    if name in traded:
        return name
    bare = _bare(name)
    found = sorted(symbol for symbol in traded if _bare(symbol) == bare) if bare else []
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"{_shown(asked)} may be {' or '.join(found)} at {venue}: write it as there")
    if any(_bare(symbol) == bare for symbol in others) and bare:
        raise UsageError(
            f"{_shown(asked)} cannot be traded here: {venue} has suspended it, or settles it in a way that "
            f"is not valued here{_hint(name, traded)}"
        )
    raise UsageError(f"{venue} has no market {_shown(asked)}{_hint(name, traded)}")


def _hint(name: str, traded: Collection[str]) -> str:
    near = _nearest(name[:LONGEST].upper(), traded)
    return f"; did you mean {' or '.join(near)}?" if near else f"; it has {len(traded)} others"


def _nearest(name: str, traded: Iterable[str]) -> list[str]:
    """Those of the same base first, the shortest before the longer ones, then those that look alike."""
    base = name.replace("-", "/").replace("_", "/").partition("/")[0]
    same = sorted((item for item in traded if base and item.partition("/")[0] == base), key=_length)
    alike = difflib.get_close_matches(name, list(traded), n=MOST_HINTS, cutoff=0.6)
    quoted = [item for item in alike if item in same]
    return list(dict.fromkeys([*quoted, *same, *alike] if same else alike))[:MOST_HINTS]


def _length(symbol: str) -> tuple[int, str]:
    return len(symbol), symbol


def _bare(symbol: str) -> str:
    return "".join(sign for sign in symbol.upper() if sign.isalnum())


def _shown(asked: str) -> str:
    """As it was typed, short and without what a terminal would act on."""
    clean = ascii(asked)[1:-1]
    return repr(clean if len(clean) <= LONGEST else f"{clean[:LONGEST]}...")
