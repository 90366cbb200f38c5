"""The judge: holds the desk to the venue's truth after every event.

Money and holdings are counted a second time here, in fractions, from the facts the desk booked. What the
desk may not do is written as rules:

1. Nothing reaches the venue twice, unsigned, or before its plan was safe; no entry while entries are shut;
   what was entered and may still be entered of a bracket never exceeds its approval.
2. What exits may still sell never exceeds what the bracket holds, but for what the venue itself took away
   and has not told yet (a busted entry, a liquidation), or an order it had denied having, twice, 2 s apart.
   Every filled unit is protected in time, or leaving: see `cover`.
3. Each execution is booked once.  4. Cash, holdings and lots are the sum of what was booked, exactly.
5. The fold of the written facts is the live state.  6. Stops only tighten, facts never go back in time.
7. What is in quarantine or counts as foreign is a stranger's, and what is a stranger's is known.
8. Where limits are the normal ones nothing makes exposure grow beyond them: see `exposure`.
"""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from neuratrade.core.engine.engine import Engine
from neuratrade.core.engine.fold import apply
from neuratrade.core.engine.fold.orders import NOT_THERE_AFTER_NS
from neuratrade.core.engine.state import DeskState, state_bytes
from neuratrade.core.model import commands as c
from neuratrade.core.model import facts as f
from neuratrade.core.model.approval import Approved, Envelope
from neuratrade.core.model.intent import OpenIntent
from neuratrade.core.model.orders import OrderRole
from neuratrade.store.keys import verify
from tests.simulation.faults.cover import Cover
from tests.simulation.faults.disk import Disk
from tests.simulation.faults.exposure import Exposure
from tests.simulation.faults.truth import BrokenPromise, Holding
from tests.simulation.faults.venue import FaultyVenue

ZERO = Decimal(0)
NOTHING = (ZERO, ZERO, ZERO)
BYTES_EVERY = 16


class Judge:
    """Remembers what was booked. One a world; it outlives every crash."""

    def __init__(
        self, venue: FaultyVenue, disk: Disk, public_key: str, cash: Decimal, *, limited: bool = False
    ) -> None:
        self.venue = venue
        self.disk = disk
        self.twin = DeskState()
        self.booked: dict[str, tuple[Decimal, Decimal, Decimal]] = {}
        self.cash: dict[str, Fraction] = {"USDT": Fraction(cash)}
        self.positions: dict[str, Fraction] = {}
        self.levels: dict[str, Decimal] = {}
        self.exposure = Exposure(venue) if limited else None
        self.latest_ns = 0
        self.steps = 0
        self._public_key = public_key
        self._signed: set[Envelope] = set()
        self.cover = Cover(venue)
        self._shares: dict[str, dict[str, Decimal]] = {}
        self._before: dict[int, tuple[Decimal, Decimal, Decimal]] = {}

    # what leaves

    def leaves(
        self, command: c.SubmitOrder | c.AmendOrder, desk_state: DeskState, *, journal_failed: bool
    ) -> None:
        """An order, or an amendment of one, is about to leave the process."""
        approved = command.order
        self._check_signature(approved)
        request = approved.request
        if request.client_order_id not in self.disk.planned:
            raise BrokenPromise(f"1: {request.client_order_id} leaves before its plan is safe")
        if isinstance(command, c.SubmitOrder) and request.role is OrderRole.ENTRY:
            if desk_state.trading_state is not f.TradingState.RUNNING:
                raise BrokenPromise(f"1: an entry leaves while {desk_state.trading_state}")
            if journal_failed:
                raise BrokenPromise("1: an entry leaves while the journal cannot be written")
        if request.role.reduces:
            growth = request.quantity
            if isinstance(command, c.AmendOrder):
                order = self.venue.orders[request.client_order_id]
                growth = max(command.quantity - order.filled - order.may_still_fill, ZERO)
            self._check_exits(request.bracket_id, growth)

    def _check_signature(self, approved: Approved) -> None:
        envelope = approved.envelope
        if envelope in self._signed:
            return
        if not verify(self._public_key, envelope.signed_text(), envelope.signature):
            raise BrokenPromise("1: an order leaves whose approval is not signed")
        self._signed.add(envelope)

    def _check_exits(self, bracket_id: str, growth: Decimal) -> None:
        holding = self.venue.holdings.get(bracket_id)
        if holding is None:
            raise BrokenPromise(f"2: an exit of {bracket_id} leaves before anything was entered")
        exits = [item for item in holding.orders if item.request.role.reduces]
        selling = sum((item.may_still_fill for item in exits if item.arrived or not item.denied), ZERO)
        if growth and selling + growth > abs(holding.held) + holding.excess:
            raise BrokenPromise(
                f"2: with {growth} more, exits of {bracket_id} may sell {selling + growth} of {holding.held}"
            )

    # what was recorded

    def recorded(self, facts: Sequence[f.Fact], payloads: Sequence[bytes]) -> None:
        """Facts were recorded: the twin takes them through the codec, money is counted again."""
        for fact, payload in zip(facts, payloads, strict=True):
            if fact.at_ns < self.latest_ns:
                raise BrokenPromise(f"6: {type(fact).__name__} at {fact.at_ns} after {self.latest_ns}")
            self.latest_ns = fact.at_ns
            if isinstance(fact, f.Liquidated):
                self._share(fact, payload)
            else:
                apply(self.twin, f.decode_fact(payload))
            self._count(fact, 1)
            self._check_levels(fact)
            if isinstance(fact, f.OrderNotFound):
                self._note_denial(fact)
            elif isinstance(fact, f.OrderAccepted | f.OrderRejected | f.OrderCancelled | f.OrderExpired):
                self._note_word(fact.client_order_id)

    def _note_denial(self, fact: f.OrderNotFound) -> None:
        """Two look-ups far enough apart that miss an order are the only proof there is that it never came."""
        order = self.venue.orders.get(fact.client_order_id)
        if order is None:
            return  # planned, but lost with the process before it left
        if order.missed_ns is None:
            order.missed_ns = fact.at_ns
        elif fact.at_ns - order.missed_ns >= NOT_THERE_AFTER_NS:
            order.denied = True

    def _note_word(self, coid: str) -> None:
        order = self.venue.orders.get(coid)
        if order is not None:
            order.phantom = False

    def restored(self, state: DeskState) -> None:
        """A restart found this: what was lost never was."""
        self.twin = state
        self.levels |= {key: bracket.stop_price for key, bracket in state.brackets.items()}

    def forget(self, facts: Sequence[f.Fact]) -> None:
        """Facts were lost in a crash. What the venue had told, it does not tell again by itself."""
        for fact in reversed(facts):
            self._count(fact, -1)

    def _share(self, fact: f.Liquidated, payload: bytes) -> None:
        """What each bracket lost by a liquidation is the desk's own rule; that it sums up is checked."""
        before = {key: bracket.held for key, bracket in self.twin.brackets.items()}
        apply(self.twin, f.decode_fact(payload))
        shares = {key: held - self.twin.brackets[key].held for key, held in before.items()}
        if sum(shares.values(), ZERO) != fact.fill.quantity:
            raise BrokenPromise(f"3: a liquidation of {fact.fill.quantity} is shared out as {shares}")
        self._shares[fact.fill.trade_id] = shares
        self._bear(shares, 1)

    def _bear(self, shares: dict[str, Decimal], sign: int) -> None:
        for bracket_id, share in shares.items():
            if share:
                holding = self.venue.holdings[bracket_id]
                holding.held -= share * sign
                holding.excess += max(share * sign, ZERO)

    def _count(self, fact: f.Fact, sign: int) -> None:
        match fact:
            case f.OrderFilled(fill=fill):
                execution = self.venue.executions[fill.trade_id]
                if sign > 0 and fill.trade_id in self.booked:
                    raise BrokenPromise(f"3: execution {fill.trade_id} is booked a second time")
                terms = (fill.quantity, fill.price, fill.fee)
                self._move(fill.trade_id, NOTHING, terms, sign)
                execution.told = sign > 0 and terms == (execution.quantity, execution.price, execution.fee)
            case f.FillCorrected(trade_id=trade_id):
                execution = self.venue.executions[trade_id]
                terms = (fact.quantity, fact.price, fact.fee)
                if sign > 0:
                    self._before[id(fact)] = self.booked.get(trade_id, NOTHING)
                else:
                    # The desk knows of a busted entry no more.
                    bust = max(self._before[id(fact)][0] - fact.quantity, ZERO)
                    self.venue.holdings[self.venue.orders[fact.client_order_id].bracket_id].excess += bust
                self._move(trade_id, self._before[id(fact)], terms, sign)
                execution.told = sign > 0 and terms == (execution.quantity, execution.price, execution.fee)
            case f.Liquidated(fill=fill):
                known = self.venue.liquidations[fill.trade_id]
                if sign > 0 and fill.trade_id in self.booked:
                    raise BrokenPromise(f"3: liquidation {fill.trade_id} is booked a second time")
                if (known.quantity, known.fee) != (fill.quantity, fill.fee):
                    raise BrokenPromise(f"3: of liquidation {known} only {fill.quantity} was booked")
                self._pay(
                    fill.instrument,
                    fill.quantity * fill.side.sign * sign,
                    fill.price,
                    fill.fee * sign,
                    fill.fee_currency,
                )
                if sign > 0:
                    self.booked[fill.trade_id] = (fill.quantity, fill.price, fill.fee)
                    self.venue.latched.discard(fill.instrument)
                else:
                    del self.booked[fill.trade_id]
                    self._bear(self._shares[fill.trade_id], -1)
                    self.venue.latched.add(fill.instrument)
            case f.ForeignAdopted(intent=intent, quantity=quantity, price=price):
                self.venue.adopt(
                    intent.intent_id, intent.instrument, intent.direction, quantity * sign, price
                )
                signed = quantity * intent.direction.sign * sign
                contract = self.venue.instruments[intent.instrument]
                self._pay(intent.instrument, signed, price, ZERO, contract.quote)
                if not contract.is_derivative:
                    self.cash[contract.quote] += Fraction(signed) * Fraction(price)
                if intent.stop_price is not None:
                    self.levels[intent.intent_id] = intent.stop_price
            case _:
                pass

    def _move(
        self,
        trade_id: str,
        was: tuple[Decimal, Decimal, Decimal],
        now: tuple[Decimal, Decimal, Decimal],
        sign: int,
    ) -> None:
        fill = self.venue.executions[trade_id].fill
        if sign < 0:
            was, now = now, was
        for (quantity, price, fee), times in ((was, -1), (now, 1)):
            signed = quantity * fill.side.sign * times
            self._pay(fill.instrument, signed, price, fee * times, fill.fee_currency)
        if sign < 0 and now == NOTHING:
            del self.booked[trade_id]
        else:
            self.booked[trade_id] = now

    def _pay(self, instrument: str, signed: Decimal, price: Decimal, fee: Decimal, currency: str) -> None:
        contract = self.venue.instruments[instrument]
        cash = self.cash
        cost = Fraction(signed) * Fraction(price) * Fraction(contract.multiplier)
        cash[contract.quote] = cash.get(contract.quote, Fraction(0)) - cost
        held = self.positions.get(instrument, Fraction(0)) + Fraction(signed)
        if not contract.is_derivative:
            cash[contract.base] = cash.get(contract.base, Fraction(0)) + Fraction(signed)
            if currency == contract.base:
                held -= Fraction(fee)
        self.positions[instrument] = held
        cash[currency] = cash.get(currency, Fraction(0)) - Fraction(fee)

    def _check_levels(self, fact: f.Fact) -> None:
        match fact:
            case f.IntentJudged(intent=OpenIntent(stop_price=level) as opened, approved=True) if (
                level is not None
            ):
                self.levels[opened.intent_id] = level
            case f.TrailMoved() | f.StopMoved():
                before = self.levels[fact.bracket_id]
                sign = self.twin.brackets[fact.bracket_id].intent.direction.sign
                if (fact.stop_price - before) * sign <= 0:
                    raise BrokenPromise(
                        f"6: the stop of {fact.bracket_id} was loosened from {before}: {fact}"
                    )
                self.levels[fact.bracket_id] = fact.stop_price
            case _:
                pass

    # after every event

    def check(self, engine: Engine, facts: Sequence[f.Fact], now_ns: int, *, whole: bool = False) -> None:
        """All that must hold after an event."""
        state = engine.state
        self.steps += 1
        if whole or (facts and self.steps % BYTES_EVERY == 0):
            if state_bytes(state) != state_bytes(self.twin):
                raise BrokenPromise("5: the fold of the journal is not the live state")
        elif facts and state != self.twin:
            raise BrokenPromise("5: the fold of the journal is not the live state")
        if any(isinstance(item, f.OrderFilled | f.FillCorrected | f.Liquidated) for item in facts):
            self.check_money(state)
        touched = self.venue.touched
        if touched:
            for bracket_id in touched:
                holding = self.venue.holdings.get(bracket_id)
                if holding is not None:
                    self._check_holding(bracket_id, holding, state)
        if self.exposure is not None and (facts or touched):
            self.exposure.check(state, facts)
        touched.clear()
        self.cover.check(state, facts, now_ns)

    def check_money(self, state: DeskState) -> None:
        """Cash and holdings are exactly the sum of what was booked, lots make up the position."""
        (account,) = state.accounts.values()
        cash = {currency: Fraction(amount) for currency, amount in account.balances.items()}
        held: dict[str, Fraction] = {}
        for key, position in account.positions.items():
            name = key.partition("/LONG")[0].partition("/SHORT")[0]
            contract = self.venue.instruments[name]
            quantity = Fraction(position.quantity)
            held[name] = held.get(name, Fraction(0)) + quantity
            if sum((Fraction(lot.quantity) for lot in position.lots), Fraction(0)) != quantity:
                raise BrokenPromise(f"4: the lots of {key} do not make up its position")
            if contract.is_derivative:
                cost = sum(
                    (Fraction(lot.quantity) * Fraction(lot.price) for lot in position.lots), Fraction(0)
                )
                cash[contract.quote] -= cost * Fraction(contract.multiplier)
        for currency in cash | self.cash:
            mine, sums = cash.get(currency, Fraction(0)), self.cash.get(currency, Fraction(0))
            if mine != sums:
                raise BrokenPromise(f"4: {float(mine)} {currency} in the books, fills make {float(sums)}")
        for name in held | self.positions:
            if held.get(name, Fraction(0)) != self.positions.get(name, Fraction(0)):
                raise BrokenPromise(
                    f"4: {name}: {held.get(name)} held in the books, fills make {self.positions[name]}"
                )

    def _check_holding(self, bracket_id: str, holding: Holding, state: DeskState) -> None:
        orders = holding.orders
        selling = sum((item.remaining for item in orders if item.live and item.request.role.reduces), ZERO)
        if selling <= abs(holding.held):
            coming = sum((item.may_still_fill for item in orders if item.request.role.reduces), ZERO)
            untold = any(
                item.phantom or any(not done.told for done in item.executions.values()) for item in orders
            )
            if coming <= abs(holding.held) and not untold:
                holding.excess = ZERO
        elif selling > abs(holding.held) + holding.excess:
            raise BrokenPromise(f"2: exits of {bracket_id} may sell {selling}, it holds {holding.held}")
        entering = sum((item.may_still_fill for item in orders if not item.request.role.reduces), ZERO)
        bracket = state.brackets.get(bracket_id)
        if bracket is not None and holding.entered + entering > bracket.envelope.max_quantity:
            raise BrokenPromise(
                f"1: {holding.entered} + {entering} entered of {bracket.envelope.max_quantity} approved"
            )

    # at the end

    def knows_all(self) -> bool:
        """Whether everything the venue executed is booked as it is."""
        return all(
            self.booked.get(trade_id) == (item.quantity, item.price, item.fee)
            for trade_id, item in self.venue.executions.items()
        ) and all(trade_id in self.booked for trade_id in self.venue.liquidations)

    def strange_things(self, state: DeskState) -> list[str]:
        """What the desk holds for foreign and is not, and what is foreign but not known to it."""
        (account,) = state.accounts.values()
        stranger = self.venue.stranger
        theirs = {f"{item.instrument}:{item.trade_id}" for item in stranger.fills}
        found = [
            f"{item.kind.value} {item.reference} is in quarantine: {item.detail}"
            for item in state.quarantine.values()
            if not stranger.fills or (item.kind is f.QuarantineKind.FILL and item.reference not in theirs)
        ]
        for key in account.foreign.keys() | stranger.held.keys():
            mine, true = account.foreign.get(key, ZERO), stranger.held.get(key, ZERO)
            named = any(item.startswith(f"position {key}: ") for item in account.differences)
            if mine != true and not named:
                found.append(f"{mine} of {key} counts as foreign, a stranger holds {true}")
        return found

    def check_end(self, state: DeskState) -> None:
        """Nothing is open, nothing in doubt, and both books are the same."""
        if state.brackets or state.orders:
            raise BrokenPromise(f"6: still open at the end: {_describe(state)}")
        open_there = [item.coid for orders in self.venue.live.values() for item in orders]
        if open_there:
            raise BrokenPromise(f"6: still working at the venue at the end: {open_there}")
        for trade_id, execution in self.venue.executions.items():
            terms = (execution.quantity, execution.price, execution.fee)
            if self.booked.get(trade_id) != terms:
                raise BrokenPromise(
                    f"3: execution {trade_id} {terms} is booked as {self.booked.get(trade_id)}"
                )
        for strange in self.strange_things(state):
            raise BrokenPromise(f"7: {strange}")
        if len(self.booked) != len(self.venue.executions) + len(self.venue.liquidations):
            raise BrokenPromise("3: more is booked than the venue executed")
        self.check_money(state)
        for currency, amount in self.venue.cash.items():
            if self.cash.get(currency, Fraction(0)) != amount:
                raise BrokenPromise(
                    f"4: {currency}: the venue has {float(amount)}, the desk {float(self.cash[currency])}"
                )
        (account,) = state.accounts.values()
        for key in account.positions.keys() | self.venue.positions.keys():
            mine = account.positions[key].quantity if key in account.positions else ZERO
            if mine != self.venue.positions.get(key, ZERO):
                raise BrokenPromise(
                    f"4: {key}: the venue has {self.venue.positions.get(key)}, the desk {mine}"
                )


def _describe(state: DeskState) -> str:
    brackets = [
        f"{item.bracket_id} {item.phase.value} held {item.held} orders "
        + str(
            [
                (
                    order.request.role.value,
                    order.status.value,
                    order.asked,
                    str(order.quantity),
                    str(order.filled),
                    str(order.stated),
                )
                for order in state.orders.values()
                if order.request.bracket_id == item.bracket_id and order.is_live
            ]
        )
        for item in state.brackets.values()
    ]
    return f"{brackets}, timers {list(state.timers)}, {state.trading_state.value}"
