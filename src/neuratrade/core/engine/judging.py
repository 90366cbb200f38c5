"""From a strategy's word or an outside intent to a verdict: builds the gate's view, journals its answer."""

import hashlib
from collections.abc import Sequence
from decimal import Decimal

from neuratrade.core.engine.basket_gate import judge_basket, judge_open
from neuratrade.core.engine.config import EngineConfig
from neuratrade.core.engine.entries import end_entry, is_entering, open_bracket
from neuratrade.core.engine.exits import begin_exit, leave, wish_to_leave
from neuratrade.core.engine.margin import liquidation_of_entry
from neuratrade.core.engine.market import MarketView
from neuratrade.core.engine.markets import Markets, Rate
from neuratrade.core.engine.protection import guard
from neuratrade.core.engine.reading import Said
from neuratrade.core.engine.sense import is_price
from neuratrade.core.engine.state import AccountState, BracketPhase, BracketState, DeskState, LaneState
from neuratrade.core.engine.supervision import OWED_AFTER_NS
from neuratrade.core.engine.turn import Turn
from neuratrade.core.model.account import PositionMode
from neuratrade.core.model.approval import LayerReport, Verdict
from neuratrade.core.model.decimals import ONE, ZERO, ceil_to, floor_to
from neuratrade.core.model.facts import CloseReason, IntentJudged, MarketSeen, StopMoved
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.intent import (
    AmendIntent,
    BasketIntent,
    CancelIntent,
    CloseIntent,
    Direction,
    Intent,
    Lane,
    OpenIntent,
    ReduceIntent,
    Stop,
)
from neuratrade.core.model.orders import OrderStatus
from neuratrade.core.model.regime import Regime
from neuratrade.core.risk.layer import approve, refuse
from neuratrade.core.risk.posture import Posture, calmer
from neuratrade.core.risk.view import AccountView, GateView

Reducing = ReduceIntent | CloseIntent | CancelIntent | AmendIntent
DEGRADED_FACTOR = Decimal("0.5")
"""What a venue or feed in trouble leaves of a size."""


def propose(said: Said, config: EngineConfig, view: MarketView, run_id: str, at_ns: int) -> OpenIntent | None:
    """The intent a strategy's signal becomes; None where its regime vetoes it.

    Its id is derived from run, strategy, instrument and bar, so a replay makes the same one.
    """
    plan = said.strategy.plan(said.signal, said.bar, said.row, view.regime)
    if plan is None:
        return None
    contract = view.instrument
    stop = _towards_entry(contract, plan.direction, plan.stop_price)
    name = f"{run_id}|{said.strategy.name}|{contract.key}|{said.bar.close_ns}"
    digest = hashlib.sha256(name.encode()).hexdigest()
    return OpenIntent(
        intent_id=f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}",
        account_id=config.account_id,
        operator_id=config.operator_id,
        instrument=contract.key,
        direction=plan.direction,
        trigger_price=contract.round_price(plan.trigger_price),
        protection=Stop(stop, plan.trail_fraction),
        take_profits=tuple(
            type(rung)(contract.round_price(rung.price), rung.fraction) for rung in plan.take_profits
        ),
        confidence=plan.confidence,
        strategy_ref=said.strategy.name,
        created_ns=at_ns,
        order_type=plan.order_type,
        lane=said.strategy.lane,
        entry_expiry_ns=plan.entry_expiry_ns,
        max_hold_ns=plan.max_hold_ns,
        tags={"note": plan.note} if plan.note else {},
    )


def _towards_entry(contract: Instrument, direction: Direction, stop: Decimal) -> Decimal:
    """A stop on the tick grid, rounded towards the entry: never more risk than was planned."""
    return ceil_to(stop, contract.tick) if direction is Direction.LONG else floor_to(stop, contract.tick)


def judge_intent(turn: Turn, intent: Intent, config: EngineConfig, markets: Markets) -> None:
    """Judges an intent of any kind, journals the verdict, and starts what was approved."""
    match intent:
        case OpenIntent():
            _judge_open(turn, intent, config, markets)
        case BasketIntent():
            judge_basket(
                turn,
                intent,
                lambda leg: gate_view(turn.state, leg, config, markets, turn.at_ns),
                config.signer,
            )
        case ReduceIntent() | CloseIntent() | CancelIntent() | AmendIntent():
            _judge_reducing(turn, intent, markets)


def _judge_open(turn: Turn, intent: OpenIntent, config: EngineConfig, markets: Markets) -> None:
    seen = gate_view(turn.state, intent, config, markets, turn.at_ns)
    answer = judge_open(intent, seen, turn.state.limits, config.signer)
    turn.record(
        IntentJudged(
            turn.at_ns,
            intent,
            answer.approved,
            answer.quantity,
            answer.layers,
            seen.seen(),
            answer.envelope,
        )
    )
    if answer.approved:
        open_bracket(turn, turn.state.brackets[intent.intent_id])


def _judge_reducing(turn: Turn, intent: Reducing, markets: Markets) -> None:
    """Exposure-reducing intents are checked for one thing: that they can only shrink what is there."""
    bracket = turn.state.brackets.get(intent.bracket_id)
    report = _reducing_report(turn, intent, bracket)
    approved = report.verdict is Verdict.APPROVE
    price = None if bracket is None else markets.price_of(bracket.intent.instrument)
    seen = MarketSeen(price=price)
    quantity = bracket.held if bracket is not None and approved else ZERO
    turn.record(IntentJudged(turn.at_ns, intent, approved, quantity, (report,), seen))
    if not approved or bracket is None:
        return
    level = price if price is not None else bracket.stop_price
    match intent:
        case CloseIntent():
            leave(turn, bracket, CloseReason.MANUAL, level)
        case ReduceIntent(fraction=fraction):
            begin_exit(turn, bracket, CloseReason.MANUAL, bracket.held * fraction, level, level)
        case CancelIntent(reason=reason):
            end_entry(turn, bracket, reason)
        case AmendIntent(stop_price=stop, operator_id=operator):
            snapped = _towards_entry(turn.instrument_of(bracket), bracket.intent.direction, stop)
            turn.record(StopMoved(turn.at_ns, bracket.bracket_id, snapped, operator))
            guard(turn, bracket)


def _reducing_report(turn: Turn, intent: Reducing, bracket: BracketState | None) -> LayerReport:
    kind = str(intent.__struct_config__.tag)
    if intent.intent_id in turn.state.seen:
        return refuse("duplicate", "this intent id was judged before", intent.intent_id, "once")
    if bracket is None:
        return refuse("bracket", "no open bracket has this id", intent.bracket_id, "an open bracket")
    if isinstance(intent, ReduceIntent) and not (is_price(intent.fraction) and intent.fraction <= 1):
        return refuse("fraction", "must lie above 0 and at most at 1", str(intent.fraction), "(0, 1]")
    if isinstance(intent, AmendIntent):
        if not _is_level(turn, bracket, intent.stop_price):
            return refuse("amend", "no price of this contract", str(intent.stop_price), "a price")
        sign = bracket.intent.direction.sign
        if not isinstance(bracket.intent.protection, Stop) or (
            (intent.stop_price - bracket.stop_price) * sign <= 0
        ):
            limit = str(bracket.stop_price)
            return refuse("amend", "a stop moves towards less risk only", str(intent.stop_price), limit)
    elif not isinstance(intent, CancelIntent) and _leaves_whole(turn, bracket):
        return refuse("phase", "this bracket is leaving already", bracket.phase.value, "open")
    return approve(kind, bracket.phase.value, "reduces only")


def _is_level(turn: Turn, bracket: BracketState, stop: Decimal) -> bool:
    """Whether a stop could rest there, on the grid: a venue would take none beyond the contract's bounds."""
    contract = turn.instrument_of(bracket)
    return is_price(stop) and contract.admits_price(_towards_entry(contract, bracket.intent.direction, stop))


def _leaves_whole(turn: Turn, bracket: BracketState) -> bool:
    """Whether all of it is on its way out. What only a part leaves by holds no further word back."""
    return bracket.phase is BracketPhase.EXITING and wish_to_leave(turn, bracket) is not None


def gate_view(
    state: DeskState, intent: OpenIntent, config: EngineConfig, markets: Markets, now_ns: int
) -> GateView:
    """One moment as the gate may see it."""
    contract = state.instruments.get(intent.instrument)
    view = markets.views.get(intent.instrument)
    account = state.accounts.get(intent.account_id)
    asset = None if contract is None else config.dna.assets.get(contract.asset)
    win_rate, outcomes = _win_rate(state, intent, config)
    # A price that is held back as an outlier is no price to open by.
    trusted = None if view is None or view.price is None or markets.doubts(intent.instrument) else view
    degraded = view is not None and markets.is_degraded(intent.instrument)
    seen = None if account is None else _account_view(state, account, intent, config, markets, now_ns)
    home = None if account is None else account.account.currency
    rate = None if contract is None or home is None else markets.rate(contract.quote, home)
    return GateView(
        now_ns=now_ns,
        instrument=contract if view is not None else None,
        account=seen,
        already_seen=intent.intent_id in state.seen,
        blacklisted=contract is not None and contract.asset in config.dna.risk.blacklist,
        session_open=intent.instrument not in state.shut,
        warm=view is not None and view.atr is not None and view.regime is not Regime.UNKNOWN,
        price=None if trusted is None else trusted.price,
        price_age_ns=None if trusted is None else now_ns - trusted.price_ns,
        spread_fraction=None if trusted is None else trusted.spread_fraction,
        atr=None if view is None else view.atr,
        volume_24h=None if view is None else view.volume_24h,
        min_volume_24h=ZERO if asset is None else asset.min_volume_24h,
        regime=Regime.UNKNOWN if view is None else view.regime,
        win_rate=win_rate,
        win_rate_outcomes=outcomes,
        size_factor=DEGRADED_FACTOR if degraded else ONE,
        bid=None if view is None else view.bid,
        ask=None if view is None else view.ask,
        conversion=None if rate is None else rate.value,
        conversion_age_ns=None if rate is None else _oldest_ns(account, rate, markets, now_ns),
        maintenance_margin=None if contract is None else contract.maintenance_margin,
        liquidation_price=None
        if contract is None or seen is None or rate is None
        else liquidation_of_entry(intent, contract, seen, rate.value, state.limits.leverage),
    )


def _oldest_ns(account: AccountState | None, rate: Rate, markets: Markets, now_ns: int) -> int:
    """How old the oldest conversion is that a size in `rate` and the account's equity rest on."""
    others = [] if account is None else markets.conversions(account)
    oldest_ns = min(item.at_ns for item in (rate, *others) if item is not None)
    return max(now_ns - oldest_ns, 0)


def _win_rate(state: DeskState, intent: OpenIntent, config: EngineConfig) -> tuple[Decimal | None, int]:
    """Own outcomes once there are enough of them, else what the DNA was taught for this confidence."""
    own = state.outcomes.get(intent.strategy_ref)
    if own is not None and own.closed >= state.limits.kelly_min_outcomes:
        return Decimal(own.won) / Decimal(own.closed), own.closed
    bucket = config.dna.calibrated(intent.confidence)
    if bucket is not None:
        return bucket.win_rate_pct, bucket.sample_count
    return None, 0 if own is None else own.closed


def _account_view(
    state: DeskState,
    account: AccountState,
    intent: OpenIntent,
    config: EngineConfig,
    markets: Markets,
    now_ns: int,
) -> AccountView:
    gross = here = ZERO
    # With money that nobody can convert, what the account was worth last is not what it is worth.
    equity = None if None in markets.conversions(account) else account.equity
    home = account.account.currency
    entering = 0
    brackets = [item for item in state.brackets.values() if item.intent.account_id == intent.account_id]
    for bracket in brackets:
        contract = state.instruments[bracket.intent.instrument]
        # What is still to be entered counts like what is held: it may fill at any moment.
        pending = bracket.quantity - bracket.entered if is_entering(state, bracket) else ZERO
        rate = markets.value_of_one(contract.quote, home)
        if rate is None:
            equity, rate = None, ZERO
        value = contract.notional(bracket.held + pending, bracket.intent.trigger_price) * rate
        gross += value
        if bracket.intent.instrument == intent.instrument:
            here += value
        counted = (bracket.intent.lane is Lane.SCALP) == (intent.lane is Lane.SCALP)
        entering += counted and bracket.entered == 0
    lane = account.lanes.get(intent.lane.value, LaneState())
    return AccountView(
        account=account.account,
        state=state.trading_state,
        state_reason=state.state_reason,
        equity=equity,
        day_start_equity=account.day_start_equity,
        session_peak=account.session_peak,
        peak_24h=account.peak_24h,
        gross_notional=gross,
        instrument_notional=here,
        open_brackets=len(brackets),
        trades_today=account.counted_today(intent.lane) + entering,
        lane_session_losses=lane.session_losses,
        lane_last_loss_ns=lane.last_loss_ns,
        profile=config.profile,
        posture=calmer(Posture(account.posture), config.boldest),
        phase=config.phase,
        unknown_orders=unknown_orders(state, intent.account_id, intent.instrument, now_ns),
        opposed=_is_opposed(intent, account, brackets, config, state),
    )


def _is_opposed(
    intent: OpenIntent,
    account: AccountState,
    brackets: Sequence[BracketState],
    config: EngineConfig,
    state: DeskState,
) -> bool:
    """Whether the venue would net an entry against a bracket, and let nobody leave either of them then."""
    contract = state.instruments.get(intent.instrument)
    if contract is None or account.account.mode is not PositionMode.NET or not contract.is_derivative:
        return False
    rules = config.venue_rules.get(contract.venue)
    return (
        rules is not None
        and rules.sells_only_what_is_held
        and any(
            item.intent.instrument == intent.instrument and item.intent.direction is not intent.direction
            for item in brackets
        )
    )


def unknown_orders(state: DeskState, account_id: str, instrument: str, now_ns: int) -> int:
    """How much about an instrument is not known for sure: orders in doubt, and what is in quarantine there.

    An order is in doubt when the venue owes an answer about it for longer than answers take.

    What is in quarantine without an instrument (money) counts everywhere in its account.
    """
    doubtful = sum(
        order.in_doubt
        and (
            order.status is OrderStatus.UNKNOWN
            or now_ns - max(order.planned_ns, order.asked_ns) >= OWED_AFTER_NS
        )
        for order in state.orders.values()
        if order.request.account_id == account_id and order.request.instrument == instrument
    )
    kept = sum(
        item.account_id == account_id and item.instrument in ("", instrument)
        for item in state.quarantine.values()
    )
    return doubtful + kept
