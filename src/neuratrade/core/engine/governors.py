"""Marks, the day, and the standing rules over time: RUNNING -> REDUCING -> HALTED.

Limits count on equity, not on closed trades alone. A rule that would stop the desk for drawdown needs two
marks in a row at least a second apart, since one bad tick must not flatten a book; a mark with a missing
price is no mark, and one with an old price only keeps new exposure out.
"""

from decimal import Decimal
from typing import NamedTuple

from neuratrade.core.bars.sessions import DaySessions, ListedSessions
from neuratrade.core.engine.entries import end_entry
from neuratrade.core.engine.exits import leave, wish_to_leave
from neuratrade.core.engine.ledger import equity_of
from neuratrade.core.engine.markets import Markets
from neuratrade.core.engine.movements import settle_movements
from neuratrade.core.engine.state import (
    AccountState,
    BracketPhase,
    BracketState,
    DeskState,
    instrument_of_position,
)
from neuratrade.core.engine.turn import Turn
from neuratrade.core.model.decimals import BASIS_POINTS
from neuratrade.core.model.facts import (
    CloseReason,
    DayRolled,
    KillPolicy,
    Marked,
    PostureMoved,
    TradingState,
    TradingStateMoved,
)
from neuratrade.core.model.market import NS_PER_HOUR, NS_PER_MINUTE, NS_PER_SECOND
from neuratrade.core.risk.layer import text
from neuratrade.core.risk.limits import Limits
from neuratrade.core.risk.posture import Posture, next_posture
from neuratrade.core.risk.view import drawdown

MARK_STEP_BPS = Decimal(1)
_SEVERITY = {TradingState.RUNNING: 0, TradingState.REDUCING: 1, TradingState.HALTED: 2}
STALE = "stale_marks"
DAILY = ("daily_loss", "session_drawdown", STALE)
PERSON = "operator"
LIFTING = ("day_roll", PERSON, STALE, "reconciled")


class _Rest(NamedTuple):
    """What a tick went by that held nothing and did nothing: while it stays, the next has nothing to do."""

    state: DeskState
    limits: Limits
    hour: int
    day: int


class Governors:
    """The rules with what they must remember between marks (volatile: a restart asks for two marks again)."""

    def __init__(self, days: DaySessions | ListedSessions, boldest: Posture = Posture.BALANCED) -> None:
        self._days = days
        self._boldest = boldest
        self._breached: dict[tuple[str, str], int] = {}
        self._ticked_ns = 0
        self._rest: _Rest | None = None

    @property
    def in_doubt(self) -> bool:
        """Whether the last tick saw a rule broken that the next one may confirm."""
        return any(first_ns == self._ticked_ns for first_ns in self._breached.values())

    def wake(self) -> None:
        """A fact changed durable state: the next tick looks at everything."""
        self._rest = None

    def tick(self, turn: Turn, markets: Markets) -> None:
        """Marks every account, rolls its day, applies the rules."""
        state = turn.state
        if self._rest is not None and self._rest == self._seen(turn):
            return
        self._ticked_ns = turn.at_ns
        prices = markets.marks(state.accounts, turn.at_ns)
        for account in list(state.accounts.values()):
            self._look_at(turn, account, prices, markets)
        if state.kill_policy is not None:
            _carry_on(turn, state.kill_policy, markets)
        elif not turn.facts and not self._breached and all(map(_is_at_rest, state.accounts.values())):
            self._rest = self._seen(turn)

    def _seen(self, turn: Turn) -> _Rest:
        hour, day = turn.at_ns // NS_PER_HOUR, self._days.number(turn.at_ns)
        return _Rest(turn.state, turn.state.limits, hour, day)

    def _look_at(
        self, turn: Turn, account: AccountState, prices: dict[str, Decimal], markets: Markets
    ) -> None:
        limits = turn.state.limits
        settle_movements(turn, account, markets)
        equity = equity_of(account, turn.state.instruments, prices, markets.rates_of(account))
        if equity is None:
            return
        new_day = self._roll_day(turn, account, equity)
        holding = [key for key, item in account.positions.items() if item.quantity]
        names = {instrument_of_position(key) for key in holding}
        doubted = any(map(markets.doubts, names))
        if not doubted and _worth_marking(turn, account, equity):
            held = {key: prices[key] for key in holding}
            turn.record(Marked(turn.at_ns, account.account.account_id, equity, held))
            self._pose(turn, account, new_day=new_day)
        elif new_day:
            self._pose(turn, account, new_day=True)
        if self._has_no_say(turn, account, equity, doubted=doubted):
            return
        stale = any(markets.is_stale(name, turn.at_ns, limits.price_age_ns) for name in names)
        fresh = not stale and not markets.converts_stale(account, turn.at_ns, limits.conversion_age_ns)
        feared = _feared(turn, account, prices, markets) if doubted else equity
        self._govern(turn, account, equity, feared, markets, fresh=fresh)

    def _pose(self, turn: Turn, account: AccountState, *, new_day: bool) -> None:
        """Draws back as the fall deepens, and comes forward again a step at a time."""
        fell = drawdown(account.session_peak, account.equity)
        day = account.peak_24h
        if day != account.session_peak:
            fell = max(fell, drawdown(day, account.equity))
        current = Posture(account.posture)
        posture = next_posture(current, fell, turn.state.limits, new_day=new_day, highest=self._boldest)
        if posture is not current:
            reason = f"drawdown {text(fell)}" if not new_day else f"a new day, drawdown {text(fell)}"
            turn.record(PostureMoved(turn.at_ns, account.account.account_id, posture.value, reason))

    def _roll_day(self, turn: Turn, account: AccountState, equity: Decimal) -> bool:
        day = self._days.number(turn.at_ns)
        if day == account.day:
            return False
        state = turn.state
        if not state.latched and state.governor in DAILY:
            # First, or a desk that goes down in between would be held back for a day that is over.
            move(turn, TradingState.RUNNING, "day_roll", "a new trading day began", "", "", latched=False)
        turn.record(DayRolled(turn.at_ns, account.account.account_id, day, equity))
        return True

    def _has_no_say(self, turn: Turn, account: AccountState, equity: Decimal, *, doubted: bool) -> bool:
        """Whether no rule can be broken or lifted by this mark, however fresh or old its prices are."""
        may_change = doubted or turn.state.governor == STALE or self._breached
        return not may_change and _is_near_peak(account, equity, turn.state.limits)

    def _govern(
        self,
        turn: Turn,
        account: AccountState,
        equity: Decimal,
        feared: Decimal,
        markets: Markets,
        *,
        fresh: bool,
    ) -> None:
        limits, state = turn.state.limits, turn.state
        if fresh and state.governor == STALE and not state.latched:
            move(turn, TradingState.RUNNING, STALE, "prices are fresh again", "", "", latched=False)
        day = drawdown(account.day_start_equity, equity)
        if self._confirmed(turn, account, "daily_loss", day >= limits.daily_loss_fraction):
            reason = "the day lost too much"
            limit = limits.daily_loss_fraction
            move(turn, TradingState.REDUCING, "daily_loss", reason, text(day), text(limit), latched=False)
        session = drawdown(account.session_peak, equity)
        deep = drawdown(account.peak_24h, equity)
        if not fresh:
            self._doubt(turn, account, feared)
            return
        if self._confirmed(turn, account, "session_drawdown", session >= limits.session_drawdown_fraction):
            reason = "equity fell too far from the session's peak"
            limit = limits.session_drawdown_fraction
            move(
                turn,
                TradingState.HALTED,
                "session_drawdown",
                reason,
                text(session),
                text(limit),
                latched=False,
            )
        if self._confirmed(turn, account, "drawdown_24h", deep >= limits.drawdown_24h_fraction):
            reason = "equity fell too far from its 24 h peak"
            limit = limits.drawdown_24h_fraction
            move(turn, TradingState.HALTED, "drawdown_24h", reason, text(deep), text(limit), latched=True)
            carry_out(turn, KillPolicy.FLATTEN_ALL, markets)

    def _doubt(self, turn: Turn, account: AccountState, feared: Decimal) -> None:
        """A fall seen on old or doubted prices proves nothing: it only keeps new exposure out meanwhile."""
        for name in ("session_drawdown", "drawdown_24h"):
            self._breached.pop((account.account.account_id, name), None)
        limits = turn.state.limits
        session, deep = drawdown(account.session_peak, feared), drawdown(account.peak_24h, feared)
        if session >= limits.session_drawdown_fraction or deep >= limits.drawdown_24h_fraction:
            reason = "equity fell too far, but on old or doubted prices"
            move(turn, TradingState.REDUCING, STALE, reason, "", "", latched=False)

    def _confirmed(self, turn: Turn, account: AccountState, name: str, breached: bool) -> bool:
        key = (account.account.account_id, name)
        if not breached:
            self._breached.pop(key, None)
            return False
        first = self._breached.setdefault(key, turn.at_ns)
        return turn.at_ns - first >= NS_PER_SECOND


def move(
    turn: Turn, to: TradingState, governor: str, reason: str, observed: str, limit: str, *, latched: bool
) -> None:
    """Moves the trading state and cancels what may no longer be entered.

    A lighter rule never lifts a heavier one, what lifts lifts all the way, and nothing but a person lifts
    a latch.
    """
    state = turn.state
    lifts = _SEVERITY[to] < _SEVERITY[state.trading_state]
    may_lift = (
        governor in LIFTING and to is TradingState.RUNNING and (governor == PERSON or not state.latched)
    )
    same = to is state.trading_state and state.latched >= latched
    # Whoever halts a halted desk takes it over: a fresh start lifts what rules did, not what people did.
    taken_over = to is TradingState.HALTED and governor == PERSON != state.governor
    if (same and not taken_over) or (lifts and not may_lift):
        return
    turn.record(TradingStateMoved(turn.at_ns, to, governor, reason, observed, limit, latched))
    if to is not TradingState.RUNNING:
        cancel_entries(turn)


def cancel_entries(turn: Turn) -> None:
    """Asks for the end of every entry that could still add exposure."""
    for bracket in list(turn.state.brackets.values()):
        end_entry(turn, bracket, "no new exposure")


def carry_out(turn: Turn, policy: KillPolicy, markets: Markets) -> None:
    """Does to open positions what a kill policy says. What is foreign is never touched."""
    for bracket in list(turn.state.brackets.values()):
        if _is_meant(turn, bracket, policy):
            level = markets.price_of(bracket.intent.instrument) or bracket.stop_price
            leave(turn, bracket, CloseReason.KILL, level)


def _is_meant(turn: Turn, bracket: BracketState, policy: KillPolicy) -> bool:
    perps = policy is KillPolicy.CLOSE_PERPS and turn.instrument_of(bracket).is_derivative
    return perps or policy is KillPolicy.FLATTEN_ALL


def _carry_on(turn: Turn, policy: KillPolicy, markets: Markets) -> None:
    """Leaves what a kill meant but did not reach: an entry that filled late, or a turn that was cut short."""
    for bracket in list(turn.state.brackets.values()):
        # What a person adopted since is meant to be held.
        before = bracket.envelope.issued_ns <= turn.state.killed_ns
        under_way = bracket.phase is BracketPhase.EXITING or wish_to_leave(turn, bracket) is not None
        if before and not under_way and _is_meant(turn, bracket, policy):
            level = markets.price_of(bracket.intent.instrument) or bracket.stop_price
            leave(turn, bracket, CloseReason.KILL, level)


def count_losses(turn: Turn, account: AccountState) -> None:
    """After a bracket closed: too many losses in a row, whatever the lane, halt until a person resumes."""
    losses = account.losses
    limit = turn.state.limits.kill_losses
    if losses >= limit:
        reason = f"{losses} losses in a row"
        move(turn, TradingState.HALTED, "loss_streak", reason, str(losses), str(limit), latched=True)


def _feared(turn: Turn, account: AccountState, prices: dict[str, Decimal], markets: Markets) -> Decimal:
    """Equity if the prices that are held back as outliers were true."""
    seen = dict(prices)
    for key in prices:
        held_back = markets.held_back(instrument_of_position(key))
        if held_back is not None:
            seen[key] = held_back
    equity = equity_of(account, turn.state.instruments, seen, markets.rates_of(account))
    return account.equity if equity is None else equity


def _is_at_rest(account: AccountState) -> bool:
    """Whether it has nothing but its own currency, as it was marked last: no price and no rate moves it."""
    if account.unrated or any(position.quantity for position in account.positions.values()):
        return False
    home = account.account.currency
    return account.balances.get(home) == account.equity and not any(
        amount for currency, amount in account.balances.items() if currency != home
    )


def _is_near_peak(account: AccountState, equity: Decimal, limits: Limits) -> bool:
    """Whether equity is so close to the highest of the peaks it is held to that no rule can be broken."""
    tightest = min(limits.daily_loss_fraction, limits.session_drawdown_fraction, limits.drawdown_24h_fraction)
    highest = max(account.day_start_equity, account.session_peak, account.peak_24h)
    # Of what is above zero, a higher peak shows the deeper fall.
    return equity > 0 and drawdown(highest, equity) < tightest


def _worth_marking(turn: Turn, account: AccountState, equity: Decimal) -> bool:
    change = abs(equity - account.equity)
    # The hour's turn is marked even when nothing moved, or a peak of days ago would count as today's.
    if change == 0 and account.marked_ns // NS_PER_HOUR == turn.at_ns // NS_PER_HOUR:
        return False
    if turn.at_ns - account.marked_ns >= NS_PER_MINUTE:
        return True
    return change * BASIS_POINTS >= account.equity * MARK_STEP_BPS
