"""An engine whose venue is the test itself: every answer is given by hand, in any order, as late as wanted.

After each step the invariants are checked, and the facts so far are folded beside the live state.
"""

from neuratrade.core.engine.engine import Engine, Step
from neuratrade.core.engine.fold import apply
from neuratrade.core.engine.state import BracketPhase, BracketState, DeskState, OrderState, state_bytes
from neuratrade.core.model import commands as c
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.intent import OpenIntent
from neuratrade.core.model.market import NS_PER_MS, NS_PER_SECOND, Quote
from neuratrade.core.model.orders import OrderRole
from neuratrade.core.model.venue_rules import PAPER_RULES, VenueRules
from tests.simulation.invariants import check_state, check_step
from tests.simulation.world import PERP, T0, D, desk_engine, fill_of, run_started, warm_up


class Hand:
    """One engine, driven by hand. now_ns moves by `wait` alone."""

    def __init__(
        self,
        limits: dict[str, str] | None = None,
        *,
        checked: bool = True,
        rules: VenueRules = PAPER_RULES,
    ) -> None:
        self.rules = rules
        self.engine: Engine = desk_engine(rules=rules)
        self.now_ns = T0
        self.facts: list[f.Fact] = []
        self.commands: list[c.Command] = []
        self._checked = checked
        self._trades = 0
        self._twin = DeskState()
        self.step(run_started(limits))
        warm_up(self.engine)

    @property
    def state(self) -> DeskState:
        return self.engine.state

    @property
    def bracket(self) -> BracketState:
        """The only bracket there is."""
        (bracket,) = self.state.brackets.values()
        return bracket

    def leaving(self) -> bool:
        """Whether the only bracket is on its way out."""
        return self.bracket.phase is BracketPhase.EXITING

    @property
    def closed(self) -> f.BracketClosed:
        """How the last bracket ended."""
        return [fact for fact in self.facts if isinstance(fact, f.BracketClosed)][-1]

    def step(self, event: e.Event) -> Step:
        """Steps the engine and holds it to its invariants."""
        return self._taken(self.engine.step(event))

    def recover(self) -> Step:
        """Steps the engine as after a restart."""
        step = self._taken(self.engine.recover(self.now_ns))
        assert any(isinstance(item, c.TakeSnapshot) for item in step.commands)
        return Step(step.facts, self.commands)

    def crash_after(self, kind: type[f.Fact]) -> None:
        """Forgets all that came after the last fact of this kind, as a crash would, and starts anew."""
        last = max(place for place, fact in enumerate(self.facts) if isinstance(fact, kind))
        self.facts = self.facts[: last + 1]
        state, self._twin = DeskState(), DeskState()
        for fact in self.facts:
            apply(state, fact)
            apply(self._twin, fact)
        self.engine = desk_engine(state, rules=self.rules)
        warm_up(self.engine)

    def _taken(self, step: Step) -> Step:
        self.facts += step.facts
        self.commands = [item for item in step.commands if not isinstance(item, c.TakeSnapshot)]
        for fact in step.facts:
            apply(self._twin, f.decode_fact(f.encode_fact(fact)))
        assert state_bytes(self._twin) == state_bytes(self.state)
        if self._checked:
            check_state(self.state)
            check_step(step, self.state)
        return step

    def wait(self, ms: int) -> None:
        """Lets time pass and fires what came due, in order."""
        until_ns = self.now_ns + ms * NS_PER_MS
        while (due_ns := self.state.next_timer_ns) is not None and due_ns <= until_ns:
            timers = self.state.timers
            name = min(timers, key=lambda item: (timers[item], item))
            self.now_ns = max(due_ns, self.now_ns)
            self.step(f.TimerFired(self.now_ns, name))
        self.now_ns = until_ns

    def tick(self) -> Step:
        """A clock tick: marks and governors."""
        return self.step(e.ClockTick(self.now_ns))

    def propose(self, proposal: OpenIntent) -> None:
        """Sends an intent that must pass the gate."""
        step = self.step(e.IntentArrived(proposal, self.now_ns))
        judged = next(fact for fact in step.facts if isinstance(fact, f.IntentJudged))
        assert judged.approved, [layer for layer in judged.layers if layer.verdict.blocks]

    def quote(self, bid: D | int | str, ask: D | int | str | None = None) -> Step:
        """A quote of the perpetual; without `ask` the spread is one tick."""
        low = D(bid)
        high = low + PERP.tick if ask is None else D(ask)
        return self.step(Quote(PERP.key, self.now_ns, low, high, D(100), D(100)))

    def order(self, role: OrderRole) -> OrderState:
        """The newest order of a role."""
        bracket = self.bracket
        by_role = {
            OrderRole.ENTRY: bracket.entry_order,
            OrderRole.STOP: bracket.stop_orders[-1] if bracket.stop_orders else None,
            OrderRole.TARGET: bracket.exit_order,
            OrderRole.EXIT: bracket.exit_order,
        }
        order = self.state.orders[by_role[role] or ""]
        assert order.request.role is role
        return order

    def coid(self, role: OrderRole) -> str:
        return self.order(role).request.client_order_id

    # what the venue says

    def accept(self, role: OrderRole) -> Step:
        coid = self.coid(role)
        return self.step(f.OrderAccepted(self.now_ns, coid, f"V{coid[:8]}"))

    def fill(
        self,
        role: OrderRole,
        quantity: D | int | str,
        price: D | int | str,
        fee: D | int | str = 0,
        currency: str = "USDT",
    ) -> Step:
        self._trades += 1
        request = self.order(role).request
        trade_id = f"t{self._trades}"
        fill = fill_of(request, quantity, price, trade_id, self.now_ns, fee, currency)
        return self.step(f.OrderFilled(self.now_ns, fill))

    def cancelled(self, role: OrderRole) -> Step:
        return self.step(f.OrderCancelled(self.now_ns, self.coid(role), "asked"))

    def expired(self, role: OrderRole) -> Step:
        return self.step(f.OrderExpired(self.now_ns, self.coid(role)))

    def rejected(self, role: OrderRole) -> Step:
        return self.step(f.OrderRejected(self.now_ns, self.coid(role), "no"))

    def not_found(self, role: OrderRole) -> Step:
        return self.step(f.OrderNotFound(self.now_ns, self.coid(role)))

    def gone(self, role: OrderRole) -> Step:
        """Two look-ups, far enough apart, do not find it."""
        coid = self.coid(role)
        self.step(f.OrderNotFound(self.now_ns, coid))
        self.wait(2000)
        return self.step(f.OrderNotFound(self.now_ns, coid))

    def refused(self, role: OrderRole) -> Step:
        """The venue refuses the cancel or amend that is under way."""
        return self.step(f.RequestRejected(self.now_ns, self.coid(role), "no"))

    def unknown(self, role: OrderRole) -> Step:
        return self.step(f.OrderUnknown(self.now_ns, self.coid(role), "timeout"))

    def amended(self, role: OrderRole, quantity: D | int | str, stop: D | int | str) -> Step:
        return self.step(f.OrderAmended(self.now_ns, self.coid(role), D(quantity), D(stop)))

    # common beginnings

    def enter(self, proposal: OpenIntent, price: D | int | str = 100) -> None:
        """Opens and fills a bracket whole; its stop works."""
        self.propose(proposal)
        self.accept(OrderRole.ENTRY)
        self.fill(OrderRole.ENTRY, proposal.quantity or 1, price)
        self.accept(OrderRole.STOP)
        assert self.bracket.protected

    def enter_by_halves(self, proposal: OpenIntent, price: D | int | str = 100) -> None:
        """Fills an entry in two halves; the stop guards the first, and is asked to guard both."""
        half = (proposal.quantity or D(1)) / 2
        self.propose(proposal)
        self.accept(OrderRole.ENTRY)
        self.fill(OrderRole.ENTRY, half, price)
        self.accept(OrderRole.STOP)
        self.fill(OrderRole.ENTRY, half, price)
        assert self.order(OrderRole.STOP).asked == "amend"

    def seconds(self, count: float) -> None:
        """Waits that many seconds."""
        self.wait(round(count * NS_PER_SECOND / NS_PER_MS))
