"""Kills a live desk with SIGKILL in the middle of an order's steps, in real time, and judges what is left.

The venue is a simulator in this process, over real sockets; the desk is another process (`live_child`). It is
killed before a request leaves, on its way, when the venue took it, or when the answer is there and nothing of
it is in the journal yet. Then it is started anew on the same journal, until it has nothing open or in doubt.
"""

import asyncio
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from neuratrade.core.model import facts as f
from neuratrade.core.model.market import Quote
from neuratrade.feeds.clock import SystemClock
from neuratrade.rehearsal.company import facts_in, state_of
from neuratrade.rehearsal.faults import Act, Fault, FaultKind, Troubles
from neuratrade.rehearsal.judge import Verdict, Watch, judge
from neuratrade.rehearsal.matching import MatchingEngine
from neuratrade.rehearsal.stages import STAGES, Stage

PRICE, UP = Decimal(100_000), Decimal("1.004")
LOOK_S, PATIENCE_S = 0.05, 60.0


class Kill(NamedTuple):
    """Where a life ends: at call number `nth` of its kind, counted from its start.

    when: `unsent` before it leaves; `sent` before the venue takes it; `taken` before the answer leaves;
    `answered` before the answer is told to the desk.
    """

    call: str
    nth: int
    when: str


NEVER = Kill("", 0, "")
ACTS = {"submit": Act.SUBMIT, "cancel": Act.CHANGE}
ENTRY, STOP, EXIT = 1, 2, 3
MOMENTS = ("unsent", "sent", "taken", "answered")

ROUNDS: tuple[tuple[Kill, ...], ...] = (
    *((Kill("submit", order, when),) for order in (ENTRY, STOP, EXIT) for when in MOMENTS),
    *((Kill("cancel", 1, when),) for when in MOMENTS),
    *(
        (Kill("submit", order, "taken"), Kill("look_up", 1, when))
        for order in (ENTRY, STOP, EXIT)
        for when in ("unsent", "answered")
    ),
    *((Kill("submit", STOP, "taken"), Kill("snapshot", 1, when)) for when in ("unsent", "answered")),
)
"""What one position after the other lives through: one kill a life, one life after the other."""


class Killer(Troubles):
    """Kills whoever asks for the thing that was chosen; nothing else goes wrong."""

    def __init__(self, now_ns: Callable[[], int]) -> None:
        super().__init__((), now_ns, now_ns())
        self._kill, self._seen = NEVER, 0

    def choose(self, kill: Kill) -> None:
        """For the life that begins."""
        self._kill, self._seen = kill, 0

    def crash_on(self, act: Act) -> Fault | None:
        """The death that comes with this request, if it is the one."""
        kill = self._kill
        if kill.when not in ("sent", "taken") or ACTS.get(kill.call) is not act:
            return None
        self._seen += 1
        if self._seen != kill.nth:
            return None
        return Fault(0.0, FaultKind.CRASH, float(kill.when == "taken"), on=act)


class Desk:
    """One life of the desk, seen from outside. said: its lines so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.said: list[str] = []
        self._process = process
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.said.append(line.decode().strip())

    def tell(self, words: str) -> None:
        """A line for it; one that is dead hears nothing."""
        assert self._process.stdin is not None
        if self.lives:
            self._process.stdin.write(f"{words}\n".encode())

    @property
    def lives(self) -> bool:
        """Whether it was not killed yet."""
        return self._process.returncode is None

    @property
    def calm(self) -> bool:
        """Whether it is ready and has nothing open or in doubt."""
        return "ready" in self.said and self.said[-1] == "calm"

    def kill(self) -> None:
        """As the kernel does: nothing is finished."""
        if self.lives:
            os.kill(self._process.pid, signal.SIGKILL)

    async def end(self) -> None:
        """Waits until it is gone. Raises AssertionError where it ended by itself."""
        code = await self._process.wait()
        await self._reading
        assert code == -signal.SIGKILL, f"it ended by itself with {code}: {self.said[-20:]}"


class Theatre:
    """One venue, one journal, one desk after the other."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        self._stage, self._folder, self._clock = stage, folder, SystemClock()
        self.killer = Killer(self._clock.now_ns)
        self.exchange = MatchingEngine([stage.contract], stage.balances, self._clock.now_ns, stage.matching)
        self.watch = Watch(self.exchange, stage.contract, self._clock.now_ns, lambda: True, lambda: self.dust)
        self.simulator = stage.simulator(self.exchange, self.killer, self._clock.now_ns)
        self.price = PRICE
        self.dust = Decimal(0)
        self.kills: list[Kill] = []
        self._desk: Desk | None = None

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """The venue, its market, and somebody who watches."""
        self.simulator.crash = self._kill
        async with self.simulator:
            market = asyncio.create_task(self._market())
            try:
                yield
            finally:
                market.cancel()
                self._kill()
                await asyncio.gather(market, return_exceptions=True)
                self.watch.end()

    async def _market(self) -> None:
        contract, size = self._stage.contract, Decimal(1000)
        while True:
            now_ns, ask = self._clock.now_ns(), self.price + contract.tick
            self.exchange.quote(Quote(contract.key, now_ns, self.price, ask, size, size))
            self.exchange.expire()
            self.watch.look()
            if self._desk is not None:
                self._desk.tell(f"price {self.price}")
            await asyncio.sleep(LOOK_S)

    def _kill(self) -> None:
        if self._desk is not None:
            self._desk.kill()

    async def _begin(self, kill: Kill) -> Desk:
        self.killer.choose(kill)
        told = {
            "venue": self._stage.name, "port": self.simulator.port, "folder": str(self._folder),
            "price": str(self.price), "call": kill.call, "nth": kill.nth, "when": kill.when,
        }  # fmt: skip
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.crash.live_child", json.dumps(told),
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        self._desk = Desk(process)
        return self._desk

    async def _until(self, what: str, is_so: Callable[[], bool], desk: Desk) -> None:
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not is_so():  # noqa: ASYNC110 - a process is watched from outside
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            orders = [(order.ticket, order.status) for order in self.exchange.open_orders()]
            there = f"{self.watch.held()} held, {orders}, after {self.kills}"
            notes = [line for line in desk.said if line not in ("busy", "calm")]
            raise AssertionError(f"not {what} within {PATIENCE_S:g} s: {there}; {notes}") from None

    async def _until_said(self, word: str, desk: Desk) -> None:
        """Waits for a line that begins with a word, or for the desk's death."""
        await self._until(
            word, lambda: not desk.lives or any(line.startswith(word) for line in desk.said), desk
        )

    async def round(self, number: int, kills: Sequence[Kill]) -> None:
        """One position, from its proposal to its end, through one life after the other."""
        proposed = False
        for kill in (*kills, NEVER):
            desk = await self._begin(kill)
            await self._until_said("ready", desk)
            if not proposed:
                proposed = True
                desk.tell(f"open {number}")
                await self._until_said("judged", desk)
            if await self._live(desk, bool(kill.when)):
                self.kills.append(kill)
            await desk.end()
        # Fees are paid in coins: what a position leaves is less than a lot, and `judge` sees to that.
        self.dust = self.watch.held()
        self.price = PRICE

    async def _live(self, desk: Desk, mortal: bool) -> bool:
        """Lives on: covered, it is led to its target; flat and calm, it is over. Whether it was killed."""

        def is_over() -> bool:
            if self.watch.held() - self.dust >= self._stage.contract.lot and not self.watch.uncovered():
                self.price = self._stage.contract.round_price(PRICE * UP)
            flat = not self.watch.uncovered() and not self.exchange.open_orders()
            return not desk.lives or (not mortal and flat and desk.calm)

        await self._until("over", is_over, desk)
        killed = not desk.lives
        desk.kill()
        return killed

    def verdict(self) -> Verdict:
        """What the journal on disk and the venue's own books say."""
        facts = facts_in(self._folder)
        return judge(facts, state_of(facts), self.exchange, self.simulator.submissions, [self.watch])

    def closed(self) -> int:
        """Positions that came to their end by the journal."""
        return sum(isinstance(fact, f.BracketClosed) for fact in facts_in(self._folder))


async def play(venue: str, rounds: Sequence[Sequence[Kill]]) -> tuple[Theatre, Verdict]:
    """All rounds at one venue, and what is left."""
    with tempfile.TemporaryDirectory(prefix="neuratrade-kills-") as folder:
        theatre = Theatre(STAGES[venue](), Path(folder))
        async with theatre.open():
            for number, kills in enumerate(rounds, 1):
                await theatre.round(number, kills)
        return theatre, theatre.verdict()
