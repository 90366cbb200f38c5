"""Intake layers: may this proposal be looked at at all?"""

from neuratrade.core.model.account import AccountKind
from neuratrade.core.model.approval import LayerReport
from neuratrade.core.model.facts import TradingState
from neuratrade.core.model.intent import OpenIntent, Stop
from neuratrade.core.risk.layer import approve, at_most, missing, refuse, seconds, text
from neuratrade.core.risk.limits import Limits
from neuratrade.core.risk.view import GateView


def entry_rest_ns(intent: OpenIntent) -> int:
    """How long the entry may rest: its own expiry, else until the hold time ends, else its time to live."""
    for rest_ns in (intent.entry_expiry_ns, intent.max_hold_ns):
        if rest_ns is not None:
            return rest_ns
    return intent.ttl_ns


def ttl(intent: OpenIntent, view: GateView, limits: Limits) -> LayerReport:
    """Refuses a proposal older than its time to live, or dated further ahead than clocks may differ."""
    age_ns = view.now_ns - intent.created_ns
    if age_ns < -limits.future_tolerance_ns:
        limit = f">= {seconds(-limits.future_tolerance_ns)}"
        return refuse("ttl", "dated in the future", seconds(age_ns), limit)
    rest_ns = entry_rest_ns(intent)
    if rest_ns < 0:
        return refuse("ttl", "its entry would end before it begins", seconds(rest_ns), ">= 0 s")
    return at_most("ttl", age_ns, intent.ttl_ns, "older than its time to live", seconds)


def duplicate(intent: OpenIntent, view: GateView, _: Limits) -> LayerReport:
    """Refuses an intent id that was judged before, whatever it says now."""
    if view.already_seen:
        return refuse("duplicate", "this intent id was judged before", intent.intent_id, "once")
    return approve("duplicate", "new", "once")


def instrument(intent: OpenIntent, view: GateView, _: Limits) -> LayerReport:
    """Refuses what is not traded here, and prices outside the contract's bounds."""
    contract = view.instrument
    if contract is None:
        return refuse("instrument", "not a configured instrument", intent.instrument, "configured")
    levels = [intent.trigger_price, *(rung.price for rung in intent.take_profits)]
    if isinstance(intent.protection, Stop):
        levels.append(intent.protection.price)
    outside = [level for level in levels if not contract.admits_price(level)]
    if outside:
        ceiling = "" if contract.price_ceiling is None else f", < {text(contract.price_ceiling)}"
        bounds = f"> {text(contract.price_floor)}{ceiling}"
        return refuse("instrument", "price outside the contract's bounds", text(outside[0]), bounds)
    return approve("instrument", intent.instrument, "configured")


def session(_: OpenIntent, view: GateView, __: Limits) -> LayerReport:
    """Refuses new exposure outside the instrument's trading session."""
    if not view.session_open:
        return refuse("session", "the market's session is closed", "closed", "open")
    return approve("session", "open", "open")


def blacklist(intent: OpenIntent, view: GateView, _: Limits) -> LayerReport:
    """Refuses assets the operator excluded."""
    if view.blacklisted:
        return refuse("blacklist", "the operator excluded this asset", intent.instrument, "not listed")
    return approve("blacklist", "not listed", "not listed")


def account(intent: OpenIntent, view: GateView, _: Limits) -> LayerReport:
    """Refuses unknown accounts and those that are read-only by type."""
    if view.account is None:
        return refuse("account", "unknown account", intent.account_id, "configured")
    kind = view.account.account.kind
    if kind is not AccountKind.TRADING:
        return refuse("account", "the account is read-only by type", kind.value, "trading")
    return approve("account", kind.value, "trading")


def trading_state(_: OpenIntent, view: GateView, __: Limits) -> LayerReport:
    """Refuses new exposure while a governor or a person holds the desk back."""
    if view.account is None:
        return missing("trading_state", "the account", TradingState.RUNNING.value)
    state = view.account.state
    if state is not TradingState.RUNNING:
        return refuse("trading_state", view.account.state_reason, state.value, TradingState.RUNNING.value)
    return approve("trading_state", state.value, TradingState.RUNNING.value)


def warm_up(_: OpenIntent, view: GateView, __: Limits) -> LayerReport:
    """Refuses new exposure until indicators were rebuilt from history."""
    if not view.warm:
        return refuse("warm_up", "indicators are not warm yet", "cold", "warm")
    return approve("warm_up", "warm", "warm")


def stale_data(_: OpenIntent, view: GateView, limits: Limits) -> LayerReport:
    """Refuses to judge on a price that is too old."""
    if view.price is None or view.price_age_ns is None:
        return missing("stale_data", "a price", seconds(limits.price_age_ns))
    return at_most("stale_data", view.price_age_ns, limits.price_age_ns, "the last price is too old", seconds)
