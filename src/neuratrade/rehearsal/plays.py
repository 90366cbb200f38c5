"""One play of a rehearsal: a venue, a plan of faults, a market, a live desk, and a verdict at the end.

Proposals are drawn from the seed, like the faults. At the end a person flattens everything; then the desk
has some quiet minutes to bring its books and the exchange together.
"""

import asyncio
import random
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import msgspec

from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.intent import Direction, EntryType, Lane, OpenIntent, Stop, TakeProfit
from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_SECOND, Bar
from neuratrade.rehearsal.company import ACCOUNT, OPERATOR, Company
from neuratrade.rehearsal.faults import Fault, FaultKind, Troubles, draw_plan
from neuratrade.rehearsal.judge import LIMIT_S, Verdict, Watch, judge
from neuratrade.rehearsal.matching import MatchingEngine
from neuratrade.rehearsal.player import Player
from neuratrade.rehearsal.server import Simulator
from neuratrade.rehearsal.stages import Stage
from neuratrade.rehearsal.warp import WarpClock, WarpLoop

PLAY_MINUTES = 45
WARM_MINUTES = 60
QUIET_S = 240.0
BETWEEN_PROPOSALS_S = (60.0, 240.0)
FAULTS = 8


class Position(msgspec.Struct, frozen=True):
    """A bracket that is over. unprotected_s: by the desk's own count; held_s: from first entry to end."""

    bracket: str
    reason: str
    entered: Decimal
    pnl: Decimal
    held_s: float
    unprotected_s: float


class Outcome(msgspec.Struct, frozen=True):
    """What came of one play. met: how often each kind of fault met something."""

    venue: str
    seed: int
    verdict: Verdict
    proposed: int
    opened: int
    positions: tuple[Position, ...]
    met: dict[str, int]
    notes: tuple[str, ...]
    halted: str
    plan: tuple[Fault, ...]


def play(stage: Stage, seed: int, bars: Sequence[Bar], kinds: Sequence[FaultKind] | None = None) -> Outcome:
    """Plays once. bars: WARM_MINUTES + PLAY_MINUTES minutes of the stage's contract."""
    plan = draw_plan(seed, PLAY_MINUTES * 60.0, FAULTS, kinds)
    loop = WarpLoop()
    with (
        tempfile.TemporaryDirectory(prefix="neuratrade-rehearsal-") as folder,
        asyncio.Runner(loop_factory=lambda: loop) as runner,
    ):
        return runner.run(_Play(stage, seed, plan, bars, loop, Path(folder)).run())


class _Play:
    """The parts of one play on one loop."""

    def __init__(
        self,
        stage: Stage,
        seed: int,
        plan: tuple[Fault, ...],
        bars: Sequence[Bar],
        loop: WarpLoop,
        folder: Path,
    ) -> None:
        self._stage = stage
        self._seed = seed
        self._plan = plan
        self._history, self._played = bars[:WARM_MINUTES], bars[WARM_MINUTES:]
        begin_ns = self._played[0].open_ns
        self._clock = WarpClock(loop, begin_ns)
        self._folder = folder
        self._troubles = Troubles(plan, self._clock.now_ns, begin_ns)
        self._exchange = MatchingEngine([stage.contract], stage.balances, self._clock.now_ns, stage.matching)
        self._watch = Watch(
            self._exchange,
            stage.contract,
            self._clock.now_ns,
            lambda: not self._troubles.is_on(FaultKind.MAINTENANCE),
        )

    async def run(self) -> Outcome:
        """From the first connection to the verdict."""
        stage, clock = self._stage, self._clock
        async with (
            stage.simulator(self._exchange, self._troubles, clock.now_ns) as simulator,
            stage.venue(simulator, ACCOUNT, [stage.contract], clock) as venue,
        ):
            company = Company(stage, venue, self._folder, clock)
            company.warm_up(self._history)
            work = [company.serve(), *company.desk.streams(company.notes.append).values(), self._look()]
            tasks = [asyncio.create_task(item) for item in work]
            try:
                await self._perform(company)
                for task in tasks:
                    if task.done():
                        task.result()
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await company.close()
        self._watch.end()
        return self._outcome(company, simulator)

    async def _perform(self, company: Company) -> None:
        script = asyncio.create_task(_propose(company, self._stage, self._clock, self._seed))
        try:
            player = Player(self._stage.contract, self._played, self._exchange, self._troubles, self._clock)
            await player.play(company.show)
        finally:
            script.cancel()
        company.halt(f.KillPolicy.FLATTEN_ALL, "the rehearsal ends")
        await _wind_down(company, self._exchange, self._clock)

    async def _look(self) -> None:
        while True:
            self._watch.look()
            await self._clock.sleep(1.0)

    def _outcome(self, company: Company, simulator: Simulator) -> Outcome:
        state = company.engine.state
        verdict = judge(company.facts, state, self._exchange, simulator.submissions, self._watch, LIMIT_S)
        count = Counter(type(fact) for fact in company.facts)
        opened = sum(isinstance(fact, f.IntentJudged) and fact.approved for fact in company.facts)
        return Outcome(
            self._stage.name,
            self._seed,
            verdict,
            proposed=count[f.IntentJudged],
            opened=opened,
            positions=tuple(_position(fact) for fact in company.facts if isinstance(fact, f.BracketClosed)),
            met=dict(self._troubles.met),
            notes=tuple(company.notes),
            halted=state.state_reason,
            plan=self._plan,
        )


def _position(closed: f.BracketClosed) -> Position:
    held_ns = closed.at_ns - closed.opened_ns if closed.entered else 0
    return Position(
        closed.bracket_id,
        closed.reason.value,
        closed.entered,
        closed.pnl,
        round(held_ns / NS_PER_SECOND, 3),
        closed.unprotected_ms / 1000,
    )


async def _wind_down(company: Company, exchange: MatchingEngine, clock: WarpClock) -> None:
    """Some quiet time in which the market stands; it ends early once all is done and compared."""
    until_ns = clock.now_ns() + round(QUIET_S * NS_PER_SECOND)
    last = dict(exchange.quotes)
    quiet = 0
    while clock.now_ns() < until_ns and quiet < 45:
        await clock.sleep(1.0)
        exchange.expire()
        for quote in last.values():
            fresh = msgspec.structs.replace(quote, at_ns=clock.now_ns())
            exchange.quote(fresh)
            with suppress(asyncio.QueueFull):
                await company.show(fresh)
        idle = not company.engine.state.brackets and company.desk.is_idle
        quiet = quiet + 1 if idle else 0


async def _propose(company: Company, stage: Stage, clock: WarpClock, seed: int) -> None:
    dice = random.Random(f"proposals {seed}")  # noqa: S311 - a script is drawn, not kept secret
    number = 0
    while True:
        await clock.sleep(dice.uniform(*BETWEEN_PROPOSALS_S))
        price = company.engine.views[stage.contract.key].price
        if price is None:
            continue
        number += 1
        company.judge(e.IntentArrived(_intent(stage, dice, number, price, clock.now_ns()), clock.now_ns()))


def _intent(stage: Stage, dice: random.Random, number: int, price: Decimal, now_ns: int) -> OpenIntent:
    contract = stage.contract
    short = contract.is_derivative and dice.random() < 0.5
    sign = -1 if short else 1
    order_type = dice.choice((EntryType.MARKET, EntryType.MARKET, EntryType.LIMIT))
    trigger = price if order_type is EntryType.MARKET else _away(price, -sign * dice.uniform(0.0001, 0.001))
    stop = _away(trigger, -sign * dice.uniform(0.001, 0.006))
    rungs = [dice.uniform(0.001, 0.006) for _ in range(dice.choice((1, 1, 2)))]
    share = Decimal(1) / len(rungs)
    return OpenIntent(
        intent_id=f"rehearsal-{number}",
        account_id=ACCOUNT,
        operator_id=OPERATOR,
        instrument=contract.key,
        direction=Direction.SHORT if short else Direction.LONG,
        trigger_price=contract.round_price(trigger),
        protection=Stop(contract.round_price(stop), None),
        take_profits=tuple(
            TakeProfit(contract.round_price(_away(trigger, sign * away)), share) for away in sorted(rungs)
        ),
        confidence=Decimal("0.9"),
        strategy_ref="rehearsal",
        created_ns=now_ns,
        order_type=order_type,
        lane=Lane.TACTICAL,
        entry_expiry_ns=None if order_type is EntryType.MARKET else 5 * NS_PER_MINUTE,
        max_hold_ns=dice.randint(3, 15) * NS_PER_MINUTE,
        tags={},
    )


def _away(price: Decimal, fraction: float) -> Decimal:
    return price * (1 + Decimal(repr(round(fraction, 6))))
