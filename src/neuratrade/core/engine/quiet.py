"""How long nothing can happen: the prices and the time until which every bar is like the one before.

A backtest need not live through bars that change nothing but marks. What it may pass over is said here,
beside the rules that would act, and always on the careful side: a range too narrow costs time, one too wide
a trade.
Strategies' words are not foreseen here, nor what rests at the venue: whoever skips knows both.
"""

import math
from decimal import Decimal
from typing import NamedTuple

from neuratrade.core.engine.config import EngineConfig
from neuratrade.core.engine.governors import STALE
from neuratrade.core.engine.state import AccountState, BracketPhase, BracketState, DeskState
from neuratrade.core.model.decimals import ONE
from neuratrade.core.model.facts import TradingState
from neuratrade.core.model.intent import Stop
from neuratrade.core.model.venue_rules import VenueRules
from neuratrade.core.risk.limits import Limits
from neuratrade.core.risk.posture import Posture, next_steps


class Range(NamedTuple):
    """Prices between which nothing watched here acts: below or above None where nothing waits there."""

    below: Decimal | None
    above: Decimal | None


EVERYWHERE = Range(None, None)


class Quiet(NamedTuple):
    """What it takes before anything can happen.

    ranges: by instrument with an open bracket. until_ns: the next timer, None without one. fall, rise: by
    how much equity may change (account currency, above zero) before a governor or the posture could have a
    word; None where it never has.
    """

    ranges: dict[str, Range]
    until_ns: int | None
    fall: float
    rise: float | None


def quiet(state: DeskState, config: EngineConfig) -> Quiet | None:
    """What has to happen before anything can; None where the very next bar may change something."""
    if len(state.accounts) != 1 or state.baskets or state.quarantine:
        return None
    if any(order.in_doubt for order in state.orders.values()):
        return None
    if state.governor == STALE or (state.kill_policy is not None and state.brackets):
        return None
    ranges: dict[str, Range] = {}
    for bracket in state.brackets.values():
        name = bracket.intent.instrument
        watched = _watched(bracket, config.venue_rules.get(state.instruments[name].venue))
        if watched is None:
            return None
        ranges[name] = narrower(ranges[name], watched) if name in ranges else watched
    (account,) = state.accounts.values()
    if not any(position.quantity for position in account.positions.values()):
        return Quiet(ranges, state.next_timer_ns, math.inf, None)
    fall, rise = _rooms(state, account, config.boldest)
    if fall <= 0 or (rise is not None and rise <= 0):
        return None
    return Quiet(ranges, state.next_timer_ns, fall, rise)


def is_calm(state: DeskState, config: EngineConfig) -> bool:
    """Whether the desk runs as boldly as it may, so that neither a new hour nor a new day lifts anything."""
    (account,) = state.accounts.values()
    return state.trading_state is TradingState.RUNNING and account.posture == config.boldest.value


def narrower(one: Range, other: Range) -> Range:
    """The part both ranges have in common."""
    lows = [item for item in (one.below, other.below) if item is not None]
    highs = [item for item in (one.above, other.above) if item is not None]
    return Range(max(lows, default=None), min(highs, default=None))


def _watched(bracket: BracketState, rules: VenueRules | None) -> Range | None:
    """Where the next target, the trail, or a stop kept here would act; None where something is due."""
    if bracket.phase is BracketPhase.EXITING or bracket.held < 0 or not bracket.protected:
        return None
    if bracket.phase is BracketPhase.ENTERING or not bracket.held:
        return EVERYWHERE
    protection, sign = bracket.intent.protection, bracket.intent.direction.sign
    wins: list[Decimal] = []
    rungs = bracket.intent.take_profits
    if bracket.rungs_done < len(rungs):
        wins.append(rungs[bracket.rungs_done].price)
    loses: Decimal | None = None
    if isinstance(protection, Stop):
        if rules is not None and not rules.rests_stops:
            loses = bracket.stop_price
        trail = protection.trail_fraction
        if trail is not None and bracket.best_price is not None:
            moves = bracket.stop_price / (ONE - trail * sign)
            wins.append(max(bracket.best_price, moves) if sign > 0 else min(bracket.best_price, moves))
    if sign > 0:
        return Range(loses, min(wins, default=None))
    return Range(max(wins, default=None), loses)


def _rooms(state: DeskState, account: AccountState, boldest: Posture) -> tuple[float, float | None]:
    """By how much equity may fall, and rise, before a standing rule or the posture can have a word."""
    limits, equity = state.limits, float(account.equity)
    session, deep = float(account.session_peak), float(account.peak_24h)
    floors = [deep * (1.0 - float(limits.drawdown_24h_fraction))]
    if state.trading_state is not TradingState.HALTED:
        floors.append(session * (1.0 - float(limits.session_drawdown_fraction)))
    if state.trading_state is TradingState.RUNNING:
        floors.append(float(account.day_start_equity) * (1.0 - float(limits.daily_loss_fraction)))
    down, up = next_steps(Posture(account.posture), boldest)
    highest = max(session, deep)
    if down is not None:
        floors.append(highest * (1.0 - _drawdown_at(down, limits)))
    careful = 1e-9 * abs(equity)
    rise = None if up is None else highest * (1.0 - _drawdown_at(up, limits)) - equity - careful
    return equity - max(floors) - careful, rise


def _drawdown_at(share: Decimal, limits: Limits) -> float:
    return float(share * min(limits.session_drawdown_fraction, limits.drawdown_24h_fraction))
