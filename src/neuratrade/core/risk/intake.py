"""Intake layers: may this proposal be looked at at all?"""

from decimal import Decimal
from functools import lru_cache

from neuratrade.core.model.account import AccountKind
from neuratrade.core.model.approval import LayerReport
from neuratrade.core.model.facts import TradingState
from neuratrade.core.model.intent import OpenIntent
from neuratrade.core.risk.case import Case
from neuratrade.core.risk.layer import approve, at_most, limit_text, missing, refuse, seconds, text

# What these say of nearly every proposal never differs, so it is said once.
NEW = approve("duplicate", "new", "once")
OPEN_SESSION = approve("session", "open", "open")
NOT_LISTED = approve("blacklist", "not listed", "not listed")
TRADING = approve("account", AccountKind.TRADING.value, "trading")
RUNNING = approve("trading_state", TradingState.RUNNING.value, TradingState.RUNNING.value)
UNOPPOSED = approve("opposite", "none", "none")
NO_DOUBT = approve("unknown_orders", "none", "none")
WARM = approve("warm_up", "warm", "warm")


def entry_rest_ns(intent: OpenIntent) -> int:
    """How long the entry may rest: its own expiry, else until the hold time ends, else its time to live."""
    if intent.entry_expiry_ns is not None:
        return intent.entry_expiry_ns
    return intent.ttl_ns if intent.max_hold_ns is None else intent.max_hold_ns


def ttl(case: Case) -> LayerReport:
    """Refuses a proposal older than its time to live, or dated further ahead than clocks may differ."""
    intent, tolerance_ns = case.intent, case.limits.future_tolerance_ns
    age_ns = case.view.now_ns - intent.created_ns
    if age_ns < -tolerance_ns:
        return refuse("ttl", "dated in the future", seconds(age_ns), f">= {seconds(-tolerance_ns)}")
    rest_ns = entry_rest_ns(intent)
    if rest_ns < 0:
        return refuse("ttl", "its entry would end before it begins", seconds(rest_ns), ">= 0 s")
    return at_most("ttl", age_ns, intent.ttl_ns, "older than its time to live", seconds)


def duplicate(case: Case) -> LayerReport:
    """Refuses an intent id that was judged before, whatever it says now."""
    if case.view.already_seen:
        return refuse("duplicate", "this intent id was judged before", case.intent.intent_id, "once")
    return NEW


def instrument(case: Case) -> LayerReport:
    """Refuses what is not traded here, and prices outside the contract's bounds."""
    intent, contract = case.intent, case.view.instrument
    if contract is None:
        return refuse("instrument", "not a configured instrument", intent.instrument, "configured")
    levels = [intent.trigger_price, *[rung.price for rung in intent.take_profits]]
    if case.stop is not None:
        levels.append(case.stop)
    for level in levels:
        if not contract.admits_price(level):
            ceiling = "" if contract.price_ceiling is None else f", < {text(contract.price_ceiling)}"
            bounds = f"> {text(contract.price_floor)}{ceiling}"
            return refuse("instrument", "price outside the contract's bounds", text(level), bounds)
    return approve("instrument", intent.instrument, "configured")


def session(case: Case) -> LayerReport:
    """Refuses new exposure outside the instrument's trading session, and in a contract about to end."""
    if not case.view.session_open:
        return refuse("session", "the market's session is closed", "closed", "open")
    contract = case.view.instrument
    if contract is None or contract.flat_by_ns is None:
        return OPEN_SESSION
    left_ns, rest_ns = contract.flat_by_ns - case.view.now_ns, entry_rest_ns(case.intent)
    if left_ns <= rest_ns:
        why = "the contract has to be flat before its entry would end"
        return refuse("session", why, seconds(left_ns), f"> {seconds(rest_ns)}")
    return OPEN_SESSION


def blacklist(case: Case) -> LayerReport:
    """Refuses assets the operator excluded."""
    if case.view.blacklisted:
        asset = case.intent.instrument
        return refuse("blacklist", "the operator excluded this asset", asset, "not listed")
    return NOT_LISTED


def account(case: Case) -> LayerReport:
    """Refuses unknown accounts and those that are read-only by type."""
    if case.view.account is None:
        return refuse("account", "unknown account", case.intent.account_id, "configured")
    kind = case.view.account.account.kind
    if kind is not AccountKind.TRADING:
        return refuse("account", "the account is read-only by type", kind.value, "trading")
    return TRADING


def trading_state(case: Case) -> LayerReport:
    """Refuses new exposure while a governor or a person holds the desk back."""
    desk = case.view.account
    if desk is None:
        return missing("trading_state", "the account", RUNNING.limit)
    if desk.state is not TradingState.RUNNING:
        return refuse("trading_state", desk.state_reason, desk.state.value, RUNNING.limit)
    return RUNNING


def warm_up(case: Case) -> LayerReport:
    """Refuses new exposure until indicators were rebuilt from history."""
    if not case.view.warm:
        return refuse("warm_up", "indicators are not warm yet", "cold", "warm")
    return WARM


def stale_data(case: Case) -> LayerReport:
    """Refuses to judge on a price that is too old."""
    view, limit_ns = case.view, case.limits.price_age_ns
    if view.price is None or view.price_age_ns is None:
        return missing("stale_data", "a price", limit_text(limit_ns, seconds))
    return at_most("stale_data", view.price_age_ns, limit_ns, "the last price is too old", seconds)


def conversion(case: Case) -> LayerReport:
    """Refuses to weigh a price against equity through an exchange rate that is not known or too old."""
    age_ns, limit_ns = case.view.conversion_age_ns, case.limits.conversion_age_ns
    if case.conversion is None or age_ns is None:
        return missing("conversion", "the conversion rate", limit_text(limit_ns, seconds))
    return _converted(case.conversion, age_ns, limit_ns)


@lru_cache(maxsize=1024)
def _converted(rate: Decimal, age_ns: int, limit_ns: int) -> LayerReport:
    """Remembered, since most desks trade in the currency they report in: one, and never old."""
    observed = f"{limit_text(rate)}, {limit_text(age_ns, seconds)} old"
    limit = limit_text(limit_ns, seconds)
    if age_ns > limit_ns:
        return refuse("conversion", "the conversion rate is too old", observed, limit)
    return approve("conversion", observed, limit)


def unknown_orders(case: Case) -> LayerReport:
    """Refuses new exposure where an order's fate is not known: it may have filled, or fill at any moment."""
    desk = case.view.account
    if desk is None:
        return missing("unknown_orders", "the account", NO_DOUBT.limit)
    if desk.unknown_orders > 0:
        reason = "an order in this instrument is in doubt"
        return refuse("unknown_orders", reason, str(desk.unknown_orders), NO_DOUBT.limit)
    return NO_DOUBT


def opposite(case: Case) -> LayerReport:
    """Refuses a position against one that is there, where the venue would net them: no way out of either."""
    desk = case.view.account
    if desk is None:
        return missing("opposite", "the account", UNOPPOSED.limit)
    if desk.opposed:
        reason = "the venue nets it against a position the other way, and neither could be left then"
        return refuse("opposite", reason, "open the other way", UNOPPOSED.limit)
    return UNOPPOSED
