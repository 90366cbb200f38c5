"""Limits that Tradovate itself keeps an account to, set as the net under the desk.

They are the only protection that is left when the desk is down: at a limit the venue cancels everything,
closes all positions and lets nothing be opened. They are no replacement for stops, since they look at the
whole account and act late. What was set is read back, and a backstop that is not there as asked is refused.
It is never unlocked from here, and never locks its own limits against change.
"""

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from neuratrade.core.model.errors import Refused
from neuratrade.venues.limiter import Urgency
from neuratrade.venues.tradovate.errors import Missing
from neuratrade.venues.tradovate.questions import Ask
from neuratrade.venues.tradovate.words import instant, number, stamp

ENTITY = "userAccountAutoLiq"


class Backstop(msgspec.Struct, frozen=True):
    """Limits of an account; None leaves one alone.

    daily_loss, weekly_loss: US dollars lost at which all is closed. trailing_drawdown: US dollars below the
    highest value of the account. flatten_ns: when all is closed, whatever stands.
    """

    daily_loss: Decimal | None = None
    weekly_loss: Decimal | None = None
    trailing_drawdown: Decimal | None = None
    flatten_ns: int | None = None


class WireLimits(msgspec.Struct, frozen=True, rename="camel"):
    """The entity. id: of the account, since nothing else in it names one."""

    id: int
    daily_loss_auto_liq: Decimal | None = None
    weekly_loss_auto_liq: Decimal | None = None
    trailing_max_drawdown: Decimal | None = None
    flatten_timestamp: str | None = None


def backstop_of(equity: Decimal, fractions: Mapping[str, Decimal]) -> Backstop:
    """A backstop from the desk's own limits. fractions: `daily_loss`, `weekly_loss`, `drawdown` of equity."""

    def dollars(name: str) -> Decimal | None:
        share = fractions.get(name)
        return None if share is None else (equity * share).quantize(Decimal("0.01"))

    return Backstop(dollars("daily_loss"), dollars("weekly_loss"), dollars("drawdown"))


async def set_backstop(ask: Ask, account: int, wanted: Backstop) -> None:
    """Sets the limits of an account and reads them back. Raises Refused where they are not there as asked."""
    amounts = {
        "dailyLossAutoLiq": wanted.daily_loss,
        "weeklyLossAutoLiq": wanted.weekly_loss,
        "trailingMaxDrawdown": wanted.trailing_drawdown,
    }
    body: dict[str, object] = {"id": account}
    body |= {name: number(amount) for name, amount in amounts.items() if amount is not None}
    if wanted.flatten_ns is not None:
        body["flattenTimestamp"] = stamp(wanted.flatten_ns)
    text = msgspec.json.encode(body).decode()
    await ask(f"{ENTITY}/update", body=text, urgency=Urgency.PROTECT)
    stands = await _limits(ask, account)
    if stands is None or not _holds(stands, wanted):
        raise Refused(
            "Tradovate does not show the limits it was given for this account (it may not be allowed to set "
            "them): set them on its site, or open the adapter without a backstop"
        )


async def _limits(ask: Ask, account: int) -> WireLimits | None:
    try:
        raw = await ask(f"{ENTITY}/item", query=f"id={account}", urgency=Urgency.PROTECT)
    except Missing:
        return None
    return msgspec.json.decode(raw, type=WireLimits)


def _holds(stands: WireLimits, wanted: Backstop) -> bool:
    pairs = (
        (stands.daily_loss_auto_liq, wanted.daily_loss),
        (stands.weekly_loss_auto_liq, wanted.weekly_loss),
        (stands.trailing_max_drawdown, wanted.trailing_drawdown),
    )
    amounts = all(asked is None or told == asked for told, asked in pairs)
    if wanted.flatten_ns is None:
        return amounts
    return amounts and instant(stands.flatten_timestamp, 0) // 10**9 == wanted.flatten_ns // 10**9
