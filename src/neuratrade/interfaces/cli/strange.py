"""adopt, quarantine: what a person does about things at a venue that are not the desk's, or unexplained."""

from decimal import Decimal, InvalidOperation

from neuratrade.app.looking import home_in_use, look_at
from neuratrade.core.model.errors import UsageError
from neuratrade.interfaces.cli.look import quarantine_documents
from neuratrade.interfaces.cli.operate import ask_desk
from neuratrade.interfaces.cli.output import console, print_json, table, when

NOT_RUNNING = "only a running desk can do this; start it with `neuratrade run`"


def adopt_holding(instrument: str, stop: str, reason: str, account: str, *, as_json: bool) -> None:
    """Gives a foreign holding to the running desk, with its stop."""
    try:
        price = Decimal(stop)
    except InvalidOperation:
        raise UsageError(f"--stop {stop!r} is no number: write a price such as 59000.5") from None
    if not (price.is_finite() and price > 0):
        raise UsageError(f"--stop {stop!r} is no price: write one above zero")
    request: dict[str, object] = {
        "action": "adopt",
        "instrument": instrument,
        "stop_price": price,
        "reason": reason,
    }
    done = f"{instrument} is the desk's now, guarded by a stop at {stop}"
    ask_desk(_of_account(request, account), NOT_RUNNING, done, as_json=as_json)


def lift_quarantine(reference: str, reason: str, account: str, *, as_json: bool) -> None:
    """Settles one thing at the running desk."""
    request: dict[str, object] = {"action": "lift_quarantine", "reference": reference, "reason": reason}
    ask_desk(_of_account(request, account), NOT_RUNNING, f"lifted: {reference}", as_json=as_json)


def _of_account(request: dict[str, object], account: str) -> dict[str, object]:
    return request | {"account_id": account} if account else request


def list_quarantine(*, as_json: bool) -> None:
    """Prints what is in quarantine, oldest first."""
    state = look_at(home_in_use()).state
    if as_json:
        print_json(quarantine_documents(state))
        return
    if not state.quarantine:
        console().print("nothing is in quarantine")
        return
    listed = table("quarantine", "reference", "kind", "account", "instrument", "since", "what")
    for item in sorted(state.quarantine.values(), key=lambda item: (item.at_ns, item.reference)):
        kind = item.kind.value
        row = (item.reference, kind, item.account_id, item.instrument, when(item.at_ns), item.detail)
        listed.add_row(*row)
    console().print(listed)
