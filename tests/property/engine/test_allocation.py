"""Sharing out what no order of ours explains: whole, never more than held, in any order of the books."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from neuratrade.core.engine.fold.brackets import allocation
from neuratrade.core.engine.state import BracketState, DeskState
from neuratrade.core.model.approval import Envelope
from neuratrade.core.model.decimals import is_multiple
from neuratrade.core.model.intent import Direction
from neuratrade.core.model.orders import Side
from tests.simulation.world import ACCOUNT, PERP, D, intent

ZERO = Decimal(0)
holdings = st.lists(
    st.tuples(st.sampled_from(Direction), st.integers(0, 5000), st.integers(0, 4)), min_size=1, max_size=6
)


def state_of(rows: list[tuple[Direction, int, int]], order: list[int]) -> DeskState:
    state = DeskState(instruments={PERP.key: PERP}, brackets={})
    for place in order:
        direction, lots, opened_ns = rows[place]
        name = f"b{place}"
        proposal = replace(intent(name), direction=direction)
        side = Side.BUY if direction is Direction.LONG else Side.SELL
        envelope = Envelope("x", ACCOUNT.account_id, PERP.key, name, side, D(9), 0, 0)
        bracket = BracketState(proposal, envelope, D(9), D(1))
        bracket.entered, bracket.opened_ns = D(lots) * PERP.lot, opened_ns
        state.brackets[name] = bracket
    return state


@given(holdings, st.sampled_from(Side), st.integers(1, 30_000), st.randoms())
def test_shares_add_up_fit_and_do_not_depend_on_the_order_of_the_books(
    rows: list[tuple[Direction, int, int]], side: Side, lots: int, rng: object
) -> None:
    order = list(range(len(rows)))
    quantity = D(lots) * PERP.lot
    shared = allocation(state_of(rows, order), "paper", PERP.key, side, quantity)
    closes = Direction.LONG if side is Side.SELL else Direction.SHORT
    held = {f"b{place}": D(lots_) * PERP.lot for place, (way, lots_, _) in enumerate(rows) if way is closes}
    assert sum((share for _, share in shared), ZERO) == min(quantity, sum(held.values(), ZERO))
    for bracket, share in shared:
        assert ZERO < share <= held[bracket.bracket_id]
        assert is_multiple(share, PERP.lot)
    rng.shuffle(order)  # type: ignore[attr-defined]
    again = allocation(state_of(rows, order), "paper", PERP.key, side, quantity)
    named = [[(item.bracket_id, share) for item, share in one] for one in (shared, again)]
    assert named[0] == named[1]


@given(holdings, st.integers(1, 30_000))
def test_nobody_bears_a_lot_more_than_its_share_but_the_oldest(
    rows: list[tuple[Direction, int, int]], lots: int
) -> None:
    state = state_of(rows, list(range(len(rows))))
    quantity = D(lots) * PERP.lot
    shared = allocation(state, "paper", PERP.key, Side.SELL, quantity)
    total = sum((item.held for item in state.brackets.values() if item.intent.direction.sign > 0), ZERO)
    oldest = min(
        (item for item, _ in shared), key=lambda item: (item.opened_ns, item.bracket_id), default=None
    )
    for item, share in shared:
        if item is not oldest and oldest is not None and dict_of(shared)[oldest.bracket_id] < oldest.held:
            assert share <= min(quantity, total) * item.held / total


def dict_of(shared: list[tuple[BracketState, Decimal]]) -> dict[str, Decimal]:
    return {item.bracket_id: share for item, share in shared}
