"""Money that people moved while nobody knew what it was worth: peaks are shifted once somebody does.

Until then the account has no equity to judge by: measured against peaks that still count what was taken out,
a withdrawal would look like a loss, and a drawdown kill would flatten a book that lost nothing.
"""

from neuratrade.core.engine.markets import Markets
from neuratrade.core.engine.state import AccountState
from neuratrade.core.engine.turn import Turn
from neuratrade.core.model.facts import CashMoved

SETTLING = "transfer"


def settle_movements(turn: Turn, account: AccountState, markets: Markets) -> None:
    """Writes down the rate of what was moved without one, as a movement of nothing."""
    for currency in sorted(account.unrated):
        rate = markets.value_of_one(currency, account.account.currency)
        if rate is not None:
            turn.record(CashMoved(turn.at_ns, account.account.account_id, currency, kind=SETTLING, rate=rate))
