"""Tradovate's own limits on an account: what the client sets there, and what the venue does at them.

They are the only protection that outlives the desk. At a limit the venue closes all positions, cancels all
orders and lets the account only liquidate until the next trade date, or for good where `doNotUnlock` is set.
"""

from collections.abc import Callable
from decimal import Decimal

from neuratrade.core.model.decimals import ZERO
from neuratrade.rehearsal.matching import MatchingEngine
from neuratrade.rehearsal.tradovate_book import Book
from neuratrade.rehearsal.tradovate_contracts import Contracts, Listed
from neuratrade.rehearsal.tradovate_hours import Hours
from neuratrade.rehearsal.tradovate_money import ACCOUNT_ID
from neuratrade.rehearsal.tradovate_terms import Terms
from neuratrade.rehearsal.tradovate_words import Failed, Said, day_of, stamp, violations

LIMITS = (
    "changesLocked",
    "marginPercentageAlert",
    "marginPercentageLiqOnly",
    "marginPercentageAutoLiq",
    "dailyLossAlert",
    "dailyLossPercentageAlert",
    "dailyLossLiqOnly",
    "dailyLossPercentageLiqOnly",
    "dailyLossAutoLiq",
    "dailyLossPercentageAutoLiq",
    "weeklyLossAutoLiq",
    "weeklyLossPercentageAutoLiq",
    "flattenTimestamp",
    "trailingMaxDrawdown",
    "trailingMaxDrawdownLimit",
    "trailingMaxDrawdownMode",
    "dailyProfitAutoLiq",
    "weeklyProfitAutoLiq",
    "doNotUnlock",
)
NAMES = ("id", "accountId", "asOwner")


class Risk:
    """The limits of one account. flatten: cancels all of a contract and closes it."""

    def __init__(
        self,
        engine: MatchingEngine,
        book: Book,
        contracts: Contracts,
        hours: Hours,
        now_ns: Callable[[], int],
    ) -> None:
        self._engine = engine
        self._book = book
        self._contracts = contracts
        self._hours = hours
        self._now_ns = now_ns
        self.limits: Said = {}
        self.liquidate_only_since_ns: int | None = None
        self.locked = False
        self.flatten: Callable[[Listed], int] = lambda _listed: 0

    def status(self) -> Said:
        """The entity `accountRiskStatus`."""
        self._unlock()
        row: Said = {"id": ACCOUNT_ID, "userTriggeredLiqOnly": False}
        if self.liquidate_only_since_ns is not None:
            row["liquidateOnly"] = stamp(self.liquidate_only_since_ns)
        if self.locked:
            row["adminAction"] = "LockTradingImmediately"
        return row

    def limit_rows(self) -> list[Said]:
        """Entities `userAccountAutoLiq`."""
        return [self.limits] if self.limits else []

    def margin_row(self) -> Said:
        """The entity `marginSnapshot`."""
        held = self._engine.margin()
        kept = sum(
            (
                self._engine.contracts[key].notional(item.quantity, item.entry_price)
                * (self._engine.contracts[key].maintenance_margin or ZERO)
                for key, item in self._engine.account.positions.items()
            ),
            ZERO,
        )
        return {
            "id": ACCOUNT_ID,
            "timestamp": stamp(self._now_ns()),
            "riskTimePeriodId": 1,
            "initialMargin": held,
            "maintenanceMargin": kept,
            "totalUsedMargin": held,
            "fullInitialMargin": held,
            "positionMargin": held,
            "totalUsedFullMargin": held,
        }

    def set(self, body: Said, *, create: bool) -> Said:
        """`userAccountAutoLiq/create` and `/update`. Raises TradovateError."""
        number = body.get("accountId" if create else "id", body.get("accountId"))
        if number != ACCOUNT_ID:
            raise violations(("required", "accountId of this user"))
        unknown = [name for name in body if name not in (*LIMITS, *NAMES)]
        if unknown:
            raise violations(*(("unknown", f"{name} is no limit") for name in unknown))
        before = {} if create else self.limits
        event = "Updated" if self.limits else "Created"
        given = {name: value for name, value in body.items() if name in LIMITS}
        self.limits = {**before, **given, "id": ACCOUNT_ID}
        self._book.tell("userAccountAutoLiq", self.limits, event)
        self.watch()
        return self.limits

    def admit(self, body: Said, listed: Listed, terms: Terms) -> None:
        """Refuses what the account may not do now. Raises Failed."""
        self._unlock()
        if self.locked:
            raise Failed("TradingLocked", "trading is locked")
        if self.liquidate_only_since_ns is None or listed.instrument is None:
            return
        held = self._engine.account.position(listed.instrument.key)
        signed = terms.quantity if body["action"] == "Buy" else -terms.quantity
        if held * signed >= 0 or abs(signed) > abs(held):
            raise Failed("LiquidationOnly", "the account may only close what it holds")

    def watch(self) -> None:
        """Liquidates where a limit is reached."""
        most = self._number("dailyLossAutoLiq")
        if most is None or self.liquidate_only_since_ns is not None:
            return
        if self._book.money.realised - self._book.money.fees + self._book.money.open_profit > -most:
            return
        self.liquidate_only_since_ns = self._now_ns()
        self._book.tell("accountRiskStatus", self.status(), "Updated")
        for listed in self._contracts.listed.values():
            self.flatten(listed)

    def _number(self, name: str) -> Decimal | None:
        value = self.limits.get(name)
        return None if value is None else Decimal(str(value))

    def _unlock(self) -> None:
        since_ns = self.liquidate_only_since_ns
        if since_ns is None or self.limits.get("doNotUnlock"):
            return
        if day_of(since_ns) != day_of(self._now_ns()):
            self.liquidate_only_since_ns = None
            self._book.tell("accountRiskStatus", self.status(), "Updated")
