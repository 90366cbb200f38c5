"""What kind of world a seed makes: venue, account, limits, and which faults come when."""

import random
from dataclasses import dataclass
from decimal import Decimal

from neuratrade.core.model.account import Account, PositionMode
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.model.venue_rules import VenueRules
from tests.simulation.faults.kinds import CRASHES, Fault, Moment
from tests.simulation.faults.truth import Temper
from tests.simulation.world import FUTURE, OPEN_HANDED, PERP, SPOT, T0

MARKETS = (PERP, SPOT, FUTURE)
INSTRUMENTS = {item.key: item for item in MARKETS}
CASH = Decimal(100_000)

RULES = (
    VenueRules(),
    VenueRules(amends_stops=False),
    VenueRules(amends_stops=False, balance_lock=True),
    VenueRules(stop_market=False, stop_limit=True),
    VenueRules(stop_market=False, stop_limit=True, amends_stops=False, balance_lock=True),
    VenueRules(stop_market=False, amends_stops=False),
)
RULE_NAMES = ("amends", "no amend", "locks balance", "stop-limit", "stop-limit, locks", "no stops")

ON_THE_WIRE = (
    Fault.ACK_DELAYED,
    Fault.ACK_DROPPED,
    Fault.ACK_DOUBLED,
    Fault.FILL_DELAYED,
    Fault.FILL_DROPPED,
    Fault.FILL_DOUBLED,
    Fault.PARTIAL,
    Fault.STOP_REJECTED,
    Fault.OTHER_REJECTED,
    Fault.REQUEST_REFUSED,
    Fault.REQUEST_LOST,
    Fault.UNKNOWN_TAKEN,
    Fault.UNKNOWN_NOT_TAKEN,
    Fault.UNKNOWN_LATE,
    Fault.LOOK_UP_LOST,
    Fault.SNAPSHOT_LOST,
    Fault.SNAPSHOT_LATE,
    Fault.LIST_LOST,
    Fault.LIST_STALE,
    Fault.FILLS_CUT,
)
PLANNED = (
    Fault.DISCONNECTED,
    Fault.VENUE_RESTARTED,
    Fault.FILL_CORRECTED,
    Fault.FILL_BUSTED,
    Fault.BAD_TICK,
    Fault.LIQUIDATED,
    Fault.SESSION_SHUT,
    Fault.FROZEN,
    Fault.CLOCK_BACK,
    Fault.DISK_FULL,
)

KEPT_AS_THEY_ARE = (
    "risk_per_trade_fraction",
    "position_fraction",
    "leverage",
    "stop_distance_fraction",
    "drawdown_24h_fraction",
    "concurrent",
    "session_drawdown_fraction",
    "daily_loss_fraction",
    "confidence",
    "kill_losses",
    "order_usd",
    "total_usd",
    "fat_finger_fraction",
    "stop_min_atr",
    "stop_max_atr",
    "price_age_ns",
)
"""Limits that a world with normal limits has at their defaults."""

MARGINED = {"position_fraction": "10", "order_usd": "1000000000", "total_usd": "1000000000"}
"""In some of these worlds all amounts but leverage are loose, so that it is leverage that decides."""


@dataclass(frozen=True, slots=True)
class Traits:
    """limits: by name. limited: whether they are the normal ones. stranger: somebody trades there by hand."""

    rules: VenueRules
    account: Account
    fee_currency: str | None
    limits: dict[str, str]
    limited: bool
    stranger: bool
    silent: bool


def traits_of(seed: int) -> Traits:
    """The traits of a seed."""
    rng = random.Random(seed + 7_000_003)
    mode = PositionMode.HEDGE if seed // len(RULES) % 2 else PositionMode.NET
    limited = rng.random() < 0.35
    limits = {name: value for name, value in OPEN_HANDED.items() if name not in KEPT_AS_THEY_ARE}
    if rng.random() < 0.4:
        limits |= MARGINED
    return Traits(
        RULES[seed % len(RULES)],
        Account("paper", "test", "USDT", mode=mode),
        "BNB" if seed % 4 == 1 else None,
        limits if limited else OPEN_HANDED,
        limited,
        stranger=rng.random() < 0.3,
        silent=rng.random() < 0.15,
    )


def temper_of(rng: random.Random) -> Temper:
    """Every world has some of each fault, and three favourites."""
    base = rng.choice((0.01, 0.03))
    chances = dict.fromkeys(ON_THE_WIRE, base)
    for fault in rng.sample(ON_THE_WIRE, 3):
        chances[fault] = rng.choice((0.1, 0.25))
    chances[Fault.PARTIAL] = rng.choice((0.1, 0.4))
    return Temper(chances, rng.choice((20, 60, 60, 300)))


def plan_of(rng: random.Random, traits: Traits) -> list[tuple[int, Fault, Moment]]:
    """When what is planned strikes, and which state it waits for."""
    faults = [rng.choice(PLANNED) for _ in range(10)] + [rng.choice(CRASHES) for _ in range(4)]
    if traits.stranger:
        faults += [Fault.TRADED_BY_HAND] * 4
    if traits.silent:
        faults.append(Fault.STREAM_SILENT)
    plan = [
        (T0 + rng.randrange(8, 250) * NS_PER_SECOND, fault, rng.choice(tuple(Moment))) for fault in faults
    ]
    return sorted(plan)
