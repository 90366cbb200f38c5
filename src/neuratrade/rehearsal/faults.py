"""What goes wrong in a rehearsal: a plan drawn from a seed, and what of it is due when something is asked.

Every fault is one that venues are known for. The same seed gives the same plan; `Troubles` keeps what is due
now and counts what was done, since a fault that met nothing proves nothing.
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from enum import StrEnum

import msgspec

from neuratrade.core.model.market import NS_PER_SECOND


class Act(StrEnum):
    """What a request is about."""

    SUBMIT = "submit"
    CHANGE = "change"
    ASK = "ask"
    DATA = "data"
    HISTORY = "history"


class FaultKind(StrEnum):
    """What can go wrong: with requests, with streams, with prices, with the venue, and with the desk itself.

    What is about prices goes wrong on the connections that tell of the market, never on those of the account.
    """

    SLOW = "slow answer"
    LATE = "late taking"
    RATE_LIMITED = "429"
    RATE_LIMITED_AFTER = "429 after acceptance"
    SERVER_ERROR = "5xx"
    SERVER_ERROR_AFTER = "5xx after acceptance"
    CUT = "connection cut"
    CUT_AFTER = "connection cut after acceptance"
    STOP_REJECTED = "stop rejected"
    DISCONNECT = "stream cut"
    SILENT_STREAM = "silent stream"
    DUPLICATED = "events told twice"
    REORDERED = "events out of order"
    SILENT_SYMBOL = "silent symbol"
    PRICES_CUT = "prices cut"
    PRICES_DOWN = "prices down"
    PRICES_LATE = "prices late"
    PRICES_TWICE = "prices told twice"
    PRICES_REORDERED = "prices out of order"
    THIN = "thin book"
    MAINTENANCE = "maintenance"
    CLOCK_SKEW = "clock skew"
    CRASH = "desk crashes"


OF_REQUESTS = frozenset(
    {
        FaultKind.SLOW,
        FaultKind.LATE,
        FaultKind.RATE_LIMITED,
        FaultKind.RATE_LIMITED_AFTER,
        FaultKind.SERVER_ERROR,
        FaultKind.SERVER_ERROR_AFTER,
        FaultKind.CUT,
        FaultKind.CUT_AFTER,
    }
)
OF_PRICES = frozenset(
    {
        FaultKind.SILENT_SYMBOL,
        FaultKind.PRICES_CUT,
        FaultKind.PRICES_DOWN,
        FaultKind.PRICES_LATE,
        FaultKind.PRICES_TWICE,
        FaultKind.PRICES_REORDERED,
    }
)
ASKED = (Act.SUBMIT, Act.SUBMIT, Act.CHANGE, Act.ASK, Act.HISTORY)
"""What a fault of requests may meet. Questions about the market that are no history are few, and never."""
OF_CRASHES = (Act.SUBMIT, Act.SUBMIT, Act.CHANGE, Act.ASK)


class Fault(msgspec.Struct, frozen=True):
    """One thing that goes wrong. at_s: seconds after the start.

    seconds: how long it lasts, or how late an answer is. times: how many requests or frames it meets.
    on: which requests it meets, for those of requests. A crash on a request comes before the venue takes it
    where `seconds` is zero, else between that and the answer.
    """

    at_s: float
    kind: FaultKind
    seconds: float = 0.0
    times: int = 1
    on: Act | None = None

    @property
    def is_of_prices(self) -> bool:
        """Whether it meets what tells of the market, and no order."""
        return self.kind in OF_PRICES or self.on in (Act.DATA, Act.HISTORY)


def draw_plan(
    seed: int, length_s: float, count: int, kinds: Sequence[FaultKind] | None = None
) -> tuple[Fault, ...]:
    """A plan of `count` faults over `length_s` seconds, in order of time. kinds: only these."""
    dice = random.Random(seed)  # noqa: S311 - a plan is drawn, not kept secret
    choice = list(kinds or FaultKind)
    faults = [_draw(dice, dice.choice(choice), length_s) for _ in range(count)]
    return tuple(sorted(faults, key=lambda fault: fault.at_s))


def _draw(dice: random.Random, kind: FaultKind, length_s: float) -> Fault:
    at_s = round(dice.uniform(0.02, 0.9) * length_s, 3)
    match kind:
        case FaultKind.SLOW | FaultKind.LATE:
            times, on = dice.randint(1, 3), dice.choice(ASKED)
            return Fault(at_s, kind, round(dice.uniform(0.2, 12.0), 3), times, on)
        case FaultKind.DISCONNECT | FaultKind.STOP_REJECTED | FaultKind.PRICES_CUT:
            return Fault(at_s, kind, times=dice.randint(1, 2))
        case FaultKind.DUPLICATED | FaultKind.REORDERED:
            return Fault(at_s, kind, times=dice.randint(1, 6))
        case FaultKind.PRICES_TWICE | FaultKind.PRICES_REORDERED:
            return Fault(at_s, kind, times=dice.randint(1, 40))
        case FaultKind.SILENT_STREAM | FaultKind.MAINTENANCE | FaultKind.PRICES_LATE:
            return Fault(at_s, kind, round(dice.uniform(5.0, 90.0), 3))
        case FaultKind.SILENT_SYMBOL | FaultKind.PRICES_DOWN:
            # Longer than the desk believes a price.
            return Fault(at_s, kind, round(dice.uniform(10.0, 240.0), 3))
        case FaultKind.THIN:
            return Fault(at_s, kind, round(dice.uniform(30.0, 300.0), 3))
        case FaultKind.CRASH:
            return Fault(at_s, kind, float(dice.randint(0, 1)), on=dice.choice(OF_CRASHES))
        case FaultKind.CLOCK_SKEW:
            return Fault(at_s, kind, round(dice.uniform(-8.0, 8.0), 3))
        case _:
            return Fault(at_s, kind, times=dice.randint(1, 4), on=dice.choice(ASKED))


class Troubles:
    """What of a plan is due. now_ns: the clock of the rehearsal; begin_ns: when it began.

    met: how often each kind met something.
    """

    def __init__(self, plan: Sequence[Fault], now_ns: Callable[[], int], begin_ns: int) -> None:
        self._waiting = sorted(plan, key=lambda fault: fault.at_s)
        self._now_ns = now_ns
        self._begin_ns = begin_ns
        self._left: list[tuple[Fault, int]] = []
        self.met: Counter[str] = Counter()

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start."""
        return (self._now_ns() - self._begin_ns) / NS_PER_SECOND

    def of_request(self, act: Act) -> Fault | None:
        """The fault the next request of this kind meets, if any; it is used up by one."""
        return self._take(lambda fault: fault.kind in OF_REQUESTS and fault.on is act)

    def crash_on(self, act: Act) -> Fault | None:
        """The crash of the desk that comes with the next request of this kind, if any."""
        return self._take(lambda fault: fault.kind is FaultKind.CRASH and fault.on is act)

    def next_of(self, kind: FaultKind) -> Fault | None:
        """Whether a fault of a kind is due that counts by what it meets; used up by one."""
        return self._take(lambda fault: fault.kind is kind)

    def during(self, kind: FaultKind) -> bool:
        """Whether a fault that lasts meets what asks, now."""
        found = self.is_on(kind)
        if found:
            self.met[kind.value] += 1
        return found

    def is_on(self, kind: FaultKind) -> bool:
        """Whether a fault that lasts is on now, for who only wants to know."""
        self._look()
        now_s = self.elapsed_s
        return any(
            fault.kind is kind and fault.at_s <= now_s < fault.at_s + fault.seconds for fault, _ in self._left
        )

    @property
    def skew_ns(self) -> int:
        """How far the venue's clock is off now."""
        self._look()
        skews = [fault.seconds for fault, _ in self._left if fault.kind is FaultKind.CLOCK_SKEW]
        return round(skews[-1] * NS_PER_SECOND) if skews else 0

    def _look(self) -> None:
        while self._waiting and self._waiting[0].at_s <= self.elapsed_s:
            fault = self._waiting.pop(0)
            self._left.append((fault, fault.times))

    def _take(self, wanted: Callable[[Fault], bool]) -> Fault | None:
        self._look()
        for place, (fault, left) in enumerate(self._left):
            if left > 0 and wanted(fault):
                self._left[place] = (fault, left - 1)
                self.met[fault.kind.value] += 1
                return fault
        return None
