"""A venue that says anything at all, in any order: no exception, no word believed that the books do not bear.

Words are drawn by seed and not by hypothesis: a run is a few hundred of them, and its seed is its example.
"""

import random

import pytest
from msgspec.structs import replace

from neuratrade.core.engine.engine import Engine, Step
from neuratrade.core.engine.fold import apply
from neuratrade.core.engine.state import DeskState, OrderState, state_bytes
from neuratrade.core.model import commands as c
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.account import PositionMode
from neuratrade.core.model.intent import (
    CancelIntent,
    CloseIntent,
    Direction,
    EntryType,
    Iceberg,
    ReduceIntent,
    Twap,
)
from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_MS, NS_PER_SECOND, Bar, Quote, Trade
from neuratrade.core.model.orders import Fill, Liquidity, Side
from neuratrade.core.model.venue_rules import PAPER_RULES
from tests.semantics.venues import ADDS, AMENDS, LOCKS, NO_STOPS, STOP_LIMIT
from tests.simulation.world import PERP, SPOT, T0, D, desk_engine, fill_of, intent, run_started, warm_up

ODD = [D(text) for text in "NaN sNaN -1 0 Infinity -Infinity 1E+40 1E+400000 1E-40 1E-400000".split()]
RULES = (PAPER_RULES, AMENDS, ADDS, LOCKS, STOP_LIMIT, NO_STOPS)
CURRENCIES = ("USDT", "BTC", "ETH", "BNB", "")


class Liar:
    """One desk and its venue. odd: how often a number is nonsense."""

    def __init__(self, seed: int, odd: float) -> None:
        self.dice = random.Random(seed)
        self.odd = odd
        self.rules = self.dice.choice(RULES)
        self.engine: Engine = desk_engine(rules=self.rules)
        self.now_ns = T0
        self.count = 0
        self.facts: list[f.Fact] = []
        self.twin = DeskState()
        self.told: list[Fill] = []
        self.taken(self.engine.step(run_started()))
        warm_up(self.engine)

    @property
    def state(self) -> DeskState:
        return self.engine.state

    def taken(self, step: Step) -> None:
        """Holds every step to what must never happen, and folds its facts beside the live state."""
        for fact in step.facts:
            apply(self.twin, f.decode_fact(f.encode_fact(fact)))
        assert state_bytes(self.twin) == state_bytes(self.state)
        self.facts += step.facts
        for command in step.commands:
            if isinstance(command, c.SubmitOrder) and command.order.request.role.reduces:
                self.check_exits(command.order.request.bracket_id)
        account = self.state.accounts["paper"]
        assert account.account.mode is PositionMode.NET
        for bracket in self.state.brackets.values():
            assert bracket.entry_used >= 0
            asked = [
                order.quantity
                for order in self.orders()
                if order.request.bracket_id == bracket.bracket_id and not order.request.role.reduces
            ]
            if bracket.intent.execution is None:
                assert sum(asked, D(0)) <= bracket.quantity, "asked for more than was approved"

    def check_exits(self, name: str) -> None:
        """All that is out to leave a bracket leaves no more than it holds."""
        bracket = self.state.brackets.get(name)
        if bracket is None:
            return
        out = [
            order.remaining
            for order in self.state.orders.values()
            if order.request.bracket_id == name and order.request.role.reduces and not order.status.is_final
        ]
        assert sum(out, D(0)) <= abs(bracket.held)

    def orders(self) -> list[OrderState]:
        kept = [order for item in self.state.closed.values() for order in item.orders.values()]
        return [*self.state.orders.values(), *kept]

    def number(self, good: D | int | str) -> D:
        return self.dice.choice(ODD) if self.dice.random() < self.odd else D(good)

    def live(self, steps: int) -> None:
        for _ in range(steps):
            if self.dice.random() < 0.25:
                self.wait()
            if self.dice.random() < 0.02:
                self.restart()
            self.taken(self.engine.step(self.event()))

    def wait(self) -> None:
        until_ns = self.now_ns + self.dice.choice([1, 100, 1000, 3000, 6000, 61_000]) * NS_PER_MS
        while (due_ns := self.state.next_timer_ns) is not None and due_ns <= until_ns:
            timers = self.state.timers
            name = min(timers, key=lambda item: (timers[item], item))
            self.now_ns = max(due_ns, self.now_ns)
            self.taken(self.engine.step(f.TimerFired(self.now_ns, name)))
        self.now_ns = until_ns

    def restart(self) -> None:
        state = DeskState()
        for fact in self.facts:
            apply(state, fact)
        self.engine = desk_engine(state, rules=self.rules)
        warm_up(self.engine)
        self.taken(self.engine.recover(self.now_ns))

    def event(self) -> e.Event:
        late_ns = self.dice.randrange(100) * NS_PER_SECOND if self.dice.random() < 0.1 else 0
        at_ns, kind = self.now_ns - late_ns, self.dice.random()
        if kind < 0.12:
            return self.proposal(at_ns)
        if kind < 0.75 and self.orders():
            return self.answer(at_ns, self.dice.choice(self.orders()[-12:]))
        if kind < 0.85:
            return self.price(at_ns)
        if kind < 0.91:
            return self.desk_word(at_ns)
        return self.person(at_ns)

    def proposal(self, at_ns: int) -> e.Event:
        self.count += 1
        long = self.dice.random() < 0.5
        chosen = intent(
            f"i{self.count}",
            direction=Direction.LONG if long else Direction.SHORT,
            stop=95 if long else 105,
            targets=((110, "0.4"), (112, "0.6")) if long else ((92, "0.4"), (91, "0.6")),
            instrument=self.dice.choice([PERP, SPOT]),
            quantity=D(self.dice.choice(["1", "2", "0.35"])),
            order_type=self.dice.choice([EntryType.MARKET, EntryType.LIMIT]),
            trail=self.dice.choice([None, "0.04"]),
            hold_s=self.dice.choice([None, 60]),
            at_ns=self.now_ns,
        )
        if self.dice.random() < 0.3:
            chosen = replace(chosen, execution=Twap(4, 20 * NS_PER_SECOND))
        elif chosen.order_type is EntryType.LIMIT and self.dice.random() < 0.3:
            chosen = replace(chosen, execution=Iceberg(D("0.1")))
        return e.IntentArrived(chosen, at_ns)

    def answer(self, at_ns: int, order: OrderState) -> e.Event:
        """Any word about an order: true, late, repeated, or nothing that could be true."""
        coid = "nobody" if self.dice.random() < 0.03 else order.request.client_order_id
        filled = self.dice.choice([None, order.filled, order.quantity, D(0), self.number(order.filled)])
        size = self.dice.choice([order.quantity, order.asked_quantity, D(1), D(3)])
        words: list[e.Event] = [
            f.OrderAccepted(at_ns, coid, f"V{coid[:4]}"),
            f.OrderCancelled(at_ns, coid, "venue", filled),
            f.OrderExpired(at_ns, coid, filled),
            f.OrderRejected(at_ns, coid, "no"),
            f.RequestRejected(at_ns, coid, "no"),
            f.OrderUnknown(at_ns, coid, "timeout"),
            f.OrderNotFound(at_ns, coid),
            f.OrderTriggered(at_ns, coid),
            f.OrderAmended(at_ns, coid, self.number(size), self.number(order.stop_price or 95)),
            self.correction(at_ns, coid),
        ]
        if self.dice.random() < 0.45:
            return self.execution(at_ns, order, coid)
        return self.dice.choice(words)

    def execution(self, at_ns: int, order: OrderState, coid: str) -> f.OrderFilled:
        self.count += 1
        name = self.count if self.dice.random() < 0.85 else self.dice.randrange(self.count)
        share = self.dice.choice(["1", "1", "0.5", "0.3", "2", "0.0001"])
        quantity = self.number(max(order.remaining, D("0.001")) * D(share))
        price, fee = self.number(self.dice.randrange(90, 115)), self.number("0.01")
        fill = fill_of(order.request, 1, 100, f"t{name}", at_ns, 0, self.dice.choice(CURRENCIES))
        fill = replace(fill, quantity=quantity, price=price, fee=fee, client_order_id=coid)
        if self.dice.random() < 0.1:
            odd = {"instrument": SPOT.key, "side": fill.side.opposite, "account_id": "nobody", "at_ns": 0}
            key = self.dice.choice(sorted(odd))
            fill = replace(fill, **{key: odd[key]})
        self.told.append(fill)
        return f.OrderFilled(at_ns, fill, self.number(1))

    def correction(self, at_ns: int, coid: str) -> f.FillCorrected:
        quantity, trade_id = D(1), f"t{self.dice.randrange(99)}"
        if self.told and self.dice.random() < 0.7:
            fill = self.dice.choice(self.told)
            coid, trade_id, quantity = fill.client_order_id, fill.trade_id, fill.quantity
        quantity = self.dice.choice([D(0), D("0.5"), quantity])
        return f.FillCorrected(at_ns, coid, trade_id, quantity, self.number(100), self.number("0.01"))

    def price(self, at_ns: int) -> e.Event:
        key = "no@where" if self.dice.random() < 0.05 else self.dice.choice([PERP.key, SPOT.key])
        level = self.number(self.dice.randrange(90, 116))
        odd = Bar(
            key, NS_PER_MINUTE, at_ns // NS_PER_MINUTE * NS_PER_MINUTE, level, level, level, level, D(1)
        )
        words: list[e.Event] = [
            Quote(key, at_ns, level, None if self.dice.random() < 0.1 else level, D(1), D(1)),
            Trade(key, at_ns, level, D(1)),
            e.MarkSeen(key, at_ns, level),
            e.RateSeen("BNB", "USDT", at_ns, level, "venue"),
            e.BarSeen(odd, at_ns),
            e.BarClosed(odd, at_ns),
            e.FeedStalled(at_ns, key, self.dice.random() < 0.5),
        ]
        return self.dice.choice(words)

    def desk_word(self, at_ns: int) -> e.Event:
        key, side = self.dice.choice([PERP.key, SPOT.key]), self.dice.choice([Side.BUY, Side.SELL])
        one, level = self.number(1), self.number(95)
        closed = Fill(
            f"L{self.dice.randrange(9)}",
            "",
            "paper",
            key,
            side,
            one,
            level,
            D(0),
            "USDT",
            Liquidity.TAKER,
            at_ns,
        )
        fills = tuple(self.dice.sample(self.told, min(len(self.told), 3)))
        words: list[e.Event] = [
            f.SessionMoved(at_ns, key, self.dice.random() < 0.7),
            e.ConnectionChanged("paper", at_ns, self.dice.random() < 0.5),
            f.CashMoved(at_ns, "paper", self.dice.choice(CURRENCIES), self.number(5)),
            f.Liquidated(at_ns, closed),
            f.InstrumentUpdated(at_ns, replace(PERP, lot=self.number("0.001"))),
            e.VenueSnapshot(at_ns, "paper", at_ns, (), None, {key: one}, {"USDT": one}, fills),
            e.ClockTick(at_ns),
        ]
        return self.dice.choice(words)

    def person(self, at_ns: int) -> e.Event:
        self.count += 1
        name, account = f"p{self.count}", ("paper", "op")
        bracket_id = self.dice.choice([*self.state.brackets, "nothing"])
        words: list[e.Event] = [
            e.IntentArrived(ReduceIntent(name, *account, bracket_id, D("0.5"), "", at_ns), at_ns),
            e.IntentArrived(CloseIntent(name, *account, bracket_id, "", at_ns), at_ns),
            e.IntentArrived(CancelIntent(name, *account, bracket_id, "", at_ns), at_ns),
            e.Halt(at_ns, "op", "enough", self.dice.choice(list(f.KillPolicy))),
            e.Resume(at_ns, "op", "fine"),
            e.Resume(at_ns, "op", "fine"),
        ]
        return self.dice.choice(words)


@pytest.mark.parametrize("odd", [0.0, 0.1], ids=["sound", "nonsense"])
@pytest.mark.parametrize("seed", range(40))
def test_whatever_a_venue_says_the_desk_goes_on_and_its_books_replay(seed: int, odd: float) -> None:
    Liar(seed, odd).live(120)
