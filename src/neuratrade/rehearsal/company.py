"""The desk of a rehearsal: the real engine, gate, journal, sender and live hands, with throw-away keys.

Only counters and streaks of the gate's limits are lifted, so that there is something to see; what a position
may risk, and every rule of protection, is as in a live desk.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from decimal import Decimal
from pathlib import Path

from neuratrade.core.engine.config import EngineConfig
from neuratrade.core.engine.engine import Engine
from neuratrade.core.engine.fold import apply
from neuratrade.core.engine.state import DeskState
from neuratrade.core.indicators.native import NativeProvider
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.account import Account
from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_SECOND, Bar, Quote, Trade
from neuratrade.core.regime import RegimeParams
from neuratrade.core.risk.limits import NAMES, limits_of
from neuratrade.core.strategies.dna import Dna
from neuratrade.feeds.clock import Clock
from neuratrade.feeds.port import Slice
from neuratrade.hands.inbound import Inbound
from neuratrade.hands.live import LiveDesk
from neuratrade.hands.recorder import JournalRecorder
from neuratrade.hands.sender import Sender
from neuratrade.rehearsal.stages import Stage
from neuratrade.store.emergency import EmergencyFile
from neuratrade.store.journal import Journal
from neuratrade.store.keys import Ed25519Signer, verify
from neuratrade.store.reader import JournalReader
from neuratrade.venues.port import Venue

ACCOUNT, OPERATOR, RUN = "rehearsal", "rehearsal", "rehearsal"
FILE = "journal.db"
EVERY_NS = 20 * NS_PER_SECOND
"""How often the books are compared."""
LIFTED = {
    "trades_per_day": "1000",
    "concurrent": "3",
    "confidence": "0",
    "session_losses": "1000",
    "kill_losses": "1000",
    "lane_cooldown_ns": "0",
    "cost_multiple": "0",
    "stop_min_atr": "0",
    "stop_max_atr": "1000",
    "kelly_min_outcomes": "1000000",
    "session_drawdown_fraction": "0.04",
    "daily_loss_fraction": "0.04",
}
QUICK = RegimeParams(
    window=10, atr_period=3, adx_period=3, wild_rank=1.0, calm_rank=1.0, crash_bars=1, crash_floor=1.0,
    crash_sigmas=1000.0,
)  # fmt: skip
"""Warm after a few bars, and never so wild that nothing is opened."""


class Company:
    """One live desk at one venue. folder: for its journal; one that is there already is gone on with.

    Serve it by `serve`, by its own `streams`, and by what tells it prices.
    """

    def __init__(self, stage: Stage, venue: Venue, folder: Path, clock: Clock) -> None:
        self.notes: list[str] = []
        self.inbound = Inbound()
        self._clock = clock
        self._traded = {item.key for item in stage.traded}
        signer = Ed25519Signer()
        self._journal = Journal.open(folder / FILE, signer=signer, now_ns=clock.now_ns)
        state = state_of(self.facts())
        recorder = JournalRecorder(self._journal, EmergencyFile(folder / "emergency.jsonl"), RUN, ACCOUNT)
        self.engine = Engine(_config(stage, signer), state)
        self._resumed = bool(state.run_id)
        sender = Sender(verify)
        if self._resumed:
            sender.restore(state)
        self.desk = LiveDesk(self.engine, venue, recorder, sender, self.inbound, clock, ACCOUNT)
        self.desk.take(_started(stage, signer, clock.now_ns(), fresh=not self._resumed))

    def facts(self) -> list[f.Fact]:
        """All that is on disk, in order."""
        return [row.fact() for row in JournalReader(self._journal.engine).rows()]

    def begin(self) -> None:
        """Asks and guards what a restart has to, once it is served."""
        if self._resumed:
            self.desk.recover(self._clock.now_ns())

    def warm_up(self, bars: Sequence[Bar]) -> None:
        """History for indicators."""
        for bar in bars:
            self.desk.warm_up(bar)

    async def show(self, piece: Slice) -> None:
        """Market data, of which the desk takes what is about its contracts."""
        if isinstance(piece, list):
            found = [bar for bar in piece if bar.instrument in self._traded]
            if found:
                await self.inbound.put_market(found)
        elif piece.instrument in self._traded:
            await self.inbound.put_market(piece)

    def judge(self, intent: e.IntentArrived) -> f.IntentJudged | None:
        """Has an intent judged."""
        return self.desk.judge(intent)

    def halt(self, policy: f.KillPolicy, reason: str) -> None:
        """A person halts the desk."""
        self.desk.take(e.Halt(self._clock.now_ns(), "person", reason, policy))

    async def serve(self) -> None:
        """Takes what comes, for as long as it is let."""
        while True:
            item = await self.inbound.get()
            if isinstance(item, list):
                self.desk.bars(item)
            elif isinstance(item, Quote | Trade):
                self.desk.tick(item)
            else:
                self.desk.take(item)  # type: ignore[arg-type]
            await asyncio.sleep(0)

    async def keep_hours(self, sessions: AsyncIterator[f.SessionMoved]) -> None:
        """Tells the desk when its market opens and closes, for as long as it is let."""
        async for moved in sessions:
            self.inbound.put_control(moved)

    async def crash(self) -> None:
        """Ends as a killed process does: nothing is finished, nothing more is written."""
        await self.desk.abandon()
        self._journal.abandon()

    async def close(self) -> None:
        """Ends the calls and the journal."""
        await self.desk.close()
        self.desk.flush()
        self._journal.close()


def _config(stage: Stage, signer: Ed25519Signer) -> EngineConfig:
    return EngineConfig(
        ACCOUNT,
        OPERATOR,
        {item.key: item for item in stage.traded},
        (),
        Dna(1, 0, {}, {}),
        NativeProvider(),
        signer,
        gate_span_ns=NS_PER_MINUTE,
        regime=QUICK,
        venue_rules={stage.contract.venue: stage.rules},
        reconcile_every_ns=EVERY_NS,
        assumed_volume_24h=Decimal(10**9),
    )


def facts_in(folder: Path) -> list[f.Fact]:
    """What the journal of a desk that is closed has."""
    journal = Journal.open(folder / FILE, signer=Ed25519Signer())
    try:
        return [row.fact() for row in JournalReader(journal.engine).rows()]
    finally:
        journal.abandon()


def state_of(facts: Iterable[f.Fact]) -> DeskState:
    """Durable state as the journal has it."""
    state = DeskState()
    for fact in facts:
        apply(state, fact)
    return state


def _started(stage: Stage, signer: Ed25519Signer, now_ns: int, *, fresh: bool) -> f.RunStarted:
    limits = limits_of({**LIFTED, **stage.limits})
    return f.RunStarted(
        at_ns=now_ns,
        run_id=RUN,
        mode="live",
        account=Account(ACCOUNT, stage.contract.venue, stage.currency),
        cash=stage.balances[stage.currency],
        source="rehearsal",
        fresh=fresh,
        instruments=stage.traded,
        limits={name: str(getattr(limits, name)) for name in NAMES},
        config={},
        key_id=signer.key_id,
        public_key=signer.public_key,
        version="0",
    )
