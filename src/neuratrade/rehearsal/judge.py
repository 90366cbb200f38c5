"""What a rehearsal proves, judged from the exchange's own books and not from what the desk believes.

Doubled: an order that was sent twice, or entries filled beyond what was approved. Lost: what the exchange
has and the journal has not, or the other way round. Unprotected: a holding that no stop at the exchange
covers; time in which the exchange takes no orders at all does not count, for nobody could protect it then.
Blind: an entry approved on a price that was told longer ago than the desk may believe one.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

import msgspec

from neuratrade.core.engine.state import DeskState
from neuratrade.core.model import facts as f
from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.intent import OpenIntent
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.model.orders import OrderRole, OrderStatus, Side
from neuratrade.rehearsal.heard import Heard
from neuratrade.rehearsal.matching import MatchingEngine
from neuratrade.rehearsal.orders import Change

LOWEST = Decimal("0.9")
"""Of its entry, where the stop of a position may lie, and an order of it be worth that much less."""
LIMIT_S = 60.0
"""How long a holding may be without a stop while the exchange takes orders."""


class Spell(msgspec.Struct, frozen=True):
    """A time without protection. seconds: in which the exchange took orders. quantity: uncovered at most."""

    begin_ns: int
    seconds: float
    quantity: Decimal


class Watch:
    """Watches one contract at the exchange for holdings that no stop covers.

    takes_orders: whether the exchange does at all now. dust: what the desk has of it that no order could be
    made of; `judge` sees to it that it was no more than that.
    """

    def __init__(
        self,
        engine: MatchingEngine,
        contract: Instrument,
        now_ns: Callable[[], int],
        takes_orders: Callable[[], bool],
        dust: Callable[[], Decimal],
    ) -> None:
        self.spells: list[Spell] = []
        self.executions = 0
        self._engine = engine
        self.contract = contract
        self._now_ns = now_ns
        self._takes_orders = takes_orders
        self._dust = dust
        self._begin_ns: int | None = None
        self._seen_ns = 0
        self._counted_ns = 0
        self._most = ZERO
        engine.listen(self._on_change)

    def look(self) -> None:
        """Counts the time since it looked last; call it often."""
        now_ns = self._now_ns()
        if self._begin_ns is not None and self._takes_orders():
            self._counted_ns += now_ns - self._seen_ns
        self._seen_ns = now_ns
        bare = self.uncovered()
        if bare and self._begin_ns is None:
            self._begin_ns, self._counted_ns, self._most = now_ns, 0, ZERO
        elif not bare and self._begin_ns is not None:
            self.spells.append(Spell(self._begin_ns, self._counted_ns / NS_PER_SECOND, self._most))
            self._begin_ns = None
        self._most = max(self._most, abs(bare))

    def end(self) -> None:
        """Takes down what is uncovered still."""
        self.look()
        if self._begin_ns is not None:
            self.spells.append(Spell(self._begin_ns, self._counted_ns / NS_PER_SECOND, self._most))

    def held(self) -> Decimal:
        """Signed units at the exchange."""
        if self.contract.is_derivative:
            return self._engine.account.position(self.contract.key)
        return self._engine.account.balances.get(self.contract.base, ZERO)

    def uncovered(self) -> Decimal:
        """What is held and no waiting stop would take back; zero where that is too little for an order."""
        held = self.held()
        side = Side.SELL if held > 0 else Side.BUY
        covered = sum(
            (
                order.remaining
                for order in self._engine.open_orders(self.contract.key)
                if order.is_conditional and order.ticket.side is side
            ),
            ZERO,
        )
        bare = self.contract.round_quantity(max(abs(held) - covered - self._dust(), ZERO))
        return ZERO if self.is_too_little(bare) else bare

    def is_too_little(self, quantity: Decimal) -> bool:
        """Whether the exchange would take no order of that size."""
        quote = self._engine.quotes.get(self.contract.key)
        price = None if quote is None else quote.mid
        if price is None:
            return True
        return not quantity or self.contract.notional(quantity, price) < self.contract.min_notional

    def _on_change(self, change: Change) -> None:
        self.executions += change.execution is not None
        self.look()


class Verdict(msgspec.Struct, frozen=True):
    """What was found. findings: each thing that must not be, in words. stuck: plays that came to no end."""

    orders: int
    executions: int
    doubled: int
    lost: int
    unknown: int
    unknown_resolved: int
    unprotected_over_limit: int
    longest_unprotected_s: float
    findings: tuple[str, ...]
    stuck: int = 0
    blind: int = 0


def judge(
    facts: Sequence[f.Fact],
    state: DeskState,
    engine: MatchingEngine,
    submissions: Counter[str],
    watches: Sequence[Watch],
    limit_s: float = LIMIT_S,
    heard: Mapping[str, Heard] | None = None,
) -> Verdict:
    """Compares journal and exchange. submissions: how often each client id was sent.

    watches: of every contract. heard: of the market, by contract.
    """
    doubled = [f"order {coid} was sent {count} times" for coid, count in submissions.items() if count > 1]
    doubled += _beyond_approval(facts, engine)
    lost = _missing_executions(facts, engine) + _forgotten_orders(state, engine)
    lost += [found for watch in watches for found in _other_holdings(state, watch)]
    unknown = {fact.client_order_id for fact in facts if isinstance(fact, f.OrderUnknown)}
    unresolved = {
        coid for coid in unknown if coid in state.orders and state.orders[coid].status is OrderStatus.UNKNOWN
    }
    lost += _too_much_dust(facts, state)
    spells = [spell for watch in watches for spell in watch.spells]
    long = [spell for spell in spells if spell.seconds > limit_s]
    bare = [f"{spell.quantity} were without a stop for {spell.seconds:.1f} s" for spell in long]
    unclear = [f"nobody knows what became of order {coid}" for coid in sorted(unresolved)]
    blind = [] if heard is None else _blind_entries(facts, state, heard)
    return Verdict(
        orders=len(engine.orders),
        executions=len(engine.executions),
        doubled=len(doubled),
        lost=len(lost),
        unknown=len(unknown),
        unknown_resolved=len(unknown) - len(unresolved),
        unprotected_over_limit=len(long),
        longest_unprotected_s=round(max((spell.seconds for spell in spells), default=0.0), 3),
        findings=tuple(doubled + lost + bare + unclear + blind),
        blind=len(blind),
    )


def _too_much_dust(facts: Sequence[f.Fact], state: DeskState) -> list[str]:
    """Brackets that were closed as dust with more than dust in them."""
    instruments = {
        fact.intent.intent_id: state.instruments[fact.intent.instrument]
        for fact in facts
        if isinstance(fact, f.IntentJudged) and isinstance(fact.intent, OpenIntent)
    }
    return [
        f"bracket {fact.bracket_id} is over with {fact.dust} left of it"
        for fact in facts
        if isinstance(fact, f.BracketClosed)
        and not instruments[fact.bracket_id].is_dust(abs(fact.dust), fact.entry_price * LOWEST)
        and fact.dust
    ]


def _blind_entries(facts: Sequence[f.Fact], state: DeskState, heard: Mapping[str, Heard]) -> list[str]:
    """Entries that were approved on prices that were too old, or on none."""
    found = []
    for fact in facts:
        if isinstance(fact, f.IntentJudged) and fact.approved and isinstance(fact.intent, OpenIntent):
            age_ns = heard[fact.intent.instrument].price_age_ns(fact.at_ns)
            if age_ns is None or age_ns > state.limits.price_age_ns:
                old = (
                    "without any price"
                    if age_ns is None
                    else f"{age_ns / NS_PER_SECOND:.1f} s after the last"
                )
                found.append(f"{fact.intent.intent_id} was approved {old}")
    return found


def _beyond_approval(facts: Sequence[f.Fact], engine: MatchingEngine) -> list[str]:
    approved = {
        fact.envelope.bracket_id: fact.envelope.max_quantity
        for fact in facts
        if isinstance(fact, f.IntentJudged) and fact.envelope is not None
    }
    entered: dict[str, Decimal] = {}
    for fact in facts:
        if isinstance(fact, f.OrderPlanned) and fact.request.role is OrderRole.ENTRY:
            order = engine.find(fact.request.client_order_id)
            name = fact.request.bracket_id
            entered[name] = entered.get(name, ZERO) + (ZERO if order is None else order.filled)
    return [
        f"bracket {name} entered {quantity}, approved were {approved.get(name, ZERO)}"
        for name, quantity in entered.items()
        if quantity > approved.get(name, ZERO)
    ]


def _missing_executions(facts: Sequence[f.Fact], engine: MatchingEngine) -> list[str]:
    booked: Counter[str] = Counter()
    for fact in facts:
        if isinstance(fact, f.OrderFilled):
            booked[fact.fill.client_order_id] += 1
    made = Counter(done.client_id for done in engine.executions)
    return [
        f"order {coid}: {made[coid]} executions there, {booked[coid]} in the journal"
        for coid in {**made, **booked}
        if made[coid] != booked[coid]
    ]


def _forgotten_orders(state: DeskState, engine: MatchingEngine) -> list[str]:
    known = {coid for coid, order in state.orders.items() if order.is_live}
    there = {order.ticket.client_id for order in engine.open_orders()}
    found = [f"order {coid} works at the exchange and nobody knows" for coid in sorted(there - known)]
    return found + [f"order {coid} is waited for and is not there" for coid in sorted(known - there)]


def _other_holdings(state: DeskState, watch: Watch) -> list[str]:
    (account,) = state.accounts.values()
    mine = watch.contract.key
    here = sum((item.quantity for key, item in account.positions.items() if key == mine), ZERO)
    # A venue that tells no fees leaves them to be guessed: what is too little for an order is no holding.
    if watch.is_too_little(watch.held() - here):
        return []
    return [f"{watch.held()} of {mine} are held there, {here} in the books"]
