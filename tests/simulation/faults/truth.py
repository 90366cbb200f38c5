"""What is true at the venue: orders, executions, what each bracket really holds. No desk ever reads it."""

import random
from dataclasses import dataclass, field
from decimal import Decimal

from neuratrade.core.model.intent import Direction
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.model.orders import Fill, OrderRequest
from tests.simulation.faults.kinds import Fault

ZERO = Decimal(0)

LOOK_NS = 20 * NS_PER_SECOND
EXCUSED_NS = 2 * LOOK_NS + 5 * NS_PER_SECOND
"""How long a word that never came excuses the desk: time for two looks at the venue's books, 20 s apart."""

REQUEST, ARRIVAL = 0, -1
"""Numbers under which a lost request, and an order still on its way, are withheld."""


class BrokenPromise(AssertionError):
    """The desk broke an invariant, or did what a venue must never see."""


@dataclass(slots=True)
class Execution:
    """One execution in truth; corrected terms replace the first ones. told: the desk knows these terms.

    changed_ns: when it happened or was last corrected.
    """

    fill: Fill
    quantity: Decimal
    price: Decimal
    fee: Decimal
    changed_ns: int
    told: bool = False
    corrected: bool = False


@dataclass(slots=True)
class Order:
    """One order in truth. withheld: since when a fault keeps words about it from the desk, by their number.

    missed_ns, denied: when the desk first read that it is not there, and whether it read so again later.
    phantom: it came all the same, and the desk has not read so yet.
    """

    request: OrderRequest
    vid: str
    quantity: Decimal
    stop_price: Decimal | None
    arrived: bool = False
    live: bool = False
    triggered: bool = False
    end: str = ""
    filled: Decimal = ZERO
    executions: dict[str, Execution] = field(default_factory=dict)
    withheld: dict[int, int] = field(default_factory=dict)
    newest_told: int = 0
    missed_ns: int | None = None
    denied: bool = False
    phantom: bool = False
    shrunk: bool = False
    growing: Decimal = ZERO

    @property
    def remaining(self) -> Decimal:
        return self.quantity - self.filled

    @property
    def coid(self) -> str:
        return self.request.client_order_id

    @property
    def bracket_id(self) -> str:
        return self.request.bracket_id

    @property
    def may_still_fill(self) -> Decimal:
        """What it may yet fill: resting, or on its way to the venue."""
        if self.live:
            return max(self.quantity, self.growing) - self.filled
        return self.quantity if not self.arrived and not self.end else ZERO

    def looked_in_vain(self) -> None:
        """The desk asked for the books and got no answer: what it does not know it may not know longer."""
        self.withheld = {number: since_ns + LOOK_NS for number, since_ns in self.withheld.items()}

    def is_excused(self, now_ns: int) -> bool:
        """Whether the desk may still not know how it stands."""
        return any(now_ns - since_ns <= EXCUSED_NS for since_ns in self.withheld.values())


@dataclass(slots=True)
class Holding:
    """What a bracket holds in truth, in its own direction; excess: by how much its exits may exceed that.

    returned: what a busted exit gave back. adopted: it was a stranger's.
    """

    direction: Direction
    instrument: str
    held: Decimal = ZERO
    entered: Decimal = ZERO
    excess: Decimal = ZERO
    returned: Decimal = ZERO
    adopted: bool = False
    orders: list[Order] = field(default_factory=list)


@dataclass(slots=True)
class Temper:
    """How unkind a world is: probabilities by fault."""

    chances: dict[Fault, float]
    latency_ms: int

    def strikes(self, fault: Fault, rng: random.Random) -> bool:
        chance = self.chances.get(fault, 0.0)
        return chance > 0 and rng.random() < chance
