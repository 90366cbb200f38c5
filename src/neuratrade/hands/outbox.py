"""What is on its way to a venue: calls side by side, those of one order one after the other.

What protects goes first. Calls that cancel, move a stop or leave overtake entries that wait, and some places
are kept free for them, so that a venue that hangs on entries cannot keep a stop from leaving. An entry is
asked once more whether it may still open when it leaves, since a halt may have come while it waited.

Three ends of a call. It answered: its events. `VenueRefused`: a definite no. Anything else, time-outs
included: nobody knows, so the order is unknown and is looked up; nothing that changes anything is ever
repeated. Questions are: a look-up or a snapshot is asked again until it is answered.
"""

import asyncio
import heapq
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import partial

from neuratrade.core.model import facts as f
from neuratrade.core.model.events import VenueSnapshot
from neuratrade.venues.port import TooManyRequests, VenueRefused

PLACES = 16
KEPT_FOR_PROTECTION = 4
FIRST_AGAIN_S = 0.25
LONGEST_AGAIN_S = 30.0
LOOKS_APART = 0.4
"""Of the time an order takes to settle, what lies between two looks for it meanwhile."""

Answer = f.VenueEvent | VenueSnapshot
Answers = Sequence[Answer]


class Rank(IntEnum):
    """Who goes first when not all can go."""

    PROTECT = 0
    ASK = 1
    OPEN = 2


@dataclass(frozen=True, slots=True)
class Call:
    """One request to a venue.

    key: calls of one key never overlap and keep their order. make: does it; awaited at most `limit_s`.
    refused, unknown: what a definite no and a doubtful end mean, given the reason. objection: why it may not
    leave any more, asked when it leaves. A question (`unknown` is None) is asked again instead.
    """

    key: str
    rank: Rank
    make: Callable[[], Awaitable[Answers]]
    limit_s: float
    refused: Callable[[str], Answer] | None = None
    unknown: Callable[[str], Answer] | None = None
    objection: Callable[[], str | None] | None = None
    attempt: int = 0

    @property
    def is_question(self) -> bool:
        """Whether it changes nothing and may be repeated."""
        return self.unknown is None


@dataclass(order=True, slots=True)
class _Waiting:
    rank: Rank
    number: int
    call: Call = field(compare=False)


class Outbox:
    """Sends calls and tells what became of them. One event loop.

    tell: takes each answer. note: takes each trouble that a person should know of. settle_s: see
    `Capabilities`. pressed: told whenever the venue says that it is asked too much.
    """

    def __init__(
        self,
        tell: Callable[[Answer], None],
        note: Callable[[str], None],
        *,
        settle_s: float = 0.0,
        pressed: Callable[[], None] = lambda: None,
    ) -> None:
        self._tell = tell
        self._note = note
        self._pressed = pressed
        self._settle_s = settle_s
        self._chains: dict[str, deque[Call]] = {}
        self._ready: list[_Waiting] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._delayed: dict[str, asyncio.TimerHandle] = {}
        self._open_until: dict[str, float] = {}
        self._rests_until: dict[str, float] = {}
        self._opening = 0
        self._number = 0
        self._closed = False

    @property
    def in_flight(self) -> int:
        """Calls that left and were not answered yet."""
        return len(self._tasks)

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits, is on its way, or will be asked again."""
        return not (self._tasks or self._chains or self._delayed)

    def put(self, call: Call) -> None:
        """Sends a call as soon as its turn comes. A question that waits already is not asked twice."""
        if self._closed:
            return
        if call.is_question and self._asks_already(call):
            return
        chain = self._chains.get(call.key)
        if chain is not None:
            chain.append(call)
            return
        self._chains[call.key] = deque()
        self._make_ready(call)
        self._fill_places()

    def doubt(self, key: str, seconds: float) -> None:
        """Something of this key, sent by an earlier process, may be on its way for so long."""
        self._open_until[key] = asyncio.get_running_loop().time() + seconds

    async def close(self, patience_s: float = 0.0) -> None:
        """Waits for what is on its way, then gives it up: its orders are looked up at the next start."""
        self._closed = True
        self._ready.clear()
        for handle in self._delayed.values():
            handle.cancel()
        self._delayed.clear()
        tasks = list(self._tasks)
        if tasks and patience_s > 0:
            await asyncio.wait(tasks, timeout=patience_s)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _asks_already(self, call: Call) -> bool:
        if call.attempt == 0 and call.key in self._delayed:
            if asyncio.get_running_loop().time() < self._rests_until.get(call.key, 0.0):
                return True
            # Somebody wants to know now: ask now instead of later.
            self._delayed.pop(call.key).cancel()
        return any(waiting.is_question for waiting in self._chains.get(call.key, ()))

    def _make_ready(self, call: Call) -> None:
        self._number += 1
        heapq.heappush(self._ready, _Waiting(call.rank, self._number, call))

    def _fill_places(self) -> None:
        while self._ready and not self._closed and len(self._tasks) < PLACES:
            call = self._ready[0].call
            if call.rank is Rank.OPEN and self._opening >= PLACES - KEPT_FOR_PROTECTION:
                return
            heapq.heappop(self._ready)
            self._opening += call.rank is Rank.OPEN
            task = asyncio.get_running_loop().create_task(self._run(call))
            self._tasks.add(task)
            task.add_done_callback(partial(self._done, call))

    def _done(self, call: Call, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        self._opening -= call.rank is Rank.OPEN
        chain = self._chains[call.key]
        if chain:
            self._make_ready(chain.popleft())
        else:
            del self._chains[call.key]
        self._fill_places()

    async def _run(self, call: Call) -> None:
        objection = None if call.objection is None else call.objection()
        if objection is not None and call.refused is not None:
            self._tell(call.refused(f"not sent: {objection}"))
            return
        try:
            async with asyncio.timeout(call.limit_s):
                answers = await call.make()
        except VenueRefused as refused:
            self._on_refused(call, str(refused))
        except TooManyRequests as pressed:
            self._pressed()
            self._on_doubt(call, str(pressed), at_least_s=pressed.retry_after_s)
        except TimeoutError:
            self._on_doubt(call, f"no answer within {call.limit_s:g} s")
        except Exception as error:  # noqa: BLE001 - whatever an adapter raises, its call's outcome is unknown
            self._on_doubt(call, f"{type(error).__name__}: {error}")
        else:
            self._on_answers(call, answers)

    def _on_answers(self, call: Call, answers: Answers) -> None:
        unsettled_s = self._open_until.get(call.key, 0.0) - asyncio.get_running_loop().time()
        if unsettled_s > 0 and any(isinstance(answer, f.OrderNotFound) for answer in answers):
            # A submission may still be on its way inside the venue: not seen is not proven to be absent. Nor
            # does it help to look all the time, which may use up the requests that are needed afterwards.
            self._rests_until[call.key] = asyncio.get_running_loop().time() + self._settle_s * LOOKS_APART
            self._ask_again(call, unsettled_s)
            return
        if call.is_question:
            self._open_until.pop(call.key, None)
            self._rests_until.pop(call.key, None)
        for answer in answers:
            self._tell(answer)

    def _on_refused(self, call: Call, reason: str) -> None:
        if call.refused is None:
            self._on_doubt(call, reason)
        else:
            self._tell(call.refused(reason))

    def _on_doubt(self, call: Call, reason: str, at_least_s: float = 0.0) -> None:
        if call.unknown is None:
            self._note(f"the venue did not answer a question about {call.key} ({reason}): asked again")
            wait_s = min(FIRST_AGAIN_S * 2**call.attempt, LONGEST_AGAIN_S)
            self._ask_again(call, max(wait_s, at_least_s))
            return
        self._open_until[call.key] = asyncio.get_running_loop().time() + self._settle_s
        self._tell(call.unknown(reason))

    def _ask_again(self, call: Call, delay_s: float) -> None:
        if self._closed or call.key in self._delayed:
            return

        def again() -> None:
            del self._delayed[call.key]
            self.put(_next_attempt(call))

        self._delayed[call.key] = asyncio.get_running_loop().call_later(delay_s, again)


def _next_attempt(call: Call) -> Call:
    return Call(call.key, call.rank, call.make, call.limit_s, call.refused, attempt=min(call.attempt + 1, 10))
