"""One seeded world: a market, people with whims, an unkind venue, crashes, and a calm end.

The desk is the real one (engine, fold, sender, the turn of `hands.simulated`); what a crash takes with it
is exactly what the disk had not synced. What the venue told and was lost, the desk learns by asking or not
at all. Equal seeds give equal worlds.
"""

import random
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal

from neuratrade.core.engine.engine import Engine, Step
from neuratrade.core.engine.state import DeskState, state_bytes
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_MS, NS_PER_SECOND, Quote
from neuratrade.hands.sender import Sender
from neuratrade.hands.simulated import RECOVERY_NS
from neuratrade.store.keys import verify
from tests.simulation.faults.desk import JudgedDesk, config_of, signer
from tests.simulation.faults.disk import Disk, DiskRecorder
from tests.simulation.faults.judge import Judge
from tests.simulation.faults.kinds import Fault, Moment, moment_of, moments
from tests.simulation.faults.people import People
from tests.simulation.faults.strikes import Crash, Strikes
from tests.simulation.faults.traits import CASH, INSTRUMENTS, MARKETS, temper_of, traits_of
from tests.simulation.faults.truth import BrokenPromise
from tests.simulation.faults.venue import FaultyVenue
from tests.simulation.world import T0, warm_up

D = Decimal
CALM_LIMIT_S = 900
EVENTS_BEFORE_CALM = 2000


@dataclass(slots=True)
class Outcome:
    """What a world came to. violation: None when all promises held."""

    seed: int
    events: int = 0
    intents: int = 0
    faults: Counter[tuple[str, str]] = field(default_factory=Counter)
    boundaries: int = 0
    violation: str | None = None


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
        self.traits = traits = traits_of(seed)
        self.config = config_of(traits.rules)
        self.now_ns = T0
        self.calm = False
        self._crash_at = crash_at
        self._wild_events = wild_events
        self.disk = Disk()
        self.venue = FaultyVenue(
            traits.account,
            INSTRUMENTS,
            traits.rules,
            temper_of(rng),
            random.Random(seed + 1_000_003),
            self.note,
            self.note_all,
        )
        self.venue.fee_currency = traits.fee_currency
        self.judge = Judge(self.venue, self.disk, signer().public_key, CASH, limited=traits.limited)
        self.venue.cash["USDT"] = self.judge.cash["USDT"]
        self.prices = dict.fromkeys(INSTRUMENTS, 100.0)
        self.wildness = rng.choice((0.0003, 0.0008, 0.002))
        self.strikes = Strikes(self)
        self.people = People(self)
        self.desk: JudgedDesk

    # telling

    def say(self, text: str) -> None:
        """Writes a line of the trace."""
        if self.trace is not None:
            self.trace(text)

    def show(self, step: Step) -> None:
        """Writes the facts of a step into the trace."""
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

    @property
    def crashes_as_seeded(self) -> bool:
        """Whether the plan decides where the process dies."""
        return self._crash_at is None

    def boundary(self, where: Fault) -> None:
        """One place where the process may die."""
        if self.calm:
            return
        self.outcome.boundaries += 1
        if self._crash_at is not None:
            if self.outcome.boundaries == self._crash_at:
                self.note_all(where)
                raise Crash
        elif self.strikes.armed is where:
            self.strikes.armed = None
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
            self.traits.account,
            CASH,
            "made",
            state is None,
            MARKETS,
            self.traits.limits,
            {},
            signer().key_id,
            signer().public_key,
            "0",
        )
        self.judge.cover.starting = state is not None
        self.desk.take(started)
        self.desk.take(e.RateSeen("BNB", "USDT", self.now_ns, D(500), "made"))
        self.strikes.tell_sessions()
        self.desk.flush()
        if state is not None:
            self.say(f"  restarted at {(self.now_ns - T0) / 1e9:.3f}")
            self.desk.recover(self.now_ns)
            self.now_ns += RECOVERY_NS
            self.judge.cover.starting = False

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
        self.strikes.forget()
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
        if self.strikes.is_silent:
            self._beat_in_silence()
            return
        self.now_ns += self.rng.randrange(40, 500) * NS_PER_MS
        self._look_after()
        self.strikes.strike()
        self.people.act()
        self._quote(self.rng.choice(MARKETS))
        self._checkpoint()

    def _beat_in_silence(self) -> None:
        """The same without prices, in longer steps, beside the events a world has at least."""
        before = self.outcome.events
        self.now_ns += self.rng.randrange(1000, 6000) * NS_PER_MS
        self._look_after()
        self.strikes.strike()
        self.people.act()
        self.desk.until(self.now_ns)
        for contract in MARKETS:
            self._move_price(contract)
        self.desk.clock(self.now_ns)
        self._checkpoint()
        self._wild_events += self.outcome.events - before

    def _checkpoint(self) -> None:
        if not self.desk.disk_recorder.unsafe and not self.disk.emergency:
            self.disk.checkpoint(self.judge.twin)

    def _look_after(self) -> None:
        self.strikes.look_after()
        self.people.look_after()

    def _quote(self, contract: Instrument) -> None:
        # What was due before this price came is told before it moves anything.
        self.desk.until(self.now_ns)
        bid, ask = self._move_price(contract)
        if contract.key in self.venue.shut:
            self.desk.clock(self.now_ns)
            return
        at_ns = self.now_ns - self.venue.skew_ns
        self.desk.tick(Quote(contract.key, at_ns, bid, ask, D(100), D(100)))

    def _move_price(self, contract: Instrument) -> tuple[D, D]:
        key = contract.key
        sigma = self.wildness if not self.calm else 0.0001
        price = self.prices[key] * (1 + self.rng.gauss(0, sigma))
        self.prices[key] = price = min(max(price, 60.0), 160.0)
        bid = contract.round_price(D(repr(price)))
        ask = bid + contract.tick
        self.venue.trade_at(key, bid, ask, self.now_ns)
        return bid, ask

    # the end

    def _calm_down(self) -> None:
        self.calm = True
        self.say(f"  calm from {(self.now_ns - T0) / 1e9:.3f}")
        self.venue.temper.chances.clear()
        self.strikes.end_all()
        for second in range(CALM_LIMIT_S):
            self.now_ns += NS_PER_SECOND
            self._look_after()
            if second % 20 == 0:
                self.people.close_all()
            for contract in MARKETS:
                self._quote(contract)
            if second > 12 and self._is_quiet():
                break
        self.desk.flush()
        self.judge.check(self.desk.engine, (), self.now_ns, whole=True)
        self.judge.check_end(self.desk.engine.state)
        if self.seed % 10 == 0 and state_bytes(self.disk.replay()) != state_bytes(self.desk.engine.state):
            raise BrokenPromise("5: the whole journal folded again is not the live state")

    def _is_quiet(self) -> bool:
        state = self.desk.engine.state
        at_rest = not state.brackets and self.venue.next_due_ns is None
        return at_rest and self.judge.knows_all() and not self.judge.strange_things(state)
