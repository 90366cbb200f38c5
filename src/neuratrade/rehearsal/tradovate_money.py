"""The money of an account at Tradovate: cash, what positions brought and would bring, and their rows.

What is realised comes from the books of the matching engine, fill by fill, by trade date and without fees.
"""

from collections.abc import Callable
from decimal import Decimal

from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.orders import Side
from neuratrade.rehearsal.matching import MatchingEngine
from neuratrade.rehearsal.orders import Execution
from neuratrade.rehearsal.tradovate_words import USD, Said, day_of, stamp, trade_date

ACCOUNT_ID = 77


class Money:
    """Of one account."""

    def __init__(self, engine: MatchingEngine, now_ns: Callable[[], int]) -> None:
        self._engine = engine
        self._now_ns = now_ns
        self._begin = self.cash
        self._last = self._begin
        self._realised: dict[str, Decimal] = {}

    def take(self, done: Execution) -> None:
        """Notes what a fill brought; to be told of each in its order."""
        day = str(day_of(done.at_ns))
        brought = self.cash - self._last + done.fee
        self._realised[day] = self._realised.get(day, ZERO) + brought
        self._last = self.cash

    @property
    def realised_in_all(self) -> Decimal:
        """What positions brought since the start, before fees."""
        return sum(self._realised.values(), ZERO)

    @property
    def cash(self) -> Decimal:
        """Money of the account without what is open."""
        return sum(self._engine.account.balances.values(), ZERO)

    @property
    def realised(self) -> Decimal:
        """What positions brought on this trade date, before fees."""
        return self._realised.get(str(day_of(self._now_ns())), ZERO)

    @property
    def fees(self) -> Decimal:
        """What was paid in fees on this trade date."""
        today = day_of(self._now_ns())
        return sum((done.fee for done in self._engine.executions if day_of(done.at_ns) == today), ZERO)

    @property
    def open_profit(self) -> Decimal:
        """What positions would bring now."""
        total = ZERO
        for key, holding in self._engine.account.positions.items():
            quote, contract = self._engine.quotes.get(key), self._engine.contracts[key]
            mark = None if quote is None else quote.mid
            if mark is not None:
                total += (mark - holding.entry_price) * holding.quantity * contract.multiplier
        return total

    def position(self, done: Execution, contract_id: int, known: Said | None) -> Said:
        """The entity `position` after a fill. known: as it was before."""
        day = trade_date(day_of(done.at_ns))
        row: Said = known or {
            "id": ACCOUNT_ID * 1_000_000 + contract_id % 1_000_000,
            "accountId": ACCOUNT_ID,
            "contractId": contract_id,
            "prevPos": 0,
            "prevPrice": ZERO,
        }
        if known is None or known["tradeDate"] != day:
            row = row | {"bought": 0, "boughtValue": ZERO, "sold": 0, "soldValue": ZERO}
            if known is not None:
                row = row | {"prevPos": known["netPos"], "prevPrice": known["netPrice"]}
        holding = self._engine.account.positions[done.symbol]
        name = "bought" if done.side is Side.BUY else "sold"
        return {
            **row,
            "timestamp": stamp(done.at_ns),
            "tradeDate": day,
            "netPos": holding.quantity,
            "netPrice": holding.entry_price,
            name: row[name] + done.quantity,
            f"{name}Value": row[f"{name}Value"] + done.quantity * done.price,
        }

    def row(self) -> Said:
        """The entity `cashBalance`."""
        now_ns = self._now_ns()
        return {
            "id": ACCOUNT_ID,
            "accountId": ACCOUNT_ID,
            "timestamp": stamp(now_ns),
            "tradeDate": trade_date(day_of(now_ns)),
            "currencyId": USD,
            "amount": self.cash,
            "realizedPnL": self.realised,
            "weekRealizedPnL": self.realised_in_all,
            "amountSOD": self._begin,
        }
