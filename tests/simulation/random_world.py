"""Random worlds from a seed: markets that jump, gap and fall silent, meddling people, an unkind venue."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from neuratrade.core.engine.engine import Engine, Step
from neuratrade.core.engine.state import DeskState
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.intent import (
    AmendIntent,
    CancelIntent,
    CloseIntent,
    Direction,
    EntryType,
    Intent,
    ReduceIntent,
)
from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_MS, Bar, Quote
from neuratrade.hands.recorder import MemoryRecorder
from neuratrade.hands.simulated import SimulatedDesk
from neuratrade.hands.turns import Turns
from neuratrade.venues.paper.costs import PaperCosts
from tests.simulation.invariants import check_state, check_step
from tests.simulation.world import (
    FUTURE,
    PERP,
    PRICE,
    SPOT,
    T0,
    D,
    WatchedExchange,
    desk_engine,
    intent,
    run_started,
    warm_up,
)

MARKETS = (PERP, SPOT, FUTURE)


class Act(msgspec.Struct, frozen=True):
    """Something a person, a program or a strategy does at the beginning of a slice."""

    kind: str
    name: str
    number: float
    proposal: Intent | None = None


@dataclass(slots=True)
class Plan:
    """A whole world before it begins: acts and bars, slice by slice."""

    costs: PaperCosts
    slices: list[tuple[list[Act], list[Bar]]] = field(default_factory=list)


def make_plan(seed: int, length: int, *, calm_end: int = 40) -> Plan:
    """A plan of `length` wild slices and `calm_end` calm ones, in which everybody closes what is open."""
    rng = random.Random(seed)
    costs = PaperCosts(
        latency_ms=rng.choice((0, 50, 50, 400, 900, 2500)),
        spread_fraction=D(rng.choice(("0", "0.0002", "0.002"))),
        slippage_bps=D(rng.choice((0, 1, 10))),
        participation_fraction=D(rng.choice(("0.01", "0.1", "1"))),
        through=rng.random() < 0.5,
        reject_fraction=D(rng.choice(("0", "0", "0.2"))),
        seed=seed,
    )
    plan = Plan(costs)
    prices = dict.fromkeys((item.key for item in MARKETS), 100.0)
    wildness = rng.choice((0.002, 0.01, 0.03))
    index = 0
    for count in range(length + calm_end):
        wild = count < length
        index += rng.choice((1, 1, 1, 1, 1, 1, 3, 90)) if wild else 1
        names = [item for item in MARKETS if not wild or rng.random() < 0.9] or [PERP]
        bars = [_bar(rng, item, index, prices, wildness if wild else 0.0005, wild=wild) for item in names]
        acts = _acts(rng, count, prices) if wild else _farewell(count)
        plan.slices.append((acts, bars))
    return plan


def _bar(
    rng: random.Random,
    item: Instrument,
    index: int,
    prices: dict[str, float],
    wildness: float,
    *,
    wild: bool,
) -> Bar:
    open_ = prices[item.key] * (1 + (rng.gauss(0, wildness) if rng.random() < 0.2 else 0.0))
    close = open_ * (1 + rng.gauss(0, wildness))
    high = max(open_, close) * (1 + abs(rng.gauss(0, wildness / 2)))
    low = min(open_, close) * (1 - abs(rng.gauss(0, wildness / 2)))
    prices[item.key] = min(max(close, 20.0), 500.0)
    volume = D(rng.choice((0, 5, 50, 500)) if wild else 10_000)
    first, top, bottom, last = (item.round_price(D(repr(value))) for value in (open_, high, low, close))
    return Bar(item.key, NS_PER_MINUTE, T0 + index * NS_PER_MINUTE, first, top, bottom, last, volume)


def _acts(rng: random.Random, count: int, prices: dict[str, float]) -> list[Act]:
    acts = []
    if rng.random() < 0.5:
        acts.append(Act("open", f"o{count}", 0.0, _proposal(rng, f"o{count}", prices)))
    for kind, chance in (("reduce", 0.1), ("close", 0.08), ("cancel", 0.05), ("amend", 0.15)):
        if rng.random() < chance:
            acts.append(Act(kind, f"{kind}{count}", rng.random()))
    if rng.random() < 0.03:
        acts.append(Act("halt", rng.choice(tuple(f.KillPolicy)).value, rng.random()))
    elif rng.random() < 0.2:
        acts.append(Act("resume", "", rng.random()))
    return acts


def _proposal(rng: random.Random, name: str, prices: dict[str, float]) -> Intent:
    item = rng.choice(MARKETS)
    direction = Direction.LONG if item is SPOT else rng.choice(tuple(Direction))
    sign = direction.sign
    kind = rng.choice(tuple(EntryType))
    away = {EntryType.MARKET: 0.0, EntryType.LIMIT: -0.003 * sign, EntryType.STOP: 0.003 * sign}[kind]
    trigger = prices[item.key] * (1 + away * rng.random() * 2)

    def level(fraction: float) -> D:
        return item.round_price(D(repr(trigger * (1 + fraction * sign))))

    rungs = rng.choice((((0.004, "1"),), ((0.003, "0.4"), (0.006, "0.6")), ((0.003, "0.5"),), ()))
    quantity = item.round_quantity(D(repr(rng.uniform(0.5, 12)))) or item.lot
    return intent(
        name,
        direction=direction,
        trigger=level(0.0),
        stop=level(-rng.choice((0.004, 0.01, 0.02))),
        targets=tuple((level(distance), fraction) for distance, fraction in rungs),
        quantity=quantity,
        order_type=kind,
        trail=rng.choice((None, None, D("0.005"), D("0.02"))),
        hold_s=rng.choice((None, 90, 600)),
        expiry_s=rng.choice((45, 300, 3600)),
        instrument=item,
    )


def _farewell(count: int) -> list[Act]:
    return [Act("resume", "", 0.0), Act("close_all", f"bye{count}", 0.0)]


class CheckedRecorder(MemoryRecorder):
    """Holds facts as unsafe until flushed, to see whether an effect leaves before its fact is safe."""

    def __init__(self) -> None:
        super().__init__()
        self.safe = 0

    def flush(self) -> None:
        """All facts so far are safe."""
        self.safe = len(self.facts)


class CheckedTurns(Turns):
    """Turns with every invariant checked after every step of their engine."""

    def carry_out(self, step: Step, at_ns: int) -> None:
        check_state(self.engine.state)
        check_step(step, self.engine.state)
        super().carry_out(step, at_ns)
        assert isinstance(self._recorder, CheckedRecorder)
        if step.commands:
            unsafe = self._recorder.facts[self._recorder.safe :]
            assert not any(fact in unsafe for fact in step.facts), "a command left before its fact was safe"


class CheckedDesk(SimulatedDesk):
    """The simulated desk, taking checked turns."""

    def __init__(self, engine: Engine, exchange: WatchedExchange, recorder: CheckedRecorder) -> None:
        super().__init__(engine, exchange, recorder, None)
        self._turns = CheckedTurns(engine, recorder, None, self._carry)
        self._step = self._turns.step


class Run:
    """One desk living through a plan. state: None begins afresh, else what a restart found."""

    def __init__(self, plan: Plan, state: DeskState | None = None) -> None:
        self.plan = plan
        self.engine = desk_engine(state)
        self.exchange = WatchedExchange(costs=plan.costs)
        self.recorder = CheckedRecorder()
        self.desk = CheckedDesk(self.engine, self.exchange, self.recorder)
        if state is None:
            self.desk.take(run_started())
            warm_up(self.engine)
            return
        warm_up(self.engine, PRICE, state.now_ns // NS_PER_MINUTE * NS_PER_MINUTE)
        self.exchange.restore(state)
        self.desk.recover(state.now_ns)

    @property
    def state(self) -> DeskState:
        return self.engine.state

    def live(self) -> "Run":
        """Lives through all slices that close after the state's present."""
        from_ns = self.state.now_ns
        for acts, bars in self.plan.slices:
            if bars[0].close_ns <= from_ns:
                continue
            for act in acts:
                self._act(act)
            self.desk.bars(bars)
        return self

    def _act(self, act: Act) -> None:
        at_ns = self.state.now_ns
        if act.kind == "halt":
            self.desk.take(e.Halt(at_ns, "op", "a whim", f.KillPolicy(act.name)))
        elif act.kind == "resume":
            self.desk.take(e.Resume(at_ns, "op", "a whim"))
        elif act.kind == "close_all":
            for bracket_id in list(self.state.brackets):
                name = f"{act.name}-{bracket_id}"
                self._send(CloseIntent(name, "paper", "op", bracket_id, "the end", at_ns))
        elif act.proposal is not None:
            self._send(msgspec.structs.replace(act.proposal, created_ns=at_ns))
        else:
            self._interfere(act, at_ns)

    def _interfere(self, act: Act, at_ns: int) -> None:
        if not self.state.brackets:
            return
        chosen = sorted(self.state.brackets)[int(act.number * len(self.state.brackets))]
        bracket = self.state.brackets[chosen]
        match act.kind:
            case "reduce":
                part = D(repr(round(act.number, 3)))
                self._send(ReduceIntent(act.name, "paper", "op", chosen, part, "a whim", at_ns))
            case "close":
                self._send(CloseIntent(act.name, "paper", "op", chosen, "a whim", at_ns))
            case "cancel":
                self._send(CancelIntent(act.name, "paper", "op", chosen, "a whim", at_ns))
            case "amend":
                moved = bracket.stop_price * (1 + D(repr(round(act.number * 0.004 - 0.001, 6))))
                self._send(AmendIntent(act.name, "paper", "op", chosen, moved, at_ns))
            case _:
                raise AssertionError(act)

    def _send(self, proposal: Intent) -> None:
        self.desk.take(e.IntentArrived(proposal, proposal.created_ns))


def random_quotes(seed: int, count: int) -> Sequence[Quote]:
    """Quotes of the perpetual every 200 ms on average: one-sided, thin and jumping ones among them."""
    rng = random.Random(seed)
    price, at_ns = 100.0, T0
    quotes = []
    for _ in range(count):
        at_ns += rng.randrange(1, 400) * NS_PER_MS
        price = min(max(price * (1 + rng.gauss(0, rng.choice((0.0005, 0.004)))), 50.0), 200.0)
        bid = PERP.round_price(D(repr(price)))
        ask = bid + PERP.tick * rng.choice((1, 1, 5))
        sizes = [D(repr(round(rng.uniform(0, 3), 3))) for _ in range(2)]
        sides = (None if rng.random() < 0.03 else bid, None if rng.random() < 0.03 else ask)
        quotes.append(Quote(PERP.key, at_ns, *sides, *sizes))
    return quotes
