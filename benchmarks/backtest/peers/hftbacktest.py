"""The reference rule in hftbacktest, which simulates an order book and knows no bars.

Each bar becomes four moments (open, low, high, close), each of them a book of one level a side and a trade:
twenty events a bar. The rule looks once a moment and leaves by an order through the book, at the price it
finds there: as many trades at other prices. Read it as what a full book simulator takes.
"""

from importlib.metadata import version
from typing import Any

import hftbacktest as hft  # type: ignore[import-not-found, unused-ignore]
import numpy as np
from numba import njit

from benchmarks.backtest.peers.outcome import asked, tell, timed
from benchmarks.backtest.rule import (
    BUY_BELOW,
    CASH,
    FEE_FRACTION,
    HOLD_BARS,
    NS_PER_BAR,
    PERIOD,
    STOP_FRACTION,
    TARGET_FRACTION,
)

TICK = 0.01
MOMENTS = 4
STEP_NS = NS_PER_BAR // MOMENTS
LATENCY_NS = 1_000_000
THROUGH = 1.0
"""How far an order's price lies beyond the book, so that it is filled at once."""


def events_of(data: Any) -> Any:
    """Depth and trades as the simulator reads them: the old level goes, the new one comes, one trade."""
    bid = np.stack([data[name] for name in ("open", "low", "high", "close")], axis=1).ravel()
    ask = np.round(bid + TICK, 2)
    at_ns = (data["ts"][:, None] + STEP_NS * np.arange(MOMENTS)).ravel()
    gone_bid, gone_ask = np.roll(bid, 1), np.roll(ask, 1)
    gone_bid[0], gone_ask[0] = bid[0], ask[0]
    both = hft.EXCH_EVENT | hft.LOCAL_EVENT
    buys, sells = both | hft.BUY_EVENT, both | hft.SELL_EVENT
    kinds = (
        (buys | hft.DEPTH_EVENT, gone_bid, 0.0),
        (sells | hft.DEPTH_EVENT, gone_ask, 0.0),
        (buys | hft.DEPTH_EVENT, bid, 1000.0),
        (sells | hft.DEPTH_EVENT, ask, 1000.0),
        (sells | hft.TRADE_EVENT, bid, 1.0),
    )
    events = np.zeros(len(kinds) * len(bid), hft.event_dtype)
    for place, (kind, price, quantity) in enumerate(kinds):
        rows = events[place :: len(kinds)]
        rows["ev"], rows["px"], rows["qty"] = kind, price, quantity
        rows["exch_ts"] = at_ns + place
        rows["local_ts"] = at_ns + place + LATENCY_NS
    return events


@njit
def _walk(desk, bars):  # type: ignore[no-untyped-def]
    """Looks at every moment; (trades, moments)."""
    ups = downs = last = entry = 0.0
    now = before = 50.0
    looks = trades = order = entered = bar = 0
    # Looks fall between moments, when all events of the last one are through.
    desk.elapse(STEP_NS // 2)
    while bar < bars and desk.elapse(STEP_NS) == 0:
        depth = desk.depth(0)
        price = depth.best_bid
        # The first look in here is at the second moment of the first bar.
        closing = looks % MOMENTS == MOMENTS - 2
        looks += 1
        if closing:
            change = price - last if bar > 0 else 0.0
            up, down, last, before = max(change, 0.0), max(-change, 0.0), price, now
            if bar <= PERIOD:
                ups, downs = ups + up / PERIOD, downs + down / PERIOD
            else:
                ups = (ups * (PERIOD - 1) + up) / PERIOD
                downs = (downs * (PERIOD - 1) + down) / PERIOD
            if bar >= PERIOD and ups + downs > 0:
                now = 100.0 * ups / (ups + downs)
        if desk.position(0) > 0:
            beyond = price <= entry * (1 - STOP_FRACTION) or price >= entry * (1 + TARGET_FRACTION)
            if beyond or (closing and bar - entered >= HOLD_BARS):
                desk.submit_sell_order(0, order, price - THROUGH, 1.0, hft.GTC, hft.LIMIT, False)
                order, trades = order + 1, trades + 1
        elif closing and bar > PERIOD and now < BUY_BELOW <= before:
            desk.submit_buy_order(0, order, depth.best_ask + THROUGH, 1.0, hft.GTC, hft.LIMIT, False)
            order, entry, entered = order + 1, price, bar
        desk.clear_inactive_orders(0)
        bar += closing
    return trades


def main() -> None:
    """Measures in this process; making the simulator is part of a run, making its events is not."""
    path, rounds = asked()
    data = np.load(path)
    events, bars = events_of(data), len(data["ts"])

    def run() -> tuple[int, float]:
        asset = (
            hft.BacktestAsset()
            .data(events)
            .linear_asset(1.0)
            .constant_order_latency(LATENCY_NS, LATENCY_NS)
            .risk_adverse_queue_model()
            .no_partial_fill_exchange()
            .trading_value_fee_model(FEE_FRACTION, FEE_FRACTION)
            .tick_size(TICK)
            .lot_size(0.001)
        )
        desk = hft.HashMapMarketDepthBacktest([asset])
        trades = _walk(desk, bars)
        state = desk.state_values(0)
        held = float(desk.position(0)) * float(data["close"][-1])
        equity = CASH + float(state.balance) - float(state.fee) + held
        desk.close()
        return int(trades), equity

    times, (trades, equity) = timed(run, rounds)
    tell("hftbacktest", version("hftbacktest"), **times, trades=trades, final_equity=equity)


if __name__ == "__main__":
    main()
