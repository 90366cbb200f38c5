"""What is looked at again as time passes, whatever was said: answers owed, and the venue's books.

An order that was sent and never answered, a cancel nobody confirmed, a fill the venue spoke of that never
came, books that were asked for: each is asked for again, and asking changes nothing.
"""

from neuratrade.core.engine.config import EngineConfig
from neuratrade.core.engine.doubt import need_not_wait
from neuratrade.core.engine.protection import guard
from neuratrade.core.engine.state import OrderState
from neuratrade.core.engine.turn import Turn
from neuratrade.core.model.market import NS_PER_HOUR, NS_PER_SECOND

OWED_AFTER_NS = 5 * NS_PER_SECOND
LONGEST_OWED_NS = 30 * NS_PER_SECOND
BOOKS_OWED_AFTER_NS = 10 * NS_PER_SECOND

LIVE_EVERY_NS, PAPER_EVERY_NS = 30 * NS_PER_SECOND, NS_PER_HOUR
"""How often books and venue are compared: where money is at stake, and where the venue is simulated."""


class Supervision:
    """Remembers what it asked for and when. Volatile: after a restart it asks anew."""

    def __init__(self, config: EngineConfig) -> None:
        self._every_ns = config.reconcile_every_ns
        self._asked: dict[str, int] = {}
        self._snapshot_ns = 0
        self._again_ns: dict[str, int] = {}
        self._owed_ns: dict[str, int] = {}

    def tick(self, turn: Turn) -> None:
        """Asks about what is owed, and for the venue's books when it is time."""
        if turn.state.orders:
            self._ask_for_answers(turn)
        if self._every_ns and turn.at_ns - self._snapshot_ns >= self._every_ns:
            self.compare_all(turn)
        elif self._again_ns or self._owed_ns:
            self._confirm(turn)

    def look_again(self, account_id: str, due_ns: int) -> None:
        """Something at a venue was seen once: its books are asked for again, not before `due_ns`."""
        self._again_ns.setdefault(account_id, due_ns)

    def answered(self, account_id: str) -> None:
        """The books of an account came."""
        self._owed_ns.pop(account_id, None)

    def _confirm(self, turn: Turn) -> None:
        due = {key for key, due_ns in self._again_ns.items() if due_ns <= turn.at_ns}
        due |= {key for key, due_ns in self._owed_ns.items() if due_ns <= turn.at_ns}
        for account_id in sorted(due):
            self.ask_for_books(turn, account_id)

    def ask_for_books(self, turn: Turn, account_id: str) -> None:
        """Asks for all that an account has, and again should nobody answer."""
        self._again_ns.pop(account_id, None)
        self._owed_ns[account_id] = turn.at_ns + BOOKS_OWED_AFTER_NS
        turn.take_snapshot(account_id)

    def compare_all(self, turn: Turn) -> None:
        """Asks every account's venue for its books."""
        self._snapshot_ns = turn.at_ns
        for account_id in turn.state.accounts:
            self.ask_for_books(turn, account_id)

    def _ask_for_answers(self, turn: Turn) -> None:
        owed = [order for order in turn.state.orders.values() if order.in_doubt]
        if not owed:
            self._asked.clear()
            return
        for order in owed:
            coid = order.request.client_order_id
            since_ns = max(order.planned_ns, order.asked_ns, self._asked.get(coid, 0))
            if turn.at_ns - since_ns < _patience_ns(turn, order):
                continue
            self._asked[coid] = turn.at_ns
            if order.asked == "cancel":
                turn.ask_again(order)
            elif order.asked == "amend":
                guard(turn, turn.state.brackets[order.request.bracket_id], anew=True)
            turn.look_up(order)


def _patience_ns(turn: Turn, order: OrderState) -> int:
    """How long after it was asked about an order is asked about again.

    More and more rarely where nothing waits for the answer: a venue that fails has no requests to spare.
    """
    bracket = turn.state.brackets[order.request.bracket_id]
    if order.unknown_ns is None or not need_not_wait(turn, bracket, order):
        return OWED_AFTER_NS
    return min(max((turn.at_ns - order.unknown_ns) // 2, OWED_AFTER_NS), LONGEST_OWED_NS)
