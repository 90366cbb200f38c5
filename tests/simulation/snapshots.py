"""What a venue says it has: by default exactly what the desk's books hold, or single things otherwise."""

from collections.abc import Mapping
from typing import Any

from neuratrade.core.engine.engine import Step
from neuratrade.core.engine.state import DeskState, OrderState
from neuratrade.core.model import events as e
from neuratrade.core.model.market import NS_PER_MS
from neuratrade.core.model.orders import Fill, Liquidity, OrderType, Side
from tests.simulation.hand import Hand
from tests.simulation.world import PERP, D

CONDITIONAL = (OrderType.STOP, OrderType.STOP_LIMIT)


def listed(order: OrderState, **other: Any) -> e.VenueOrder:
    """An order of ours as a venue lists it."""
    request = order.request
    terms: dict[str, Any] = {
        "client_order_id": request.client_order_id,
        "venue_order_id": order.venue_order_id or f"V{request.client_order_id[:8]}",
        "instrument": request.instrument,
        "side": request.side,
        "quantity": order.quantity,
        "filled": order.filled,
        "stop_price": order.stop_price,
    }
    return e.VenueOrder(**(terms | other))


def strange_order(name: str = "mine", instrument: str = PERP.key) -> e.VenueOrder:
    """An order that no desk of ours placed."""
    return e.VenueOrder(name, f"V-{name}", instrument, Side.BUY, D(3))


def strange_fill(trade_id: str, at_ns: int, quantity: D | int | str = 1, order: str = "") -> Fill:
    """An execution of no order of ours."""
    price, fee = D(100), D(0)
    return Fill(
        trade_id, order, "paper", PERP.key, Side.BUY, D(quantity), price, fee, "USDT", Liquidity.TAKER, at_ns
    )


def books(state: DeskState) -> dict[str, D]:
    """Signed units an instrument, as the account's ledger has them, foreign ones included."""
    account = state.accounts["paper"]
    held: dict[str, D] = dict(account.foreign)
    for key, position in account.positions.items():
        name = key.split("/LONG")[0].split("/SHORT")[0]
        held[name] = held.get(name, D(0)) + position.quantity
    return held


def snapshot(
    hand: Hand,
    *,
    asked_ms_ago: int = 0,
    positions: Mapping[str, D | int | str] | None = None,
    balances: Mapping[str, D | int | str] | None = None,
    fills: tuple[Fill, ...] = (),
    extra: tuple[e.VenueOrder, ...] = (),
    without: tuple[str, ...] = (),
    **other: Any,
) -> e.VenueSnapshot:
    """What a venue that agrees with the books would say, and what it says otherwise.

    positions, balances: amounts that are other than in the books. extra: further plain orders. without:
    client ids that are not listed. other: fields of the snapshot itself.
    """
    state = hand.state
    live = [
        order
        for order in state.orders.values()
        if order.is_live and not order.status.is_final and order.request.client_order_id not in without
    ]
    held = books(state) | {key: D(value) for key, value in (positions or {}).items()}
    money = dict(state.accounts["paper"].balances) | {
        currency: D(value) for currency, value in (balances or {}).items()
    }
    fields: dict[str, Any] = {
        "at_ns": hand.now_ns,
        "account_id": "paper",
        "asked_ns": hand.now_ns - asked_ms_ago * NS_PER_MS,
        "plain": (*(listed(o) for o in live if o.request.order_type not in CONDITIONAL), *extra),
        "conditional": tuple(listed(o) for o in live if o.request.order_type in CONDITIONAL),
        "positions": held,
        "balances": money,
        "fills": fills,
    }
    return e.VenueSnapshot(**(fields | other))


def look(hand: Hand, **other: Any) -> Step:
    """One look at the venue."""
    return hand.step(snapshot(hand, **other))


def look_twice(hand: Hand, **other: Any) -> Step:
    """Two looks at the same thing, ten seconds apart; the second one's step."""
    look(hand, **other)
    hand.seconds(10)
    return look(hand, **other)


def begun(**other: Any) -> Hand:
    """A desk that has compared its empty books with its venue once."""
    hand = Hand(**other)
    look(hand)
    hand.seconds(10)
    return hand
