"""The live desk on ccxt's Binance, over real sockets: what it does when the venue is slow, silent or wrong."""

from neuratrade.core.model import facts as f
from neuratrade.core.model.orders import OrderRole, OrderStatus
from tests.loopback.ccxt_desk import CcxtWorld, lived
from tests.contract.rehearsal.binance_world import BTC, D


async def entered(world: CcxtWorld) -> str:
    """Enters at market and waits for the stop; returns the stop's id."""
    entry = world.propose()
    bracket = world.engine.state.brackets[entry.bracket_id]
    await world.until(lambda: bracket.held > 0 and bracket.protected, "the entry is filled and guarded")
    return world.planned(OrderRole.STOP)[-1].client_order_id


def test_an_entry_fills_is_guarded_at_the_venue_and_leaves_at_its_target() -> None:
    async def story(world: CcxtWorld) -> None:
        stop = await entered(world)
        resting = world.simulator.engine.find(stop)
        assert resting is not None
        assert resting.is_conditional
        bracket = next(iter(world.engine.state.brackets.values()))
        assert (bracket.held, resting.quantity) == (D("0.999"), D("0.999"))
        world.quote("109")
        world.quote("111")
        await world.until(lambda: not world.engine.state.brackets, "the bracket is over")
        assert world.facts(f.BracketClosed)[0].reason is f.CloseReason.TP
        assert set(world.simulator.submissions.values()) == {1}
        await world.compared()
        assert world.differences == ()
        assert not world.simulator.engine.open_orders()

    lived(story)
