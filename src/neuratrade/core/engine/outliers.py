"""Bad ticks: one price far from the last must not move a trail, fill a mark or halt a desk.

A price that jumps is held back until others agree with it for a second; a market that really moved is
believed then, and a typing error of a venue never is.
"""

from decimal import Decimal

from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_SECOND

JUMP_FRACTION = Decimal("0.10")
AGREEING = 3
AGREED_FOR_NS = NS_PER_SECOND


class PriceFilter:
    """Believes prices of many instruments, or holds them back. Volatile."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[Decimal, int]] = {}
        self._doubted: dict[str, tuple[Decimal, int, int]] = {}

    def believes(self, instrument: str, price: Decimal, at_ns: int) -> bool:
        """Takes a price, quote currency per unit; whether it may be acted on."""
        last = self._last.get(instrument)
        near = last is None or at_ns - last[1] > NS_PER_MINUTE or _agree(price, last[0])
        if not near and not self._confirmed(instrument, price, at_ns):
            return False
        self._last[instrument] = (price, at_ns)
        self._doubted.pop(instrument, None)
        return True

    def forget(self, instrument: str) -> None:
        """The next price of an instrument is compared with none before it."""
        self._last.pop(instrument, None)
        self._doubted.pop(instrument, None)

    def held_back(self, instrument: str) -> Decimal | None:
        """The newest price of an instrument where it is held back, quote currency per unit."""
        doubted = self._doubted.get(instrument)
        return None if doubted is None else doubted[0]

    def _confirmed(self, instrument: str, price: Decimal, at_ns: int) -> bool:
        doubted = self._doubted.get(instrument)
        if doubted is None or not _agree(price, doubted[0]):
            self._doubted[instrument] = (price, at_ns, 1)
            return False
        level, first_ns, count = doubted
        self._doubted[instrument] = (level, first_ns, count + 1)
        return count + 1 >= AGREEING and at_ns - first_ns >= AGREED_FOR_NS


def _agree(price: Decimal, other: Decimal) -> bool:
    return abs(price - other) <= other * JUMP_FRACTION
