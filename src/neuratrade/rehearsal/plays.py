"""One play of a rehearsal: a venue, a plan of faults, a market, a live desk, and a verdict at the end.

Proposals are drawn from the seed, like the faults. At the end a person flattens everything; then the desk
has some quiet minutes to bring its books and the exchange together. A play that gets nowhere is ended and
said to be stuck: one whose time no longer moves, and one that goes on long after its market ended.
"""

import asyncio
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.intent import Direction, EntryType, Lane, OpenIntent, Stop, TakeProfit
from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_SECOND, Bar
from neuratrade.core.rolls import Roll
from neuratrade.feeds.calendars import calendar_of
from neuratrade.feeds.clock import Clock
from neuratrade.hands.timetable import Timetable
from neuratrade.rehearsal.company import ACCOUNT, OPERATOR, Company, facts_in, state_of
from neuratrade.rehearsal.faults import Fault, FaultKind, Troubles, draw_plan
from neuratrade.rehearsal.heard import Heard, Silence
from neuratrade.rehearsal.judge import LIMIT_S, Verdict, Watch, judge
from neuratrade.rehearsal.matching import MatchingEngine
from neuratrade.rehearsal.player import Play, Player
from neuratrade.rehearsal.prices import Prices
from neuratrade.rehearsal.server import Simulator
from neuratrade.rehearsal.stages import Stage
from neuratrade.rehearsal.stuck import run_or_tell_where
from neuratrade.rehearsal.warp import WarpClock, WarpLoop

PLAY_MINUTES = 45
WARM_MINUTES = 60
QUIET_S = 240.0
BETWEEN_PROPOSALS_S = (60.0, 240.0)
ROLLED_AFTER_S = (900.0, 2100.0)
"""When the contracts of a play are rolled, seconds from its beginning."""
FAULTS = 12
LONGEST_AFTER_S = 1800.0
"""How long a play may go on after its market ended, seconds of its own time."""
PATIENCE_S = 300.0
"""How long a play may take, real seconds; it takes a few."""
DOWN_S = (1.0, 20.0)
"""How long a desk that crashed is down."""


class ConnectFailed(Exception):
    """The venue was not there, or not of a mind, when the desk started."""


class Position(msgspec.Struct, frozen=True):
    """A bracket that is over. unprotected_s: by the desk's own count; held_s: from first entry to end."""

    bracket: str
    reason: str
    entered: Decimal
    pnl: Decimal
    held_s: float
    unprotected_s: float


class Outcome(msgspec.Struct, frozen=True):
    """What came of one play. met: how often each kind of fault met something.

    heard: what the desk was told of its market, by kind. silence: what it did while prices did not come.
    """

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
    heard: dict[str, int] = {}
    silence: Silence = Silence()


def play(
    stage: Stage,
    seed: int,
    bars: Sequence[Bar],
    kinds: Sequence[FaultKind] | None = None,
    *,
    patience_s: float = PATIENCE_S,
) -> Outcome:
    """Plays once. bars: WARM_MINUTES + PLAY_MINUTES minutes of the stage's contract.

    patience_s: real seconds after which it is stuck.
    """
    plan = draw_plan(seed, PLAY_MINUTES * 60.0, FAULTS, kinds)
    loop = WarpLoop()
    with (
        _same_dice(seed),
        tempfile.TemporaryDirectory(prefix="neuratrade-rehearsal-") as folder,
        asyncio.Runner(loop_factory=lambda: loop) as runner,
    ):
        one = _Play(stage, seed, plan, bars, loop, Path(folder))
        longest_s = 60.0 * (len(bars) - WARM_MINUTES) + LONGEST_AFTER_S
        where = runner.run(run_or_tell_where(one.run(), patience_s, longest_s))
        return one.stuck(where) if isinstance(where, str) else where


@contextmanager
def _same_dice(seed: int) -> Iterator[None]:
    """Whoever draws from the dice of the process (back-offs, clients) draws the same in each repetition."""
    before = random.getstate()
    random.seed(f"process {seed}")
    try:
        yield
    finally:
        random.setstate(before)


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
        apart = stage.data is not None
        mine = [fault for fault in plan if not (apart and fault.is_of_prices)]
        self._troubles = Troubles(mine, self._clock.now_ns, begin_ns)
        told = [fault for fault in plan if apart and fault.is_of_prices]
        self._troubles_of_prices = Troubles(told, self._clock.now_ns, begin_ns)
        self._exchange = MatchingEngine(stage.contracts, stage.balances, self._clock.now_ns, stage.matching)
        self._heard = {item.key: Heard(item.key) for item in stage.traded}
        self._watches = [
            Watch(self._exchange, item, self._clock.now_ns, partial(self._takes_orders, item), self._dust)
            for item in stage.traded
        ]
        self._last_dust = Decimal(0)
        self._dice = random.Random(f"play {seed}")  # noqa: S311 - how long the desk is down
        away_s = random.Random(f"roll {seed}").uniform(*ROLLED_AFTER_S)  # noqa: S311 - when it is rolled
        self._roll_ns = begin_ns + round(away_s * NS_PER_SECOND)
        self._crashed = asyncio.Event()
        self._company: Company | None = None
        self._notes: list[str] = []

    async def run(self) -> Outcome:
        """From the first connection to the verdict, through every life of the desk."""
        async with AsyncExitStack() as stack:
            simulators = [
                await stack.enter_async_context(item) for item in self._simulators(self._clock.now_ns)
            ]
            simulators[0].crash = self._crashed.set
            players = self._players([item.play for item in simulators])
            market = asyncio.create_task(_together(player.play() for player in players))
            others = [asyncio.create_task(self._look()), asyncio.create_task(self._propose())]
            try:
                while await self._live_once(simulators, players, market):
                    await self._clock.sleep(self._dice.uniform(*DOWN_S))
            finally:
                for task in (market, *others):
                    task.cancel()
                await asyncio.gather(market, *others, return_exceptions=True)
        for watch in self._watches:
            watch.end()
        return self._outcome(simulators[0])

    def _simulators(self, now_ns: Callable[[], int]) -> list[Simulator]:
        """Who takes orders first, who tells prices last; mostly they are one."""
        found = [self._stage.simulator(self._exchange, self._troubles, now_ns)]
        if self._stage.data is not None:
            told = MatchingEngine(self._stage.contracts, {}, now_ns)
            found.append(self._stage.data(told, self._troubles_of_prices, now_ns))
        return found

    async def _live_once(
        self, simulators: Sequence[Simulator], players: Sequence[Player], market: asyncio.Task[None]
    ) -> bool:
        """Starts the desk; whether it has to be started again: it crashed, or the venue was not there."""
        try:
            return await self._live(simulators, players, market)
        except ConnectFailed as failed:
            self._notes.append(f"the desk could not start: {failed}")
            return True

    async def _live(
        self, simulators: Sequence[Simulator], players: Sequence[Player], market: asyncio.Task[None]
    ) -> bool:
        """One life of the desk, to the end of the play, or until it crashes; whether it did."""
        self._crashed.clear()
        async with AsyncExitStack() as stack:
            adapter = self._stage.venue(simulators[0], ACCOUNT, self._stage.traded, self._clock)
            try:
                venue = await stack.enter_async_context(adapter)
            except Exception as error:
                raise ConnectFailed(f"{type(error).__name__}: {error}") from error
            company = self._company = Company(self._stage, venue, self._folder, self._clock)
            prices = Prices(self._stage, simulators[-1], self._clock, self._heard, self._notes.append)
            streams = company.desk.streams(self._notes.append).values()
            work = [company.serve(), prices.serve(company), *streams]
            if self._stage.sessions is not None:
                work.append(company.keep_hours(self._stage.sessions(venue)))
            if self._stage.by_calendar:
                work += self._timetable(company).streams().values()
            tasks = [asyncio.create_task(item) for item in work]
            company.begin()
            crash = asyncio.create_task(self._crashed.wait())
            end = asyncio.create_task(self._see_out(company, players, market))
            try:
                await asyncio.wait((crash, end, *tasks), return_when=asyncio.FIRST_COMPLETED)
                for done in (end, *tasks):
                    if done.done():
                        done.result()
            finally:
                self._company = None
                waits: list[asyncio.Task[Any]] = [crash, end, *tasks]
                for task in waits:
                    task.cancel()
                await asyncio.gather(*waits, return_exceptions=True)
                crashed = self._crashed.is_set()
                await (company.crash() if crashed else company.close())
        return crashed

    async def _see_out(self, company: Company, players: Sequence[Player], market: asyncio.Task[None]) -> None:
        """Waits for the market to end, and winds down while it goes on as it is."""
        await asyncio.shield(market)
        company.halt(f.KillPolicy.FLATTEN_ALL, "the rehearsal ends")
        on = asyncio.create_task(_together(player.go_on() for player in players))
        try:
            await _wind_down(company, self._clock)
        finally:
            on.cancel()
            await asyncio.gather(on, return_exceptions=True)

    async def _propose(self) -> None:
        """A script of proposals, drawn from the seed; none while the desk is down."""
        dice = random.Random(f"proposals {self._seed}")  # noqa: S311 - a script is drawn, not kept secret
        clock, number = self._clock, 0
        while True:
            await clock.sleep(dice.uniform(*BETWEEN_PROPOSALS_S))
            company = self._company
            contract = self._drawn(dice)
            price = None if company is None else company.engine.views[contract.key].price
            if company is not None and price is not None:
                number += 1
                intent = _intent(contract, dice, number, price, clock.now_ns())
                company.judge(e.IntentArrived(intent, clock.now_ns()))

    def _drawn(self, dice: random.Random) -> Instrument:
        """A contract to propose something in: none that was rolled, and none before it is rolled into."""
        rolled = self._clock.now_ns() >= self._roll_ns
        later = set(self._stage.rolls.values())
        fit = [
            item for item in self._stage.traded if item.key not in (self._stage.rolls if rolled else later)
        ]
        return fit[0] if len(fit) == 1 else dice.choice(fit)

    def _timetable(self, company: Company) -> Timetable:
        """Sessions and rolls, as the hands of a desk keep them."""
        known = {item.key: calendar_of(item) for item in self._stage.traded}
        calendars = {key: found for key, found in known.items() if found is not None}
        rolls = {old: Roll(new, self._roll_ns) for old, new in self._stage.rolls.items()}
        return Timetable(company.engine, company.inbound, self._clock, calendars, rolls)

    def _players(self, play: Sequence[Play]) -> list[Player]:
        """One for each contract, all on the same clock; what was before is told at once."""
        stage, begin_ns = self._stage, self._played[0].open_ns
        known = {stage.contract.key: [*self._history, *self._played]}
        known |= stage.others(known[stage.contract.key])
        players = []
        for item in stage.traded:
            bars, beside = known[item.key], stage.beside if item is stage.contract else None
            played = [bar for bar in bars if bar.open_ns >= begin_ns]
            player = Player(item, played, self._exchange, self._troubles, self._clock, play, beside)
            player.before([bar for bar in bars if bar.open_ns < begin_ns])
            players.append(player)
        return players

    def _takes_orders(self, contract: Instrument) -> bool:
        """Whether the exchange does, for a market that is open: what is bare in a closed one is gap risk."""
        rules, now_ns = self._exchange.rules, self._clock.now_ns()
        return rules.trades(contract, now_ns) and not self._troubles.is_on(FaultKind.MAINTENANCE)

    def _dust(self) -> Decimal:
        """What the desk counts as dust, or did before it went down."""
        if self._company is not None:
            (account,) = self._company.engine.state.accounts.values()
            self._last_dust = abs(sum(account.dust.values(), Decimal(0)))
        return self._last_dust

    async def _look(self) -> None:
        while True:
            for watch in self._watches:
                watch.look()
            await self._clock.sleep(1.0)

    def stuck(self, where: str) -> Outcome:
        """What came of a play that was ended because it got nowhere: nothing is proven by it."""
        finding = f"stuck at {self._troubles.elapsed_s:.1f} s: {where}"
        return Outcome(
            self._stage.name,
            self._seed,
            Verdict(0, 0, 0, 0, 0, 0, 0, 0.0, (finding,), stuck=1),
            proposed=0,
            opened=0,
            positions=(),
            met=dict(self._troubles.met + self._troubles_of_prices.met),
            notes=tuple(self._notes),
            halted="",
            plan=self._plan,
        )

    def _outcome(self, simulator: Simulator) -> Outcome:
        facts = facts_in(self._folder)
        state = state_of(facts)
        verdict = judge(
            facts, state, self._exchange, simulator.submissions, self._watches, LIMIT_S, self._heard
        )
        judged = [
            fact for fact in facts if isinstance(fact, f.IntentJudged) and isinstance(fact.intent, OpenIntent)
        ]
        return Outcome(
            self._stage.name,
            self._seed,
            verdict,
            proposed=len(judged),
            opened=sum(fact.approved for fact in judged),
            positions=tuple(_position(fact) for fact in facts if isinstance(fact, f.BracketClosed)),
            met=dict(self._troubles.met + self._troubles_of_prices.met),
            notes=tuple(self._notes),
            halted=state.state_reason,
            plan=self._plan,
            heard=dict(sum((item.counts for item in self._heard.values()), Counter())),
            silence=self._heard[self._stage.contract.key].silence(facts, self._clock.now_ns()),
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


async def _wind_down(company: Company, clock: Clock) -> None:
    """Some quiet minutes, or fewer: they end early once all is done and compared."""
    until_ns = clock.now_ns() + round(QUIET_S * NS_PER_SECOND)
    quiet = 0
    while clock.now_ns() < until_ns and quiet < 45:
        await clock.sleep(1.0)
        idle = not company.engine.state.brackets and company.desk.is_idle
        quiet = quiet + 1 if idle else 0


async def _together(work: Iterable[Coroutine[object, object, None]]) -> None:
    await asyncio.gather(*work)


def _intent(
    contract: Instrument, dice: random.Random, number: int, price: Decimal, now_ns: int
) -> OpenIntent:
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
