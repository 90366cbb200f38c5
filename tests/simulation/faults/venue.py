"""A venue with its own truth that does more than trade: it restarts, corrects, busts and liquidates."""

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction

from neuratrade.core.model import events as e
from neuratrade.core.model import facts as f
from neuratrade.core.model.intent import Direction
from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.core.model.orders import Fill, Liquidity, Side
from tests.simulation.faults.exchange import Exchange, correction_of
from tests.simulation.faults.kinds import Fault
from tests.simulation.faults.truth import ZERO, Execution, Holding

LIQUIDATION_WAIT_NS = 10 * NS_PER_SECOND


class FaultyVenue(Exchange):
    """The whole venue."""

    def restart(self) -> None:
        """Comes up again with other order ids."""
        self.epoch = chr(ord(self.epoch) + 1)
        for orders in self.live.values():
            for order in orders:
                order.vid = f"{self.epoch}{next(self.names)}"
                self.say(order, f.OrderAccepted(0, order.coid, order.vid))

    def correct(self, execution: Execution, *, bust: bool) -> None:
        """Changes an execution: busts it, or moves its price."""
        order = self.orders[execution.fill.client_order_id]
        fill = execution.fill
        contract = self.instruments[fill.instrument]
        before = self.holdings[order.bracket_id].held
        self.book(order, -execution.quantity, execution.price, -execution.fee, fill.fee_currency)
        order.filled -= execution.quantity
        if bust:
            execution.quantity = execution.fee = ZERO
        else:
            execution.price = fill.price + contract.tick * self.rng.choice((-2, -1, 1, 2))
            execution.fee, _ = self.fee(contract, fill.side, execution.quantity, execution.price)
        self.book(order, execution.quantity, execution.price, execution.fee, fill.fee_currency)
        order.filled += execution.quantity
        execution.corrected, execution.told, execution.changed_ns = True, False, self.now_ns
        holding = self.holdings[order.bracket_id]
        holding.excess += max(before - holding.held, ZERO)
        holding.returned += max(holding.held - before, ZERO)
        if order.live and bust:
            # What was busted is not open again.
            order.quantity -= fill.quantity
            order.shrunk = True
            if order.quantity <= order.filled:
                self.end(order, "cancelled")
        self.note(Fault.FILL_BUSTED if bust else Fault.FILL_CORRECTED, order.bracket_id)
        self.say(order, correction_of(order, execution))

    def liquidate(
        self, instrument: str, direction: Direction, quantity: Decimal, note_for: Iterable[str]
    ) -> None:
        """Closes a part of a position itself. Open orders there are cancelled first, new ones refused."""
        side = Side.SELL if direction is Direction.LONG else Side.BUY
        bid, ask = self.prices[instrument]
        price = bid if side is Side.SELL else ask
        contract = self.instruments[instrument]
        for order in list(self.live[instrument]):
            self.end(order, "liquidation")
        fee = contract.notional(quantity, price) / 1000
        fill = Fill(
            f"liq{next(self.names)}",
            "",
            self.account.account_id,
            instrument,
            side,
            quantity,
            price,
            fee,
            contract.quote,
            Liquidity.TAKER,
            self.now_ns,
        )
        self.liquidations[fill.trade_id] = fill
        self.money.pay(instrument, side, quantity, price, fee, contract.quote, direction)
        self.latched.add(instrument)
        for bracket_id in note_for:
            self.note(Fault.LIQUIDATED, bracket_id)
        self._tell_liquidation(fill)

    def _tell_liquidation(self, fill: Fill) -> None:
        """Word of it comes by the stream, behind what was executed before; where that is lost, so is this."""
        until_ns = self.now_ns + LIQUIDATION_WAIT_NS

        def tell() -> e.Event | None:
            silent = self.now_ns < self.silent_until_ns
            if not self.listening or silent or self.strikes(Fault.ACK_DROPPED) or self.now_ns > until_ns:
                return None
            if self.untold(fill.instrument):
                self.at(self.now_ns + NS_PER_SECOND, tell)
                return None
            return f.Liquidated(self.now_ns - self.skew_ns, fill)

        self.at(self.now_ns + self.latency_ns(), tell)

    def adopt(
        self, bracket_id: str, instrument: str, direction: Direction, quantity: Decimal, price: Decimal
    ) -> None:
        """The desk took over a stranger's holding, at a price; a negative quantity: that was lost again."""
        holding = self.holdings.setdefault(bracket_id, Holding(direction, instrument))
        holding.adopted = True
        holding.held += quantity
        holding.entered += quantity
        self.touched.add(bracket_id)
        self.stranger.hand_over(instrument, direction, quantity)
        contract = self.instruments[instrument]
        side = Side.BUY if direction is Direction.LONG else Side.SELL
        self.money.pay(instrument, side, quantity, price, ZERO, contract.quote, direction)
        if not contract.is_derivative:
            self.money.credit(contract.quote, Fraction(quantity) * Fraction(price) * side.sign)

    def trades(self, bracket_id: str, instrument: str) -> bool:
        """Whether a bracket sent orders in an instrument."""
        holding = self.holdings.get(bracket_id)
        return holding is not None and holding.instrument == instrument

    def untold(self, instrument: str) -> bool:
        """Whether executions of an instrument are still to be told, or orders still on their way there."""
        return any(
            (not order.arrived and not order.end) or any(not item.told for item in order.executions.values())
            for order in self.orders.values()
            if order.request.instrument == instrument
        )
