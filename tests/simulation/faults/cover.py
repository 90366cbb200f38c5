"""The judge of protection: every filled unit is guarded in time, or on its way out.

What a word leaves bare waits for an answer about a stop, and a bracket that is bare longer than the protect
timeout is leaving. Time in which a fault keeps words about its orders away does not count, but no longer
than two looks at the venue's books take; nor does time in which its market is closed.
"""

from collections.abc import Sequence

from neuratrade.core.engine.cover import PROTECT_TIMEOUT_NS
from neuratrade.core.engine.state import BracketPhase, BracketState, DeskState
from neuratrade.core.model import facts as f
from neuratrade.core.model.intent import Stop
from neuratrade.core.model.market import NS_PER_MS, NS_PER_SECOND
from neuratrade.core.model.orders import OrderRole
from tests.simulation.dust import orderable
from tests.simulation.faults.truth import ZERO, BrokenPromise
from tests.simulation.faults.venue import FaultyVenue

GRACE_NS = 1500 * NS_PER_MS
LONGEST_LOOK_NS = 2 * NS_PER_SECOND
"""More than this between two looks is a leap of the clock, not time that passed."""
WORDS = (
    f.OrderAccepted,
    f.OrderFilled,
    f.OrderCancelled,
    f.OrderExpired,
    f.OrderRejected,
    f.OrderAmended,
    f.FillCorrected,
)


LEAVING = (OrderRole.EXIT, OrderRole.TARGET)


class Cover:
    """Remembers since when what is bare is bare.

    starting: the desk has not recovered yet, so it can have done nothing about it.
    """

    def __init__(self, venue: FaultyVenue) -> None:
        self.venue = venue
        self.starting = False
        self._bare_ns: dict[str, int] = {}
        self._looked_ns = 0

    def check(self, state: DeskState, facts: Sequence[f.Fact], now_ns: int) -> None:
        """Holds the desk to it after an event. Raises BrokenPromise."""
        for fact in facts:
            if isinstance(fact, WORDS):
                coid = fact.fill.client_order_id if isinstance(fact, f.OrderFilled) else fact.client_order_id
                self._check_worked_at(state, coid)
            elif isinstance(fact, f.ProtectionChanged) and fact.protected:
                self._note_covered(state, facts, fact.bracket_id)
        if not self.starting and now_ns - self._looked_ns >= NS_PER_SECOND:
            self._check_cover(state, now_ns)

    def _check_worked_at(self, state: DeskState, coid: str) -> None:
        """What a word left bare waits for an answer about a stop: nobody waits for the timeout to notice."""
        order = state.orders.get(coid)
        bracket = None if order is None else state.brackets[order.request.bracket_id]
        if bracket is None or bracket.phase is not BracketPhase.OPEN or _is_leaving(state, bracket):
            return
        rests = self.venue.rules.rests_stops and isinstance(bracket.intent.protection, Stop)
        rests = rests and bracket.intent.instrument not in state.shut
        contract = state.instruments[bracket.intent.instrument]
        wanted = orderable(contract, bracket) if bracket.held > 0 else ZERO
        if not rests or wanted == 0:
            return
        stops = [state.orders[coid] for coid in bracket.stop_orders if state.orders[coid].is_live]
        if any(item.in_doubt or item.triggered_ns is not None for item in stops):
            return
        ways_out = [item for item in state.orders.values() if item.request.bracket_id == bracket.bracket_id]
        if any(item.is_live and item.request.role in LEAVING for item in ways_out):
            # One that was denied has turned up and is taken away: no stop rests beside what may still sell.
            return
        cover = sum((item.remaining for item in stops), ZERO)
        if cover < wanted:
            raise BrokenPromise(
                f"2: {bracket.bracket_id} has {cover} of {wanted} covered, and nothing is asked for"
            )

    def _check_cover(self, state: DeskState, now_ns: int) -> None:
        passed_ns = min(now_ns - self._looked_ns, LONGEST_LOOK_NS)
        # The clock leapt: what came due meanwhile is only about to be done.
        leapt = now_ns - self._looked_ns > LONGEST_LOOK_NS
        self._looked_ns = now_ns
        for bracket_id in [key for key in self._bare_ns if key not in state.brackets]:
            del self._bare_ns[bracket_id]
        for bracket_id, bracket in state.brackets.items():
            if self._is_covered(state, bracket) or _is_leaving(state, bracket):
                self._bare_ns.pop(bracket_id, None)
                continue
            holding = self.venue.holdings.get(bracket_id)
            excused = holding is not None and any(item.is_excused(now_ns) for item in holding.orders)
            # Nothing can be placed or left while the market is closed: that gap has to be borne.
            shut = bracket.intent.instrument in (state.shut | self.venue.shut)
            if excused or shut or not self.venue.listening:
                self._bare_ns.pop(bracket_id, None)
                continue
            bare_ns = self._bare_ns.get(bracket_id, -passed_ns) + passed_ns
            self._bare_ns[bracket_id] = bare_ns
            if bare_ns > PROTECT_TIMEOUT_NS + GRACE_NS and not leapt:
                raise BrokenPromise(f"2: {bracket_id} is bare for {bare_ns / 1e9:.1f} s and not leaving")

    def _note_covered(self, state: DeskState, facts: Sequence[f.Fact], bracket_id: str) -> None:
        """Cover that lasts less than a second is cover: what is bare after it is bare anew.

        So is the venue's word that it took a stop, though it refuses it a moment later: the desk gives up
        after a few of those.
        """
        bracket = state.brackets.get(bracket_id)
        if bracket is None:
            return
        taken = {fact.client_order_id for fact in facts if isinstance(fact, f.OrderAccepted)}
        if self._is_covered(state, bracket) or not taken.isdisjoint(bracket.stop_orders):
            self._bare_ns.pop(bracket_id, None)

    def _is_covered(self, state: DeskState, bracket: BracketState) -> bool:
        contract = state.instruments[bracket.intent.instrument]
        sellable = orderable(contract, bracket)
        if sellable == 0 or not isinstance(bracket.intent.protection, Stop):
            return True
        if not self.venue.rules.rests_stops:
            return bracket.phase is BracketPhase.OPEN
        holding = self.venue.holdings.get(bracket.bracket_id)
        if holding is None:
            return False
        cover = sum(
            (
                item.remaining
                for item in holding.orders
                if item.live and item.request.role is OrderRole.STOP and not item.triggered
            ),
            ZERO,
        )
        return cover >= sellable


def _is_leaving(state: DeskState, bracket: BracketState) -> bool:
    name = bracket.bracket_id
    asked = any(key.startswith("exit-") and key.endswith(name) for key in state.timers)
    return asked or bracket.phase is BracketPhase.EXITING
