"""The wires between venue and desk: they delay, lose, double and reorder words, and may fall silent for long.

What is lost is lost: nothing here tells it again. Answers to requests and look-ups come by another way than
the stream of executions and ends, so one may be silent while the other speaks.
"""

import heapq
import random
from collections.abc import Callable
from itertools import count

import msgspec

from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.market import NS_PER_MS
from tests.simulation.faults.kinds import Fault
from tests.simulation.faults.truth import REQUEST, Order, Temper

Note = Callable[[Fault, str], None]
NoteAll = Callable[[Fault], None]
Act = Callable[[], e.Event | None]

STREAMED = (f.OrderFilled, f.OrderTriggered, f.OrderCancelled, f.OrderExpired, f.FillCorrected)
"""What comes by the stream; everything else answers a request."""

AT_ONCE = -1_000_000_000


class Wires:
    """note is told of every fault that struck, with its bracket; note_all of those that struck all.

    listening: whether the desk can hear at all. silent_until_ns: until when its stream says nothing.
    """

    def __init__(self, temper: Temper, rng: random.Random, note: Note, note_all: NoteAll) -> None:
        self.temper = temper
        self.note = note
        self.note_all = note_all
        self.listening = True
        self.silent_until_ns = 0
        self.now_ns = 0
        self.skew_ns = 0
        self.touched: set[str] = set()
        self.rng = rng
        self._queue: list[tuple[int, int, Act]] = []
        self._numbers = count(1)
        self._stream = 0

    @property
    def next_due_ns(self) -> int | None:
        return self._queue[0][0] if self._queue else None

    def run_next(self) -> e.Event | None:
        due_ns, _, act = heapq.heappop(self._queue)
        self.now_ns = max(self.now_ns, due_ns)
        return act()

    def cut(self) -> None:
        """The desk hears nothing any more; what was under way to it is lost."""
        self.listening = False

    def connect(self) -> None:
        """A new stream: it tells nothing of what came before it."""
        self.listening = True
        self.silent_until_ns = 0
        self._stream += 1

    def strikes(self, fault: Fault) -> bool:
        """Whether a fault of this world's temper happens now."""
        return self.temper.strikes(fault, self.rng)

    def latency_ns(self) -> int:
        """How long a word is under way."""
        return self.rng.randrange(5, self.temper.latency_ms + 6) * NS_PER_MS

    def at(self, due_ns: int, act: Act) -> None:
        """Lets something happen then."""
        heapq.heappush(self._queue, (max(due_ns, self.now_ns), next(self._numbers), act))

    def tell_at_once(self, order: Order, words: list[f.VenueEvent]) -> None:
        """Tells the answer to a look-up: words in order, before anything else that is due."""
        newest = next(self._numbers)
        for number, word in enumerate(words):
            heapq.heappush(
                self._queue, (self.now_ns, AT_ONCE + newest * 100 + number, self._telling(order, word))
            )

    def _telling(self, order: Order, word: f.VenueEvent) -> Act:
        def tell() -> e.Event | None:
            if not self.listening:
                return None
            order.withheld = {number: at_ns for number, at_ns in order.withheld.items() if number < REQUEST}
            return self.stamp(order, word)

        return tell

    def say(self, order: Order, word: f.VenueEvent) -> None:
        """Sends a word about an order, garbled as this world garbles."""
        number = next(self._numbers)
        is_fill = isinstance(word, f.OrderFilled)
        late = Fault.FILL_DELAYED if is_fill else Fault.ACK_DELAYED
        due_ns = self.now_ns + self.latency_ns()
        fault = None
        if self.strikes(late):
            fault = late
            order.withheld[number] = self.now_ns
            due_ns += self.rng.choice((300, 1000, 3000, 8000)) * NS_PER_MS
        doubled = Fault.FILL_DOUBLED if is_fill else Fault.ACK_DOUBLED
        if self.strikes(doubled):
            again_ns = due_ns + self.rng.choice((0, 50, 2000, 9000)) * NS_PER_MS
            self.at(again_ns, lambda: self.deliver(order, word, number, doubled, may_drop=False))
        self.at(due_ns, lambda: self.deliver(order, word, number, fault))

    def deliver(
        self,
        order: Order,
        word: f.VenueEvent,
        number: int,
        fault: Fault | None,
        *,
        may_drop: bool = True,
        stream: int | None = None,
    ) -> e.Event | None:
        """A word reaches the desk, or not. stream: it waited in this one, which may be gone."""
        lost = Fault.FILL_DROPPED if isinstance(word, f.OrderFilled) else Fault.ACK_DROPPED
        dropped = may_drop and self.strikes(lost)
        if dropped or not self.listening or stream not in (None, self._stream):
            order.withheld.setdefault(number, self.now_ns)
            if dropped:
                self.note(lost, order.bracket_id)
            return None
        if self.now_ns < self.silent_until_ns and isinstance(word, STREAMED):
            order.withheld.setdefault(number, self.now_ns)
            here = self._stream
            self.at(
                self.silent_until_ns,
                lambda: self.deliver(order, word, number, fault, may_drop=False, stream=here),
            )
            return None
        order.withheld.pop(number, None)
        if fault is not None:
            self.note(fault, order.bracket_id)
        if number < order.newest_told:
            self.note(Fault.REORDERED, order.bracket_id)
        order.newest_told = max(order.newest_told, number)
        return self.stamp(order, word)

    def stamp(self, order: Order, word: f.VenueEvent) -> e.Event:
        """The word with the time it is told at."""
        self.touched.add(order.bracket_id)
        return msgspec.structs.replace(word, at_ns=self.now_ns - self.skew_ns)

    def leave_unknown(self, order: Order, fault: Fault, now_ns: int) -> None:
        """The request that sent an order gets no answer."""
        after_ns = self.rng.choice((50, 1000, 3000)) * NS_PER_MS
        word = f.OrderUnknown(0, order.coid, "no answer")
        self.at(
            now_ns + after_ns,
            lambda: self.deliver(order, word, next(self._numbers), fault, may_drop=False),
        )

    def postpone(self, by_ns: int) -> None:
        """The desk's process froze: what came meanwhile waits at its door."""
        self._queue = [(due_ns + by_ns, number, act) for due_ns, number, act in self._queue]
        heapq.heapify(self._queue)
