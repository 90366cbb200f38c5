"""The reconciler: compares our books with what a venue says it has, and never invents a fill.

It holds no sending tool. What it finds becomes venue events that really are the venue's (adopted), facts
that write down what cannot be explained (quarantined), looks again, and guards that go through the same
door as everything else. One look at money or holdings proves nothing: a difference counts when two looks in
a row show it, the second asked for well after the first; and nothing is compared where an answer is owed.
"""

from decimal import Decimal

from neuratrade.core.engine import brackets as rules
from neuratrade.core.engine.answers import take_answer
from neuratrade.core.engine.differences import Difference, balances_compared, holdings, position_difference
from neuratrade.core.engine.governors import move
from neuratrade.core.engine.markets import Markets
from neuratrade.core.engine.sightings import SETTLE_NS, Sightings, take_fills, take_orders
from neuratrade.core.engine.state import AccountState, DeskState
from neuratrade.core.engine.turn import Turn
from neuratrade.core.model import facts as f
from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.events import VenueSnapshot
from neuratrade.core.model.facts import QuarantineKind
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.model.orders import OrderRole, OrderStatus

CONFIRM_NS = 5 * NS_PER_SECOND
"""How long after a difference was first seen the look that confirms it has to be asked for."""

GOVERNOR, SETTLED = "reconcile", "reconciled"
OURS = "ours"


class Reconciler:
    """Remembers what differed at the last look, since one look proves nothing. Volatile.

    tolerance_fraction: how far a balance may differ, of the greater amount.
    """

    def __init__(self, tolerance_fraction: Decimal = ZERO) -> None:
        self._tolerance_fraction = tolerance_fraction
        self._since_ns = 0
        self._newest_ns: dict[str, int] = {}
        self._first_ns: dict[tuple[str, str, int], int] = {}
        self._unseen: dict[str, set[str]] = {}

    def begin(self, at_ns: int) -> None:
        """A desk begins afresh: what strangers traded before is foreign, not unexplained."""
        self._since_ns = at_ns

    def compare(self, turn: Turn, snapshot: VenueSnapshot, markets: Markets) -> bool:
        """Compares one account; True where another look is needed soon to be sure."""
        account_id = snapshot.account_id
        strange = take_fills(turn, snapshot, markets, self._since_ns)
        asked_ns = min(snapshot.asked_ns, turn.at_ns)
        if asked_ns < self._newest_ns.get(account_id, 0):
            # A later look was compared already: of this one only the executions are news.
            return False
        self._newest_ns[account_id] = asked_ns
        look = _Look(turn, snapshot, turn.state.accounts[account_id], asked_ns, self._first_ns)
        look.found.extend(item.sentence for item in strange)
        seen = take_orders(turn, snapshot, markets, asked_ns)
        look.weigh_orders(seen, markets)
        if _is_settled(turn, look.account, asked_ns):
            agreed = look.weigh_positions(seen.unproven, self._unseen)
            if not seen.unproven:
                look.weigh_balances(agreed, self._tolerance_fraction)
        look.conclude()
        for bracket in list(turn.state.brackets.values()):
            if bracket.intent.account_id == account_id:
                rules.go_on(turn, bracket)
        return look.owed


def settle(turn: Turn) -> None:
    """Lifts what the reconciler keeps the desk from once no balance is in quarantine any more."""
    state = turn.state
    money = any(item.kind is QuarantineKind.BALANCE for item in state.quarantine.values())
    if money or state.latched or state.governor != GOVERNOR:
        return
    move(turn, f.TradingState.RUNNING, SETTLED, "the balances are settled", "", "", latched=False)


def _is_settled(turn: Turn, account: AccountState, asked_ns: int) -> bool:
    """Whether nothing was booked that the snapshot may not know. A time far ahead is a wrong clock's."""
    return not asked_ns - SETTLE_NS < account.filled_ns <= turn.at_ns + SETTLE_NS


class _Look:
    """One comparison. found: sentences that hold. checked: subjects this look could tell of.

    owed: something was seen that another look has to confirm.
    """

    def __init__(
        self,
        turn: Turn,
        snapshot: VenueSnapshot,
        account: AccountState,
        asked_ns: int,
        first_ns: dict[tuple[str, str, int], int],
    ) -> None:
        self.turn = turn
        self.snapshot = snapshot
        self.account = account
        self.account_id = snapshot.account_id
        self.before = account.differences
        self.found: list[str] = []
        self.checked: set[str] = set()
        self.agreed: set[str] = set()
        self.owed = False
        self._asked_ns = asked_ns
        self._first_ns = first_ns
        self._both_lists = snapshot.plain is not None and snapshot.conditional is not None

    def _confirms(self, subject: str, amount: Decimal, sentence: str = "") -> bool:
        """Whether this is the second look in a row at the same thing; the first one is remembered."""
        self.checked.add(subject)
        sign = 1 if amount > 0 else -1
        self._first_ns.pop((self.account_id, subject, -sign), None)
        first_ns = self._first_ns.setdefault((self.account_id, subject, sign), self.turn.at_ns)
        sure = sentence in self.before or self._asked_ns - first_ns >= CONFIRM_NS
        self.owed |= not sure
        return sure

    def _agrees(self, subject: str) -> None:
        self.checked.add(subject)
        self.agreed.add(subject)
        for sign in (-1, 1):
            self._first_ns.pop((self.account_id, subject, sign), None)

    def weigh_orders(self, seen: Sightings, markets: Markets) -> None:
        """Quarantines what is not ours, once; what is ours and should be gone is cancelled again."""
        for difference in seen.strange:
            self._hold(difference)
        subjects: set[str] = set()
        for order, item in seen.revenants:
            coid = order.request.client_order_id
            sentence = f"{OURS} {coid}: works at the venue, but is over in our books"
            subjects.add(f"{OURS} {coid}")
            if not self._confirms(f"{OURS} {coid}", ZERO, sentence):
                self.turn.look_up(order)
            elif order.status is OrderStatus.REJECTED and order.missed_ns is not None:
                accepted = f.OrderAccepted(self.snapshot.at_ns, coid, item.venue_order_id)
                take_answer(self.turn, accepted, markets)
                if order.request.role is OrderRole.ENTRY:
                    # Nobody waits for it any more, and what would have ended it in time is forgotten.
                    self.turn.cancel(order, "it was thought not to be there")
            else:
                self.found.append(sentence)
                self.turn.ask_again(order)
        if self._both_lists:
            self._lift_orders({item.reference for item in seen.strange})
            for subject in [key[1] for key in self._first_ns if key[0] == self.account_id]:
                if subject.startswith(f"{OURS} ") and subject not in subjects:
                    self._agrees(subject)

    def _lift_orders(self, listed: set[str]) -> None:
        """Lifts what was an unknown order and is gone: two looks have to miss it."""
        for kept in list(self.turn.state.quarantine.values()):
            mine = kept.account_id == self.account_id and kept.kind is QuarantineKind.ORDER
            subject = f"gone {kept.reference}"
            if not mine:
                continue
            if kept.reference in listed:
                self._agrees(subject)
            elif self._confirms(subject, ZERO):
                self._lift(kept, "it is not at the venue any more")

    def weigh_positions(self, unproven: set[str], unseen: dict[str, set[str]]) -> set[str]:
        """Holds positions against the books; the instruments where both agree in the end.

        unseen: by account, instruments that no look since the start could tell of.
        """
        agreed: set[str] = set()
        if self.snapshot.positions is None:
            return agreed
        begins = self.account_id not in unseen
        waiting = unseen.setdefault(self.account_id, set())
        for holding in holdings(self.turn.state, self.account, self.snapshot.positions):
            key = holding.instrument
            if key in unproven:
                if begins:
                    waiting.add(key)
                continue
            at_start = begins or key in waiting
            waiting.discard(key)
            difference = position_difference(self.turn.state, self.account, holding)
            if holding.unexplained and holding.lacks_ours:
                if self._confirms(difference.subject, holding.unexplained, difference.sentence):
                    self._hold(difference)
                continue
            if holding.unexplained:
                if not at_start and not self._confirms(difference.subject, holding.unexplained):
                    continue
                self.turn.record(f.ForeignSeen(self.turn.at_ns, self.account_id, key, holding.rest))
            self._agrees(difference.subject)
            agreed.add(key)
        return agreed

    def weigh_balances(self, agreed: set[str], tolerance_fraction: Decimal) -> None:
        """Holds money against the books, currency by currency."""
        balances = self.snapshot.balances
        if balances is None:
            return
        state = self.turn.state
        for subject, difference in balances_compared(
            state, self.account, balances, agreed, tolerance_fraction, self.snapshot.costs
        ):
            if difference is None:
                self._agrees(subject)
            elif self._confirms(difference.subject, difference.amount, difference.sentence):
                self._hold(difference)

    def _hold(self, difference: Difference) -> None:
        """A difference that holds: written down, and quarantined unless a person settled just this one."""
        self.found.append(difference.sentence)
        self.checked.add(difference.subject)
        if difference.sentence in self.before:
            return
        turn = self.turn
        if difference.reference not in turn.state.quarantine:
            turn.record(
                f.Quarantined(
                    turn.at_ns,
                    self.account_id,
                    difference.kind,
                    difference.reference,
                    difference.instrument,
                    difference.detail,
                )
            )
        if difference.kind is QuarantineKind.POSITION:
            reason = f"{difference.instrument}: something of ours may be gone ({difference.about})"
            move(turn, f.TradingState.HALTED, GOVERNOR, reason, difference.detail, "", latched=True)

    def _lift(self, kept: f.Quarantined, reason: str) -> None:
        self.turn.record(
            f.QuarantineLifted(self.turn.at_ns, self.account_id, kept.reference, "reconciler", reason)
        )

    def conclude(self) -> None:
        """Lifts what agrees again, writes down what differs now, and holds the desk back while money does."""
        turn = self.turn
        for kept in list(turn.state.quarantine.values()):
            if kept.account_id == self.account_id and f"{kept.kind.value} {kept.reference}" in self.agreed:
                self._lift(kept, "books and venue agree again")
        kept_on = [item for item in self.before if not self._could_tell(item)]
        differences = tuple(sorted({*self.found, *kept_on}))
        if differences != self.before:
            turn.record(f.Reconciled(turn.at_ns, self.account_id, differences))
        unsettled = _balances_in_quarantine(turn.state, self.account_id)
        if unsettled and turn.state.trading_state is f.TradingState.RUNNING:
            reason = f"balances differ from the venue's: {', '.join(unsettled)}"
            move(turn, f.TradingState.REDUCING, GOVERNOR, reason, str(len(unsettled)), "0", latched=False)
        settle(turn)

    def _could_tell(self, sentence: str) -> bool:
        """Whether this look knew enough to say that a difference is over."""
        kind = sentence.partition(" ")[0]
        if kind == QuarantineKind.FILL.value:
            return True
        if kind in (QuarantineKind.ORDER.value, OURS):
            return self._both_lists
        return any(sentence.startswith(f"{subject}: ") for subject in self.checked)


def _balances_in_quarantine(state: DeskState, account_id: str) -> list[str]:
    return sorted(
        item.reference
        for item in state.quarantine.values()
        if item.account_id == account_id and item.kind is QuarantineKind.BALANCE
    )
