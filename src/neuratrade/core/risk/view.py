"""What the gate may see when it judges: one state, frozen, with None where a value is not known.

A layer that misses its input says NOT_EVALUATED and names the field, so nothing is ever judged on a
value that was made up.
"""

from decimal import Decimal

import msgspec

from neuratrade.core.model.account import Account
from neuratrade.core.model.decimals import ONE, ZERO
from neuratrade.core.model.facts import MarketSeen, TradingState
from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.regime import Regime
from neuratrade.core.risk.posture import Phase, Posture, Profile


class AccountView(msgspec.Struct, frozen=True, gc=False):
    """Money and counters of the account an intent names. Amounts in the reporting currency.

    unknown_orders: orders of this account in the intent's instrument whose fate the venue has not told yet.
    opposed: something is held or entered the other way, where the venue nets both and takes only what reduces
    its net for a way out: neither could be left while both are there.
    """

    account: Account
    state: TradingState
    state_reason: str
    equity: Decimal | None
    day_start_equity: Decimal
    session_peak: Decimal
    peak_24h: Decimal
    gross_notional: Decimal
    instrument_notional: Decimal
    open_brackets: int
    trades_today: int
    lane_session_losses: int
    lane_last_loss_ns: int | None
    profile: Profile = Profile.MEDIUM
    posture: Posture = Posture.BALANCED
    phase: Phase = Phase.MATURE
    unknown_orders: int = 0
    opposed: bool = False


class GateView(msgspec.Struct, frozen=True, gc=False):
    """One moment, as the gate sees it.

    price: last mark, quote per base. price_age_ns: how old it is. spread_fraction: of the price.
    atr: quote per base, on the gate's own timeframe. volume_24h: quote currency. win_rate: of
    outcomes at this confidence or of this strategy, with their number in win_rate_outcomes.
    in_basket: ids of the legs this intent is judged with.
    size_factor: what a degraded venue or feed leaves of a size. conversion: reporting currency per unit of
    the instrument's quote currency; conversion_age_ns: age of the oldest rate that this and the equity rest
    on. maintenance_margin: fraction of notional, None = not a margined contract. liquidation_price: where
    the account would be liquidated if this entry filled whole, None = nowhere.
    """

    now_ns: int
    instrument: Instrument | None
    account: AccountView | None
    already_seen: bool
    blacklisted: bool
    session_open: bool
    warm: bool
    price: Decimal | None
    price_age_ns: int | None
    spread_fraction: Decimal | None
    atr: Decimal | None
    volume_24h: Decimal | None
    min_volume_24h: Decimal
    regime: Regime
    win_rate: Decimal | None
    win_rate_outcomes: int
    size_factor: Decimal = Decimal(1)
    bid: Decimal | None = None
    ask: Decimal | None = None
    in_basket: frozenset[str] = frozenset()
    conversion: Decimal | None = ONE
    conversion_age_ns: int | None = 0
    maintenance_margin: Decimal | None = None
    liquidation_price: Decimal | None = None

    def seen(self) -> MarketSeen:
        """The market values to be journaled beside the verdict."""
        return MarketSeen(
            price=self.price,
            bid=self.bid,
            ask=self.ask,
            price_age_ns=self.price_age_ns,
            atr=self.atr,
            volume_24h=self.volume_24h,
            regime=self.regime.value,
            equity=self.account.equity if self.account is not None else None,
        )


def drawdown(peak: Decimal, equity: Decimal) -> Decimal:
    """Fall from `peak` to `equity` as a fraction of the peak, never negative."""
    if peak <= ZERO or equity >= peak:
        return ZERO
    return (peak - equity) / peak
