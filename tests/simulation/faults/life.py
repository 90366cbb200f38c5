"""One seeded world: a market, people with whims, an unkind venue, crashes, and a calm end.

The desk is the real one (engine, fold, sender, the turn of `hands.simulated`); what a crash takes with it
is exactly what the disk had not synced. Equal seeds give equal worlds.
"""

import random
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from typing import cast

from neuratrade.core.engine.config import EngineConfig
from neuratrade.core.engine.engine import Engine, Step
from neuratrade.core.engine.state import DeskState, state_bytes
from neuratrade.core.indicators.native import NativeProvider
from neuratrade.core.model import commands as c
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.account import Account, PositionMode
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.intent import (
    AmendIntent,
    CancelIntent,
    CloseIntent,
    Direction,
    EntryType,
    Intent,
    Lane,
    ReduceIntent,
)
from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_MS, NS_PER_SECOND, Quote
from neuratrade.core.model.venue_rules import VenueRules
from neuratrade.core.strategies.dna import Dna
from neuratrade.hands.sender import Sender
from neuratrade.hands.simulated import RECOVERY_NS, SimulatedDesk
from neuratrade.hands.turns import Turns
from neuratrade.store.keys import Ed25519Signer, verify
from neuratrade.venues.paper.exchange import PaperExchange
from tests.simulation.faults.disk import Disk, DiskRecorder
from tests.simulation.faults.judge import Judge
from tests.simulation.faults.kinds import CRASHES, Fault, Moment, moment_of, moments
from tests.simulation.faults.truth import BrokenPromise, Execution, Temper
from tests.simulation.faults.venue import FaultyVenue
from tests.simulation.world import CALM, FUTURE, OPEN_HANDED, PERP, SPOT, T0, intent, warm_up

D = Decimal
MARKETS = (PERP, SPOT, FUTURE)
INSTRUMENTS = {item.key: item for item in MARKETS}
CASH = D(100_000)
CALM_LIMIT_S = 900
EVENTS_BEFORE_CALM = 2000
MOST_EVENTS = 12_000

RULES = (
    VenueRules(),
    VenueRules(amends_stops=False),
    VenueRules(amends_stops=False, balance_lock=True),
    VenueRules(stop_market=False, stop_limit=True),
    VenueRules(stop_market=False, stop_limit=True, amends_stops=False, balance_lock=True),
    VenueRules(stop_market=False, amends_stops=False),
)
RULE_NAMES = ("amends", "no amend", "locks balance", "stop-limit", "stop-limit, locks", "no stops")

ON_THE_WIRE = (
    Fault.ACK_DELAYED,
    Fault.ACK_DROPPED,
    Fault.ACK_DOUBLED,
    Fault.FILL_DELAYED,
    Fault.FILL_DROPPED,
    Fault.FILL_DOUBLED,
    Fault.PARTIAL,
    Fault.STOP_REJECTED,
    Fault.OTHER_REJECTED,
    Fault.REQUEST_REFUSED,
    Fault.REQUEST_LOST,
    Fault.UNKNOWN_TAKEN,
    Fault.UNKNOWN_NOT_TAKEN,
    Fault.UNKNOWN_LATE,
    Fault.LOOK_UP_LOST,
    Fault.SNAPSHOT_LOST,
    Fault.SNAPSHOT_LATE,
    Fault.LIST_LOST,
    Fault.LIST_STALE,
    Fault.FILLS_CUT,
)
PLANNED = (
    Fault.DISCONNECTED,
    Fault.VENUE_RESTARTED,
    Fault.FILL_CORRECTED,
    Fault.FILL_BUSTED,
    Fault.BAD_TICK,
    Fault.LIQUIDATED,
    Fault.FROZEN,
    Fault.CLOCK_BACK,
    Fault.DISK_FULL,
)


class Crash(Exception):
    """The process is gone."""


@dataclass(slots=True)
class Outcome:
    """What a world came to. violation: None when all promises held."""

    seed: int
    events: int = 0
    intents: int = 0
    faults: Counter[tuple[str, str]] = field(default_factory=Counter)
    boundaries: int = 0
    violation: str | None = None


@cache
def _signer() -> Ed25519Signer:
    return Ed25519Signer()


@cache
def _provider() -> NativeProvider:
    return NativeProvider()


def _config(rules: VenueRules) -> EngineConfig:
    return EngineConfig(
        "paper",
        "op",
        INSTRUMENTS,
        (),
        Dna(1, 0, {}, {}),
        _provider(),
        _signer(),
        gate_span_ns=NS_PER_MINUTE,
        regime=CALM,
        venue_rules={"test": rules},
        reconcile_every_ns=20 * NS_PER_SECOND,
        balance_tolerance_fraction=D("0.001"),
    )


class JudgedTurns(Turns):
    """The desk's own turn, with a judge beside it and crashes inside it."""

    life: "Life"
    dispatched = 0

    def carry_out(self, step: Step, at_ns: int) -> None:
        """Judged before anything is written, so that what is wrong is seen before it has effects."""
        life = self.life
        if life.trace:
            life.show(step)
        life.outcome.events += 1
        if life.outcome.events > MOST_EVENTS:
            raise BrokenPromise("6: it goes round in circles and never comes to rest")
        if step.facts:
            life.judge.recorded(step.facts, [f.encode_fact(fact) for fact in step.facts])
        life.judge.check(self.engine, step.facts, life.now_ns)
        self.dispatched = 0
        super().carry_out(step, at_ns)

    def _dispatch(self, command: c.Command, now_ns: int) -> None:
        life = self.life
        life.boundary(Fault.CRASH_AMID_DISPATCH if self.dispatched else Fault.CRASH_AFTER_FLUSH)
        if life.trace:
            life.say(f"      -> {command}")
        super()._dispatch(command, now_ns)
        self.dispatched += 1
        life.boundary(Fault.CRASH_AFTER_DISPATCH)

    def _stopped(self, command: c.Command, reason: str, now_ns: int) -> None:
        raise BrokenPromise(f"1: the sender had to stop {command}: {reason}")


class JudgedDesk(SimulatedDesk):
    """The simulated desk with judged turns; every order that leaves is looked at."""

    def __init__(self, life: "Life", engine: Engine, recorder: DiskRecorder, sender: Sender) -> None:
        super().__init__(engine, cast(PaperExchange, life.venue), recorder, sender)
        self.disk_recorder = recorder
        self._life = life
        turns = JudgedTurns(engine, recorder, sender, self._carry)
        turns.life = life
        self._turns, self._step = turns, turns.step

    def _carry(self, command: c.Command, now_ns: int) -> None:
        if isinstance(command, c.AmendOrder | c.SubmitOrder):
            self._life.judge.leaves(command, self.engine.state, journal_failed=self.journal_failed)
        super()._carry(command, now_ns)

    def until(self, at_ns: int) -> None:
        """Lets everything happen that is due by then."""
        self._run_until(at_ns)


class Life:
    """Lives one world from its seed. crash_at: crash at this boundary only (0: never), None: as seeded."""

    def __init__(
        self,
        seed: int,
        *,
        trace: Callable[[str], None] | None = None,
        crash_at: int | None = None,
        wild_events: int = EVENTS_BEFORE_CALM,
    ) -> None:
        self.seed = seed
        self.trace = trace
        self.outcome = Outcome(seed)
        self.rng = rng = random.Random(seed)
        self.rules = RULES[seed % len(RULES)]
        mode = PositionMode.HEDGE if seed // len(RULES) % 2 else PositionMode.NET
        self.account = Account("paper", "test", "USDT", mode=mode)
        self.config = _config(self.rules)
        self.now_ns = T0
        self._crash_at = crash_at
        self._wild_events = wild_events
        self._armed: Fault | None = None
        self._calm = False
        self.disk = Disk()
        temper = Temper(_chances(rng), rng.choice((20, 60, 60, 300)))
        self.venue = FaultyVenue(
            self.account,
            INSTRUMENTS,
            self.rules,
            temper,
            random.Random(seed + 1_000_003),
            self.note,
            self.note_all,
        )
        if seed % 4 == 1:
            self.venue.fee_currency = "BNB"
        self.judge = Judge(self.venue, self.disk, _signer().public_key, CASH)
        self.judge.venue.cash["USDT"] = self.judge.cash["USDT"]
        self.prices = dict.fromkeys(INSTRUMENTS, 100.0)
        self.wildness = rng.choice((0.0003, 0.0008, 0.002))
        self.skew_until_ns = 0
        self.quiet_until_ns: dict[str, int] = {}
        self._plan = _plan(rng)
        self._next_intent_ns = T0
        self._resume_ns = 0
        self._disk_free_ns = 0
        self._online_ns = 0
        self._names = 0
        self.desk: JudgedDesk

    # telling

    def say(self, text: str) -> None:
        """Writes a line of the trace."""
        if self.trace is not None:
            self.trace(text)

    def show(self, step: Step) -> None:
        for fact in step.facts:
            self.say(f"    {(fact.at_ns - T0) / 1e9:9.3f} {fact}")

    def note(self, fault: Fault, bracket_id: str) -> None:
        """Counts a fault that struck an order's bracket."""
        state = self.desk.engine.state
        bracket = state.brackets.get(bracket_id)
        if bracket is not None:
            where = moment_of(bracket)
        elif bracket_id in state.closed:
            where = Moment.CLOSED
        else:
            return
        self.outcome.faults[fault.value, where.value] += 1
        self.say(f"  !! {fault.value} of {bracket_id} ({where.value})")

    def note_all(self, fault: Fault) -> None:
        """Counts a fault that struck all brackets there are."""
        for where in moments(self.desk.engine.state).values():
            self.outcome.faults[fault.value, where.value] += 1
        self.say(f"  !! {fault.value}")

    # crashes

    def boundary(self, where: Fault) -> None:
        """One place where the process may die."""
        if self._calm:
            return
        self.outcome.boundaries += 1
        if self._crash_at is not None:
            if self.outcome.boundaries == self._crash_at:
                self.note_all(where)
                raise Crash
        elif self._armed is where:
            self._armed = None
            self.note_all(where)
            raise Crash

    def _start(self, state: DeskState | None) -> None:
        if state is not None and not state.run_id:
            state = None  # it died before anything was safe
        recorder = DiskRecorder(self.disk, lambda: self.boundary(Fault.CRASH_BEFORE_FLUSH))
        engine = Engine(self.config, state)
        minute_ns = self.now_ns // NS_PER_MINUTE * NS_PER_MINUTE
        warm_up(engine, D(100), minute_ns)
        sender = Sender(verify)
        if state is not None:
            sender.restore(state)
        self.desk = JudgedDesk(self, engine, recorder, sender)
        self.venue.connect()
        started = f.RunStarted(
            self.now_ns,
            "run",
            "paper",
            self.account,
            CASH,
            "made",
            state is None,
            MARKETS,
            OPEN_HANDED,
            {},
            _signer().key_id,
            _signer().public_key,
            "0",
        )
        self.desk.take(started)
        self.desk.take(e.RateSeen("BNB", "USDT", self.now_ns, D(500), "made"))
        self.desk.flush()
        if state is not None:
            self.say(f"  restarted at {(self.now_ns - T0) / 1e9:.3f}")
            self.desk.recover(self.now_ns)
            self.now_ns += RECOVERY_NS

    def _died(self) -> None:
        """The process is down for a while; the venue and the market go on."""
        recorder = self.desk.disk_recorder
        self.judge.forget(recorder.unsafe)
        self.venue.cut()
        down_s = self.rng.choice((0.2, 1, 5, 20))
        self.say(f"  down for {down_s} s, {len(recorder.unsafe)} facts lost")
        end_ns = self.now_ns + int(down_s * NS_PER_SECOND)
        while self.now_ns < end_ns:
            self.now_ns += 500 * NS_PER_MS
            for contract in MARKETS:
                self._move_price(contract)
            while (due_ns := self.venue.next_due_ns) is not None and due_ns <= self.now_ns:
                self.venue.run_next()
        self.disk.full = False
        self.disk.move_in()
        state = self.disk.rebuild()
        self.judge.restored(self.disk.rebuild())
        self.disk.checkpoint(state)
        self.now_ns = max(self.now_ns, self.judge.latest_ns, self.venue.now_ns)
        self._armed = None
        try:
            self._start(state)
        except Crash:
            self._died()

    # the world

    def live(self) -> Outcome:
        """Lives the whole world. A violation ends it and is told in the outcome."""
        try:
            self._guarded(lambda: self._start(None))
            while self.outcome.events < self._wild_events:
                self._guarded(self._beat)
            self._calm_down()
        except BrokenPromise as broken:
            self.outcome.violation = str(broken)
            self.say(traceback.format_exc())
        except Exception as error:  # noqa: BLE001 - whatever the desk raises is a broken promise
            place = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{place.filename.rpartition('/')[2]}:{place.lineno}"
            self.outcome.violation = f"the desk raised {type(error).__name__}: {error} ({where})"
            self.say(traceback.format_exc())
        return self.outcome

    def _guarded(self, act: Callable[[], None]) -> None:
        try:
            act()
        except Crash:
            self._died()

    def _beat(self) -> None:
        """A little time passes, one quote comes; now and then somebody acts or something breaks."""
        rng = self.rng
        self.now_ns += rng.randrange(40, 500) * NS_PER_MS
        self._upkeep()
        self._strike()
        if self.now_ns >= self._next_intent_ns:
            self._next_intent_ns = self.now_ns + rng.randrange(2000, 16000) * NS_PER_MS
            self._propose()
        elif rng.random() < 0.02:
            self._meddle()
        self._quote(rng.choice(MARKETS))
        self.disk.checkpoint(
            self.judge.twin
        ) if not self.desk.disk_recorder.unsafe and not self.disk.emergency else None

    def _quote(self, contract: Instrument) -> None:
        # What was due before this price came is told before it moves anything.
        self.desk.until(self.now_ns)
        bid, ask = self._move_price(contract)
        at_ns = self.now_ns - self.venue.skew_ns
        self.desk.tick(Quote(contract.key, at_ns, bid, ask, D(100), D(100)))

    def _move_price(self, contract: Instrument) -> tuple[D, D]:
        key = contract.key
        sigma = self.wildness if not self._calm else 0.0001
        price = self.prices[key] * (1 + self.rng.gauss(0, sigma))
        self.prices[key] = price = min(max(price, 60.0), 160.0)
        bid = contract.round_price(D(repr(price)))
        ask = bid + contract.tick
        self.venue.trade_at(key, bid, ask, self.now_ns)
        return bid, ask

    def _upkeep(self) -> None:
        if self._disk_free_ns and self.now_ns >= self._disk_free_ns:
            self.disk.full = False
            self._disk_free_ns = 0
        if not self.disk.full and self.desk.disk_recorder.diverted:
            self.desk.disk_recorder.return_to_journal()
            self.desk.flush()
        if self._online_ns and self.now_ns >= self._online_ns:
            self._online_ns = 0
            self.venue.connect()
            self.desk.take(e.ConnectionChanged("paper", self.now_ns, connected=True))
        if self.venue.skew_ns and self.now_ns >= self.skew_until_ns:
            self.venue.skew_ns = 0
        state = self.desk.engine.state
        if state.trading_state is not f.TradingState.RUNNING and not self.disk.full:
            if not self._resume_ns:
                self._resume_ns = self.now_ns + self.rng.randrange(1, 6) * NS_PER_SECOND
            elif self.now_ns >= self._resume_ns:
                self._resume_ns = 0
                self.desk.take(e.Resume(self.now_ns, "op", "looked at it"))
                self.desk.flush()

    # faults that are planned

    def _strike(self) -> None:
        if not self._plan:
            return
        due_ns, fault, wanted = self._plan[0]
        if self.now_ns < due_ns:
            return
        there = moments(self.desk.engine.state)
        if wanted not in there.values() and self.now_ns < due_ns + 15 * NS_PER_SECOND:
            return
        self._plan.pop(0)
        self._do(fault, [key for key, where in there.items() if where is wanted])

    def _do(self, fault: Fault, chosen: list[str]) -> None:
        rng, venue = self.rng, self.venue
        if fault in CRASHES:
            if self._crash_at is not None:
                return
            if fault is Fault.CRASH_IDLE:
                self.note_all(fault)
                raise Crash
            self._armed = fault
        elif fault is Fault.DISCONNECTED and venue.listening:
            self.note_all(fault)
            venue.cut()
            self._online_ns = self.now_ns + rng.choice((500, 3000, 12000)) * NS_PER_MS
            self.desk.take(e.ConnectionChanged("paper", self.now_ns, connected=False))
        elif fault is Fault.VENUE_RESTARTED:
            self.note_all(fault)
            venue.restart()
        elif fault in (Fault.FILL_CORRECTED, Fault.FILL_BUSTED):
            self._correct(chosen, bust=fault is Fault.FILL_BUSTED)
        elif fault is Fault.BAD_TICK:
            self._bad_tick(chosen)
        elif fault is Fault.LIQUIDATED:
            self._liquidate(chosen)
        elif fault is Fault.FROZEN:
            self.note_all(fault)
            by_ns = rng.choice((3, 20, 60, 240)) * NS_PER_SECOND
            self.now_ns += by_ns
            venue.postpone(by_ns)
            venue.now_ns = self.now_ns
        elif fault is Fault.CLOCK_BACK:
            self.note_all(fault)
            venue.skew_ns = rng.choice((50, 1000, 5000)) * NS_PER_MS
            self.skew_until_ns = self.now_ns + 3 * NS_PER_SECOND
        elif fault is Fault.DISK_FULL:
            self.note_all(fault)
            self.disk.full = True
            self._disk_free_ns = self.now_ns + rng.choice((500, 4000, 15000)) * NS_PER_MS

    def _correct(self, chosen: list[str], *, bust: bool) -> None:
        done = [
            item
            for bracket_id in chosen
            for order in (self.venue.holdings[bracket_id].orders if bracket_id in self.venue.holdings else ())
            for item in order.executions.values()
            if item.told
            and item.quantity
            and not item.corrected
            # What a liquidation closed was there: it is not busted before the desk was told of that.
            and item.fill.instrument not in self.venue.latched
        ]
        if done:
            chosen_one: Execution = self.rng.choice(done)
            self.venue.correct(chosen_one, bust=bust)

    def _bad_tick(self, chosen: list[str]) -> None:
        state = self.desk.engine.state
        names = [state.brackets[key].intent.instrument for key in chosen if key in state.brackets]
        contract = INSTRUMENTS[self.rng.choice(names) if names else PERP.key]
        wrong = contract.round_price(
            D(repr(self.prices[contract.key] * self.rng.choice((0.01, 0.5, 0.8, 1.3, 10))))
        )
        for key, where in moments(state).items():
            bracket = state.brackets.get(key) or state.closed[key].bracket
            if bracket.intent.instrument == contract.key:
                self.outcome.faults[Fault.BAD_TICK.value, where.value] += 1
        self.desk.tick(
            Quote(contract.key, self.now_ns - self.venue.skew_ns, wrong, wrong + contract.tick, D(1), D(1))
        )

    def _liquidate(self, chosen: list[str]) -> None:
        state, venue = self.desk.engine.state, self.venue
        there = moments(state)
        for bracket_id in [*chosen, *state.brackets]:
            bracket = state.brackets.get(bracket_id)
            if bracket is None or not venue.listening:
                continue
            instrument, direction = bracket.intent.instrument, bracket.intent.direction
            if instrument == SPOT.key or venue.untold(instrument) or instrument in venue.latched:
                continue
            mode = self.account.mode
            key = instrument if mode is PositionMode.NET else f"{instrument}/{direction.value}"
            net = venue.positions.get(key, D(0))
            if net * direction.sign <= 0:
                continue
            quantity = INSTRUMENTS[instrument].round_quantity(abs(net) * self.rng.choice((D(1), D("0.5"))))
            if quantity:
                near = [name for name in there if venue.trades(name, instrument)]
                venue.liquidate(instrument, direction, quantity, near)
                return

    # people

    def _name(self, kind: str) -> str:
        self._names += 1
        return f"{kind}{self._names}"

    def _propose(self) -> None:
        rng = self.rng
        item = rng.choice((PERP, PERP, SPOT, FUTURE))
        direction = Direction.LONG if item is SPOT else rng.choice(tuple(Direction))
        sign = direction.sign
        kind = rng.choice(tuple(EntryType))
        price = self.prices[item.key]
        away = {EntryType.MARKET: 0.0, EntryType.LIMIT: -0.001, EntryType.STOP: 0.001}[kind] * sign
        trigger = price * (1 + away * rng.random())

        def level(fraction: float) -> D:
            return item.round_price(D(repr(trigger * (1 + fraction * sign))))

        rungs = rng.choice((((0.004, "1"),), ((0.003, "0.4"), (0.006, "0.6")), ((0.002, "0.5"),), ()))
        quantity = item.round_quantity(D(repr(rng.uniform(0.5, 12)))) or item.lot
        self.outcome.intents += 1
        self._send(
            intent(
                self._name("o"),
                direction=direction,
                trigger=level(0.0),
                stop=level(-rng.choice((0.004, 0.01, 0.02))),
                targets=tuple((level(distance), fraction) for distance, fraction in rungs),
                quantity=quantity,
                order_type=kind,
                trail=rng.choice((None, None, D("0.005"), D("0.02"))),
                hold_s=rng.choice((None, 8, 30, 60)),
                expiry_s=rng.choice((4, 20, 120)),
                at_ns=self.now_ns,
                instrument=item,
                lane=rng.choice((Lane.SCALP, Lane.TACTICAL, Lane.MOMENTUM)),
            )
        )

    def _meddle(self) -> None:
        rng, now_ns = self.rng, self.now_ns
        state = self.desk.engine.state
        if rng.random() < 0.06:
            self.desk.take(e.Halt(now_ns, "op", "a whim", rng.choice(tuple(f.KillPolicy))))
            return
        if not state.brackets:
            return
        chosen = rng.choice(sorted(state.brackets))
        bracket = state.brackets[chosen]
        kind = rng.choice(("reduce", "close", "cancel", "amend", "amend"))
        name = self._name(kind)
        if kind == "reduce":
            part = D(repr(round(rng.uniform(0.05, 1), 3)))
            self._send(ReduceIntent(name, "paper", "op", chosen, part, "a whim", now_ns))
        elif kind == "close":
            self._send(CloseIntent(name, "paper", "op", chosen, "a whim", now_ns))
        elif kind == "cancel":
            self._send(CancelIntent(name, "paper", "op", chosen, "a whim", now_ns))
        else:
            moved = bracket.stop_price * (1 + D(repr(round(rng.uniform(-0.001, 0.003), 6))))
            self._send(AmendIntent(name, "paper", "op", chosen, moved, now_ns))

    def _send(self, proposal: Intent) -> None:
        self.desk.take(e.IntentArrived(proposal, self.now_ns))
        self.desk.flush()

    # the end

    def _calm_down(self) -> None:
        self._calm = True
        self.say(f"  calm from {(self.now_ns - T0) / 1e9:.3f}")
        venue = self.venue
        venue.temper.chances.clear()
        self._plan, self._armed = [], None
        self._disk_free_ns = self._disk_free_ns and self.now_ns
        self._online_ns = self._online_ns and self.now_ns
        venue.skew_ns = 0
        for second in range(CALM_LIMIT_S):
            self.now_ns += NS_PER_SECOND
            self._upkeep()
            state = self.desk.engine.state
            if second % 20 == 0:
                for bracket_id in list(state.brackets):
                    self._send(
                        CloseIntent(self._name("bye"), "paper", "op", bracket_id, "the end", self.now_ns)
                    )
            for contract in MARKETS:
                self._quote(contract)
            quiet = not state.brackets and venue.next_due_ns is None and self.judge.knows_all()
            if quiet and second > 12:
                break
        self.desk.flush()
        self.judge.check(self.desk.engine, (), self.now_ns, whole=True)
        self.judge.check_end(self.desk.engine.state)
        if self.seed % 10 == 0 and state_bytes(self.disk.replay()) != state_bytes(self.desk.engine.state):
            raise BrokenPromise("5: the whole journal folded again is not the live state")


def _chances(rng: random.Random) -> dict[Fault, float]:
    """Every world has some of each, and three favourites."""
    base = rng.choice((0.01, 0.03))
    chances = dict.fromkeys(ON_THE_WIRE, base)
    for fault in rng.sample(ON_THE_WIRE, 3):
        chances[fault] = rng.choice((0.1, 0.25))
    chances[Fault.PARTIAL] = rng.choice((0.1, 0.4))
    return chances


def _plan(rng: random.Random) -> list[tuple[int, Fault, Moment]]:
    """When what is planned strikes, and which state it waits for."""
    faults = [rng.choice(PLANNED) for _ in range(10)] + [rng.choice(CRASHES) for _ in range(4)]
    plan = [
        (T0 + rng.randrange(8, 250) * NS_PER_SECOND, fault, rng.choice(tuple(Moment))) for fault in faults
    ]
    return sorted(plan)
