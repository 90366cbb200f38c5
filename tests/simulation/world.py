"""A small world to trade in: instruments, an engine without strategies of its own, and limits that let pass.

The desk is the real one. What stands in for a market is made here; what stands in for an exchange is the
paper exchange itself, watched from inside so that no order can ever sell what is not held.
"""

from collections.abc import Iterable
from decimal import Decimal

from neuratrade.core.engine.config import EngineConfig
from neuratrade.core.engine.engine import Engine
from neuratrade.core.engine.state import DeskState
from neuratrade.core.indicators.native import NativeProvider
from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.account import Account
from neuratrade.core.model.instrument import Instrument, InstrumentKind
from neuratrade.core.model.intent import (
    Direction,
    EntryType,
    Execution,
    Lane,
    OpenIntent,
    Protection,
    Stop,
    TakeProfit,
)
from neuratrade.core.model.market import NS_PER_HOUR, NS_PER_MINUTE, NS_PER_SECOND, Bar
from neuratrade.core.model.orders import Fill, Liquidity, OrderRequest
from neuratrade.core.model.venue_rules import PAPER_RULES, VenueRules
from neuratrade.core.regime import RegimeParams
from neuratrade.core.strategies.dna import Dna
from neuratrade.venues.paper.costs import PaperCosts
from neuratrade.venues.paper.exchange import PaperExchange, Resting

D = Decimal

T0 = 1_700_006_400 * NS_PER_SECOND
"""Midnight UTC: the world begins with a trading day."""

CASH, PRICE = D(100_000), D(100)
"""What the account begins with, and the price all markets begin at."""

ACCOUNT = Account("paper", "test", "USDT")
PERP = Instrument(
    "BTC/USDT",
    "test",
    InstrumentKind.PERPETUAL,
    "BTC",
    "USDT",
    tick=D("0.1"),
    lot=D("0.001"),
    min_quantity=D("0.001"),
    min_notional=D(5),
    maker_fee_bps=D(2),
    taker_fee_bps=D(5),
    initial_margin=D("0.05"),
)
SPOT = Instrument(
    "ETH/USDT",
    "test",
    InstrumentKind.SPOT,
    "ETH",
    "USDT",
    tick=D("0.01"),
    lot=D("0.01"),
    min_quantity=D("0.01"),
    min_notional=D(5),
    maker_fee_bps=D(10),
    taker_fee_bps=D(10),
    fee_in_base=True,
)
FUTURE = Instrument(
    "ES/USDT",
    "test",
    InstrumentKind.FUTURE,
    "ES",
    "USDT",
    tick=D("0.25"),
    lot=D(1),
    min_quantity=D(1),
    min_notional=D(0),
    multiplier=D(50),
    taker_fee_bps=D(1),
    initial_margin=D("0.1"),
)
BINARY = Instrument(
    "RAIN",
    "test",
    InstrumentKind.BINARY,
    "RAIN",
    "USDT",
    tick=D("0.01"),
    lot=D(1),
    min_quantity=D(1),
    min_notional=D(0),
    price_ceiling=D(1),
)
INSTRUMENTS = {item.key: item for item in (PERP, SPOT, FUTURE, BINARY)}
FREE = PaperCosts(latency_ms=50, spread_fraction=D(0), slippage_bps=D(0), participation_fraction=D(1))
"""A venue without costs, so that prices in a test are the prices in the bar."""

CALM = RegimeParams(
    window=10,
    atr_period=3,
    adx_period=3,
    wild_rank=1.0,
    calm_rank=1.0,
    crash_bars=1,
    crash_floor=1.0,
    crash_sigmas=1000.0,
)
"""No regime but trend and range, so that sizes stay as they were asked for."""

OPEN_HANDED = {
    "risk_per_trade_fraction": "1",
    "position_fraction": "1000",
    "leverage": "1000",
    "stop_distance_fraction": "1",
    "slippage_fraction": "1",
    "drawdown_24h_fraction": "1000",
    "trades_per_day": "1000000",
    "scalp_trades_per_day": "1000000",
    "concurrent": "1000000",
    "session_drawdown_fraction": "1000",
    "daily_loss_fraction": "1000",
    "confidence": "0",
    "session_losses": "1000000",
    "kill_losses": "1000000",
    "order_usd": "1000000000",
    "total_usd": "1000000000",
    "fat_finger_fraction": "1",
    "stop_min_atr": "0",
    "stop_max_atr": "1000000",
    "cost_multiple": "0",
    "atr_risk_fraction": "1000",
    "uncalibrated_risk_fraction": "1000",
    "kelly_min_outcomes": "1000000",
    "volume_24h_share_fraction": "1000",
    "lane_cooldown_ns": "0",
    "price_age_ns": str(1000 * NS_PER_HOUR),
}
"""Limits that hold nothing back: a test of brackets is not a test of the gate."""


def desk_engine(
    state: DeskState | None = None,
    instruments: Iterable[Instrument] = INSTRUMENTS.values(),
    rules: VenueRules = PAPER_RULES,
) -> Engine:
    """An engine without strategies, without a signer, with a gate that is warm after thirty bars."""
    known = {item.key: item for item in instruments}
    dna = Dna(1, 0, {}, {})
    config = EngineConfig(
        "paper",
        "op",
        known,
        (),
        dna,
        NativeProvider(),
        None,
        gate_span_ns=NS_PER_MINUTE,
        regime=CALM,
        venue_rules={"test": rules},
    )
    return Engine(config, state)


def run_started(
    limits: dict[str, str] | None = None, cash: D = CASH, at_ns: int = T0, *, fresh: bool = True
) -> f.RunStarted:
    """The first fact of a run."""
    chosen = OPEN_HANDED if limits is None else OPEN_HANDED | limits
    contracts = tuple(INSTRUMENTS.values())
    return f.RunStarted(
        at_ns, "run", "paper", ACCOUNT, cash, "made", fresh, contracts, chosen, {}, "key", "", "0"
    )


def warm_up(engine: Engine, price: D = PRICE, until_ns: int = T0) -> None:
    """Thirty calm bars up to `until_ns`, and one of a day before: ATR 1, volume, regime are known then."""
    opens = [until_ns - 25 * NS_PER_HOUR, *(until_ns - n * NS_PER_MINUTE for n in range(30, 0, -1))]
    for key, contract in engine.config.instruments.items():
        level = price if contract.price_ceiling is None else contract.price_ceiling / 2
        half = level / 200
        for open_ns in opens:
            warm = Bar(key, NS_PER_MINUTE, open_ns, level, level + half, level - half, level, D(1_000_000))
            engine.step(e.BarClosed(warm, warm.close_ns, warm_up=True))


def bar(
    index: int,
    open_: D | int | str,
    high: D | int | str,
    low: D | int | str,
    close: D | int | str,
    volume: D | int | str = 1000,
    instrument: Instrument = PERP,
) -> Bar:
    """The minute bar `index` minutes after T0."""
    prices = (D(open_), D(high), D(low), D(close))
    return Bar(instrument.key, NS_PER_MINUTE, T0 + index * NS_PER_MINUTE, *prices, D(volume))


def intent(
    name: str = "a",
    *,
    direction: Direction = Direction.LONG,
    trigger: D | int | str = 100,
    stop: D | int | str | None = 95,
    targets: tuple[tuple[D | int | str, D | int | str], ...] = ((110, 1),),
    quantity: D | int | str = 1,
    order_type: EntryType = EntryType.MARKET,
    trail: D | str | None = None,
    hold_s: int | None = None,
    expiry_s: int | None = 3600,
    at_ns: int = T0,
    instrument: Instrument = PERP,
    protection: Protection | None = None,
    lane: Lane = Lane.TACTICAL,
    execution: Execution | None = None,
) -> OpenIntent:
    """A proposal to open; by default a market order to buy 1 at about 100, stop 95, target 110."""
    guard = protection
    if guard is None:
        assert stop is not None
        guard = Stop(D(stop), None if trail is None else D(trail))
    return OpenIntent(
        intent_id=name,
        account_id="paper",
        operator_id="op",
        instrument=instrument.key,
        direction=direction,
        trigger_price=D(trigger),
        protection=guard,
        take_profits=tuple(TakeProfit(D(price), D(fraction)) for price, fraction in targets),
        confidence=D(1),
        strategy_ref="test",
        created_ns=at_ns,
        order_type=order_type,
        lane=lane,
        quantity=D(quantity),
        entry_expiry_ns=None if expiry_s is None else expiry_s * NS_PER_SECOND,
        max_hold_ns=None if hold_s is None else hold_s * NS_PER_SECOND,
        execution=execution,
    )


def fill_of(
    request: OrderRequest,
    quantity: D | int | str,
    price: D | int | str,
    trade_id: str,
    at_ns: int,
    fee: D | int | str = 0,
    fee_currency: str = "USDT",
) -> Fill:
    """An execution of `request` as a venue would tell it."""
    return Fill(
        trade_id,
        request.client_order_id,
        request.account_id,
        request.instrument,
        request.side,
        D(quantity),
        D(price),
        D(fee),
        fee_currency,
        Liquidity.TAKER,
        at_ns,
    )


class WatchedExchange(PaperExchange):
    """The paper exchange, with an eye on every order and fill: nothing may sell what its bracket lacks.

    fills: all executions so far, in order.
    """

    def __init__(self, cash: D = CASH, costs: PaperCosts = FREE) -> None:
        super().__init__(ACCOUNT, INSTRUMENTS, cash, costs)
        self.held: dict[str, D] = {}
        self.fills: list[Fill] = []

    def restore(self, state: DeskState) -> None:
        """Also takes over what each bracket holds."""
        super().restore(state)
        self.held = {key: bracket.held for key, bracket in state.brackets.items()}

    def _take(self, request: OrderRequest, at_ns: int) -> None:
        super()._take(request, at_ns)
        self.check_sells(request.bracket_id)

    def check_sells(self, bracket_id: str) -> None:
        """All working exits of a bracket together never exceed what it holds."""
        exits = [
            order.remaining
            for order in self.orders.values()
            if order.request.bracket_id == bracket_id and order.request.role.reduces
        ]
        held = self.held.get(bracket_id, D(0))
        assert sum(exits, D(0)) <= held, f"{bracket_id}: {exits} to leave, but only {held} held"

    def _fill(
        self,
        order: Resting,
        contract: Instrument,
        quantity: D,
        price: D,
        liquidity: Liquidity,
        at_ns: int,
    ) -> None:
        super()._fill(order, contract, quantity, price, liquidity, at_ns)
        bracket_id, role = order.request.bracket_id, order.request.role
        before = self.held.get(bracket_id, D(0))
        event = self._ended[order.request.client_order_id][-1]
        assert isinstance(event, f.OrderFilled)
        self.fills.append(event.fill)
        in_base = event.fill.fee_currency == contract.base
        change = -quantity if role.reduces else quantity - (event.fill.fee if in_base else D(0))
        self.held[bracket_id] = before + change
        assert self.held[bracket_id] >= 0, f"{bracket_id} left {quantity} of {before}: the position flipped"
        assert event.fill.paper_trade
