"""Faults that are planned: each waits a while for the state of a bracket it is to meet, then strikes."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.account import PositionMode
from neuratrade.core.model.market import NS_PER_MINUTE, NS_PER_MS, NS_PER_SECOND, Quote
from neuratrade.core.model.orders import Side
from tests.simulation.faults.kinds import CRASHES, Fault, moments
from tests.simulation.faults.traits import INSTRUMENTS, MARKETS, plan_of
from tests.simulation.faults.truth import Execution
from tests.simulation.world import PERP, SPOT

if TYPE_CHECKING:
    from tests.simulation.faults.life import Life

D = Decimal
WAIT_NS = 15 * NS_PER_SECOND
STALL_SEEN_NS = 20 * NS_PER_SECOND
"""How long a feed is silent before the desk's watch over it says so."""


class Crash(Exception):
    """The process is gone."""


class Strikes:
    """The plan of one life, and what it set going until it is over again. armed: a crash that is due."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._rng = life.rng
        self._plan = plan_of(life.rng, life.traits)
        self.armed: Fault | None = None
        self._disk_free_ns = 0
        self._online_ns = 0
        self._skew_until_ns = 0
        self._stall_ns = 0
        self._stalled = False
        self._minute_ns = 0
        self._sessions: list[tuple[int, str, bool, bool]] = []

    @property
    def is_silent(self) -> bool:
        """Whether no stream speaks: neither prices nor executions come, only answers to questions."""
        return self._life.venue.silent_until_ns > self._life.now_ns

    def forget(self) -> None:
        """The process died: what was to be done to it is over."""
        self.armed = None
        self._stall_ns, self._stalled = 0, False

    def end_all(self) -> None:
        """From now on everything is well."""
        life = self._life
        self._plan, self.armed = [], None
        now_ns = life.now_ns
        self._disk_free_ns = self._disk_free_ns and now_ns
        self._online_ns = self._online_ns and now_ns
        life.venue.skew_ns = 0
        life.venue.silent_until_ns = min(life.venue.silent_until_ns, now_ns)
        self._sessions = [(now_ns, key, is_open, told) for _, key, is_open, told in self._sessions]

    def look_after(self) -> None:
        """Ends what is over by now."""
        life, venue = self._life, self._life.venue
        if self._disk_free_ns and life.now_ns >= self._disk_free_ns:
            life.disk.full = False
            self._disk_free_ns = 0
        if not life.disk.full and life.desk.disk_recorder.diverted:
            life.desk.disk_recorder.return_to_journal()
            life.desk.flush()
        if self._online_ns and life.now_ns >= self._online_ns:
            self._online_ns = 0
            venue.connect()
            life.desk.take(e.ConnectionChanged("paper", life.now_ns, connected=True))
        if venue.skew_ns and life.now_ns >= self._skew_until_ns:
            venue.skew_ns = 0
        self._move_sessions()
        self._watch_feeds()

    def tell_sessions(self) -> None:
        """A desk that starts reads its calendar."""
        life = self._life
        true = [item for item in self._sessions if not item[3]]
        self._sessions = sorted([*true, *((due_ns, key, is_open, True) for due_ns, key, is_open, _ in true)])
        for contract in MARKETS:
            is_open = contract.key not in life.venue.shut
            life.desk.take(f.SessionMoved(life.now_ns, contract.key, is_open))

    def _move_sessions(self) -> None:
        life = self._life
        due = [item for item in self._sessions if item[0] <= life.now_ns]
        self._sessions = [item for item in self._sessions if item[0] > life.now_ns]
        # The truth first: the desk may crash over what it is told.
        for _, key, is_open, is_told in sorted(due, key=lambda item: item[3]):
            if is_told:
                life.desk.take(f.SessionMoved(life.now_ns, key, is_open))
            elif is_open:
                life.venue.shut.discard(key)
            else:
                life.venue.shut.add(key)

    def _watch_feeds(self) -> None:
        life = self._life
        if self._stall_ns and life.now_ns >= self._stall_ns:
            self._stall_ns, self._stalled = 0, True
            self._say_stalled(stalled=True)
        if self._stalled and not self.is_silent:
            self._stalled = False
            self._say_stalled(stalled=False)
        if self.is_silent and life.now_ns >= self._minute_ns:
            self._minute_ns = life.now_ns + NS_PER_MINUTE
            life.note_all(Fault.STREAM_SILENT)

    def _say_stalled(self, *, stalled: bool) -> None:
        for contract in MARKETS:
            self._life.desk.take(e.FeedStalled(self._life.now_ns, contract.key, stalled))

    def strike(self) -> None:
        """Does what is next in the plan, if its time has come."""
        if not self._plan:
            return
        due_ns, fault, wanted = self._plan[0]
        now_ns = self._life.now_ns
        if now_ns < due_ns:
            return
        there = moments(self._life.desk.engine.state)
        if wanted not in there.values() and now_ns < due_ns + WAIT_NS:
            return
        self._plan.pop(0)
        self._do(fault, [key for key, where in there.items() if where is wanted])

    def _do(self, fault: Fault, chosen: list[str]) -> None:
        life, venue, rng = self._life, self._life.venue, self._rng
        if fault in CRASHES:
            self._arm(fault)
        elif fault is Fault.DISCONNECTED and venue.listening:
            life.note_all(fault)
            venue.cut()
            self._online_ns = life.now_ns + rng.choice((500, 3000, 12000)) * NS_PER_MS
            life.desk.take(e.ConnectionChanged("paper", life.now_ns, connected=False))
        elif fault is Fault.VENUE_RESTARTED:
            life.note_all(fault)
            venue.restart()
        elif fault in (Fault.FILL_CORRECTED, Fault.FILL_BUSTED):
            self._correct(chosen, bust=fault is Fault.FILL_BUSTED)
        elif fault is Fault.BAD_TICK:
            self._bad_tick(chosen)
        elif fault is Fault.LIQUIDATED:
            self._liquidate(chosen)
        elif fault is Fault.SESSION_SHUT:
            self._shut(chosen)
        elif fault is Fault.TRADED_BY_HAND:
            self._trade_by_hand(chosen)
        elif fault is Fault.STREAM_SILENT:
            venue.silent_until_ns = life.now_ns + rng.choice((16, 18, 22)) * NS_PER_MINUTE
            self._stall_ns = life.now_ns + STALL_SEEN_NS
        elif fault in (Fault.FROZEN, Fault.CLOCK_BACK):
            self._move_clock(fault)
        elif fault is Fault.DISK_FULL:
            life.note_all(fault)
            life.disk.full = True
            self._disk_free_ns = life.now_ns + rng.choice((500, 4000, 15000)) * NS_PER_MS

    def _move_clock(self, fault: Fault) -> None:
        """Forward with what came meanwhile waiting at the door, or back for a while."""
        life, venue = self._life, self._life.venue
        life.note_all(fault)
        if fault is Fault.CLOCK_BACK:
            venue.skew_ns = self._rng.choice((50, 1000, 5000)) * NS_PER_MS
            self._skew_until_ns = life.now_ns + 3 * NS_PER_SECOND
            return
        by_ns = self._rng.choice((3, 20, 60, 240)) * NS_PER_SECOND
        life.now_ns += by_ns
        venue.postpone(by_ns)
        venue.now_ns = life.now_ns

    def _arm(self, fault: Fault) -> None:
        if not self._life.crashes_as_seeded:
            return
        if fault is Fault.CRASH_IDLE:
            self._life.note_all(fault)
            raise Crash
        self.armed = fault

    def _correct(self, chosen: list[str], *, bust: bool) -> None:
        venue = self._life.venue
        done = [
            item
            for bracket_id in chosen
            for order in (venue.holdings[bracket_id].orders if bracket_id in venue.holdings else ())
            for item in order.executions.values()
            if item.told
            and item.quantity
            and not item.corrected
            # What a liquidation closed was there: it is not busted before the desk was told of that.
            and item.fill.instrument not in venue.latched
        ]
        if done:
            chosen_one: Execution = self._rng.choice(done)
            venue.correct(chosen_one, bust=bust)

    def _instrument_of(self, chosen: list[str]) -> str:
        state = self._life.desk.engine.state
        names = [state.brackets[key].intent.instrument for key in chosen if key in state.brackets]
        return self._rng.choice(names) if names else PERP.key

    def _note_there(self, fault: Fault, instrument: str) -> None:
        """Counts a fault that struck every bracket of one instrument."""
        life = self._life
        state = life.desk.engine.state
        for key, where in moments(state).items():
            bracket = state.brackets.get(key) or state.closed[key].bracket
            if bracket.intent.instrument == instrument:
                life.outcome.faults[fault.value, where.value] += 1
        life.say(f"  !! {fault.value} in {instrument}")

    def _bad_tick(self, chosen: list[str]) -> None:
        life = self._life
        contract = INSTRUMENTS[self._instrument_of(chosen)]
        wrong = contract.round_price(
            D(repr(life.prices[contract.key] * self._rng.choice((0.01, 0.5, 0.8, 1.3, 10))))
        )
        self._note_there(Fault.BAD_TICK, contract.key)
        at_ns = life.now_ns - life.venue.skew_ns
        life.desk.tick(Quote(contract.key, at_ns, wrong, wrong + contract.tick, D(1), D(1)))

    def _shut(self, chosen: list[str]) -> None:
        """A market closes and opens again; the desk's calendar is a little early or late at both."""
        rng, now_ns = self._rng, self._life.now_ns
        key = self._instrument_of(chosen)
        if key in self._life.venue.shut or any(item[1] == key for item in self._sessions):
            return
        self._note_there(Fault.SESSION_SHUT, key)
        opens_ns = now_ns + rng.choice((6, 25, 70)) * NS_PER_SECOND
        for due_ns, is_open in ((now_ns, False), (opens_ns, True)):
            early = rng.choice((0, 0, 1500, 4000)) * NS_PER_MS
            told_ns, true_ns = (due_ns, due_ns + early) if rng.random() < 0.5 else (due_ns + early, due_ns)
            self._sessions += [(told_ns, key, is_open, True), (true_ns, key, is_open, False)]
        self._sessions.sort()
        self._move_sessions()

    def _trade_by_hand(self, chosen: list[str]) -> None:
        rng, life = self._rng, self._life
        stranger = life.venue.stranger
        key = self._instrument_of(chosen)
        contract = INSTRUMENTS[key]
        if key not in life.venue.prices:
            return
        bid, ask = life.venue.prices[key]
        self._note_there(Fault.TRADED_BY_HAND, key)
        held = stranger.held.get(key, D(0))
        if held and rng.random() < 0.5:
            side, quantity = (Side.SELL if held > 0 else Side.BUY), abs(held)
        else:
            # Nobody can sell what is not there; of what is ours he keeps his hands off.
            side = Side.BUY if contract.key == SPOT.key else rng.choice(tuple(Side))
            quantity = contract.round_quantity(D(repr(rng.uniform(0.5, 6)))) or contract.lot
        stranger.trade(key, side, quantity, ask if side is Side.BUY else bid, life.now_ns)
        if rng.random() < 0.5:
            stranger.rest(key, side, quantity)
        elif rng.random() < 0.5:
            stranger.withdraw()

    def _liquidate(self, chosen: list[str]) -> None:
        state, venue = self._life.desk.engine.state, self._life.venue
        there = moments(state)
        for bracket_id in [*chosen, *state.brackets]:
            bracket = state.brackets.get(bracket_id)
            if bracket is None or not venue.listening:
                continue
            instrument, direction = bracket.intent.instrument, bracket.intent.direction
            if instrument == SPOT.key or venue.untold(instrument) or instrument in venue.latched:
                continue
            mode = venue.account.mode
            key = instrument if mode is PositionMode.NET else f"{instrument}/{direction.value}"
            net = venue.positions.get(key, D(0))
            if net * direction.sign <= 0:
                continue
            quantity = INSTRUMENTS[instrument].round_quantity(abs(net) * self._rng.choice((D(1), D("0.5"))))
            if quantity:
                near = [name for name in there if venue.trades(name, instrument)]
                venue.liquidate(instrument, direction, quantity, near)
                return
