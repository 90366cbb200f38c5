"""The real desk of a world, with a judge beside every turn and crashes inside it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, cast

from neuratrade.core.engine.config import EngineConfig
from neuratrade.core.engine.engine import Engine, Step
from neuratrade.core.indicators.native import NativeProvider
from neuratrade.core.model import commands as c
from neuratrade.core.model import facts as f
from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_SECOND
from neuratrade.core.model.venue_rules import VenueRules
from neuratrade.core.strategies.dna import Dna
from neuratrade.hands.sender import Sender
from neuratrade.hands.simulated import SimulatedDesk
from neuratrade.hands.turns import Turns
from neuratrade.store.keys import Ed25519Signer
from neuratrade.venues.paper.exchange import PaperExchange
from tests.simulation.faults.disk import DiskRecorder
from tests.simulation.faults.kinds import Fault
from tests.simulation.faults.traits import INSTRUMENTS
from tests.simulation.faults.truth import BrokenPromise
from tests.simulation.world import CALM, D

if TYPE_CHECKING:
    from tests.simulation.faults.life import Life

MOST_EVENTS = 12_000


@cache
def signer() -> Ed25519Signer:
    """One key for all worlds of a process."""
    return Ed25519Signer()


@cache
def _provider() -> NativeProvider:
    return NativeProvider()


def config_of(rules: VenueRules) -> EngineConfig:
    """A desk without strategies of its own, on a venue with these rules."""
    return EngineConfig(
        "paper",
        "op",
        INSTRUMENTS,
        (),
        Dna(1, 0, {}, {}),
        _provider(),
        signer(),
        gate_span_ns=NS_PER_MINUTE,
        regime=CALM,
        venue_rules={"test": rules},
        reconcile_every_ns=20 * NS_PER_SECOND,
        balance_tolerance_fraction=D("0.001"),
    )


class JudgedTurns(Turns):
    """The desk's own turn, with a judge beside it and crashes inside it."""

    life: Life
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

    def __init__(self, life: Life, engine: Engine, recorder: DiskRecorder, sender: Sender) -> None:
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
