"""People of a world: they propose, change their minds, resume a desk that stopped, settle what is strange."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.intent import (
    AmendIntent,
    CancelIntent,
    CloseIntent,
    Direction,
    EntryType,
    Execution,
    Iceberg,
    Intent,
    Lane,
    ReduceIntent,
    Twap,
)
from neuratrade.core.model.market import NS_PER_SECOND
from tests.simulation.faults.traits import INSTRUMENTS
from tests.simulation.world import FUTURE, PERP, SPOT, T0, intent

if TYPE_CHECKING:
    from tests.simulation.faults.life import Life

D = Decimal


class People:
    """Everybody who speaks to the desk of one life."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._rng = life.rng
        self._next_intent_ns = T0
        self._resume_ns = 0
        self._lift_ns = 0
        self._names = 0

    def act(self) -> None:
        """Somebody proposes something, or meddles with what is there."""
        now_ns = self._life.now_ns
        if now_ns >= self._next_intent_ns:
            self._next_intent_ns = now_ns + self._rng.randrange(2000, 16000) * 1_000_000
            self._propose()
        elif self._rng.random() < 0.02:
            self._meddle()

    def look_after(self) -> None:
        """Resumes a desk that stopped, after a while, and settles what stands in quarantine."""
        life, now_ns = self._life, self._life.now_ns
        state = life.desk.engine.state
        if state.trading_state is not f.TradingState.RUNNING and not life.disk.full:
            if not self._resume_ns:
                self._resume_ns = now_ns + self._rng.randrange(1, 6) * NS_PER_SECOND
            elif now_ns >= self._resume_ns:
                self._resume_ns = 0
                life.desk.take(e.Resume(now_ns, "op", "looked at it"))
                life.desk.flush()
        if not life.traits.stranger:
            return
        if state.quarantine and now_ns >= self._lift_ns:
            self._lift_ns = now_ns + self._rng.randrange(2, 12) * NS_PER_SECOND
            reference = self._rng.choice(sorted(state.quarantine))
            life.desk.take(e.LiftQuarantine(now_ns, "op", "paper", reference, "it was me"))
            life.desk.flush()
        if not life.calm and self._rng.random() < 0.004:
            self._adopt()

    def close_all(self) -> None:
        """Everybody wants to go home."""
        for bracket_id in list(self._life.desk.engine.state.brackets):
            self.send(CloseIntent(self._name("bye"), "paper", "op", bracket_id, "the end", self._life.now_ns))

    def send(self, proposal: Intent) -> None:
        """Brings an intent to the desk's door."""
        life = self._life
        life.desk.take(e.IntentArrived(proposal, life.now_ns))
        life.desk.flush()

    def _name(self, kind: str) -> str:
        self._names += 1
        return f"{kind}{self._names}"

    def _propose(self) -> None:
        rng, life = self._rng, self._life
        item = rng.choice((PERP, PERP, SPOT, FUTURE))
        direction = Direction.LONG if item is SPOT else rng.choice(tuple(Direction))
        sign = direction.sign
        kind = rng.choice(tuple(EntryType))
        price = life.prices[item.key]
        away = {EntryType.MARKET: 0.0, EntryType.LIMIT: -0.001, EntryType.STOP: 0.001}[kind] * sign
        trigger = price * (1 + away * rng.random())

        def level(fraction: float) -> D:
            return item.round_price(D(repr(trigger * (1 + fraction * sign))))

        rungs = rng.choice((((0.004, "1"),), ((0.003, "0.4"), (0.006, "0.6")), ((0.002, "0.5"),), ()))
        scale = rng.choice((1, 1, 20)) if life.traits.limited and item is not FUTURE else 1
        quantity = item.round_quantity(D(repr(rng.uniform(0.5, 12) * scale))) or item.lot
        life.outcome.intents += 1
        self.send(
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
                at_ns=life.now_ns,
                instrument=item,
                lane=rng.choice((Lane.SCALP, Lane.TACTICAL, Lane.MOMENTUM)),
                execution=self._cut(kind, item, quantity),
            )
        )

    def _cut(self, kind: EntryType, item: Instrument, quantity: D) -> Execution | None:
        rng = self._rng
        if kind is EntryType.STOP or rng.random() < 0.7:
            return None
        if kind is EntryType.LIMIT and rng.random() < 0.6:
            return Iceberg(item.round_quantity(quantity / rng.randrange(2, 5)) or item.lot)
        return Twap(rng.randrange(2, 4), rng.choice((2, 3, 8)) * NS_PER_SECOND)

    def _meddle(self) -> None:
        rng, now_ns = self._rng, self._life.now_ns
        state = self._life.desk.engine.state
        if rng.random() < 0.06:
            self._life.desk.take(e.Halt(now_ns, "op", "a whim", rng.choice(tuple(f.KillPolicy))))
            return
        if not state.brackets:
            return
        chosen = rng.choice(sorted(state.brackets))
        bracket = state.brackets[chosen]
        kind = rng.choice(("reduce", "close", "cancel", "amend", "amend"))
        name = self._name(kind)
        if kind == "reduce":
            part = D(repr(round(rng.uniform(0.05, 1), 3)))
            self.send(ReduceIntent(name, "paper", "op", chosen, part, "a whim", now_ns))
        elif kind == "close":
            self.send(CloseIntent(name, "paper", "op", chosen, "a whim", now_ns))
        elif kind == "cancel":
            self.send(CancelIntent(name, "paper", "op", chosen, "a whim", now_ns))
        else:
            moved = bracket.stop_price * (1 + D(repr(round(rng.uniform(-0.001, 0.003), 6))))
            self.send(AmendIntent(name, "paper", "op", chosen, moved, now_ns))

    def _adopt(self) -> None:
        """Gives something foreign into the desk's care; a desk that cannot take it says so."""
        life = self._life
        (account,) = life.desk.engine.state.accounts.values()
        known = sorted(account.foreign.keys() & INSTRUMENTS.keys())
        if not known:
            return
        key = self._rng.choice(known)
        sign = 1 if account.foreign[key] > 0 else -1
        stop = INSTRUMENTS[key].round_price(D(repr(life.prices[key] * (1 - 0.01 * sign))))
        try:
            life.desk.take(e.AdoptForeign(life.now_ns, "op", "paper", key, stop, "take care of it"))
        except UsageError as refused:
            life.say(f"  not adopted: {refused}")
        life.desk.flush()
