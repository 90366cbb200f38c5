"""halt, resume, flatten, limit: what a person does to a desk."""

import json
import sys
from datetime import UTC, datetime
from getpass import getuser

from neuratrade.app.offline import resume_offline
from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.facts import KillPolicy
from neuratrade.hands.halt_file import raise_halt
from neuratrade.hands.inbox.submit import CONTROL, Answer, Outcome, submit_through_folder
from neuratrade.interfaces.cli.output import FAILED, console, print_error, print_json
from neuratrade.store.home import Home, is_held

ANSWER_WITHIN_S = 5.0


def halt_desk(reason: str, policy: str, *, as_json: bool) -> None:
    """Puts the HALT file there, and tells a running desk at once."""
    if policy not in list(KillPolicy):
        raise UsageError(f"policy {policy!r} is unknown: choose one of {', '.join(KillPolicy)}")
    home = Home.resolve().create()
    raise_halt(home.root, reason, KillPolicy(policy))
    if is_held(home):
        _report(_ask(home, {"action": "halt", "reason": reason, "policy": policy}), "halted", as_json=as_json)
        return
    _say(
        {"state": "HALTED", "running": False}, "no desk runs; the next one will start halted", as_json=as_json
    )


def resume_desk(reason: str, *, as_json: bool) -> None:
    """Takes the HALT file away and lifts what a person may lift."""
    home = Home.resolve()
    _remove_halt_files(home)
    if is_held(home):
        _report(_ask(home, {"action": "resume", "reason": reason}), "resumed", as_json=as_json)
        return
    state = resume_offline(home, _operator(), reason)
    _say({"state": state, "running": False}, f"no desk runs; the next one starts {state}", as_json=as_json)


def flatten_desk(reason: str, *, as_json: bool) -> None:
    """Leaves everything that is ours and halts. Needs a running desk: only it can send orders."""
    home = Home.resolve()
    if not is_held(home):
        raise UsageError(
            f"no desk runs in {home.root}: stops that rest at a venue stay; "
            "start it with `neuratrade run`, then flatten"
        )
    _report(_ask(home, {"action": "flatten", "reason": reason}), "flattening, halted", as_json=as_json)


def change_limit(name: str, value: str, reason: str, *, as_json: bool) -> None:
    """Changes a limit of the running desk."""
    home = Home.resolve()
    if not is_held(home):
        raise UsageError(f"no desk runs in {home.root}: limits of a desk that is not running are in its file")
    request = {"action": "set_limit", "reason": reason, "name": name, "value": value}
    _report(_ask(home, request), f"{name} = {value}", as_json=as_json)


def _remove_halt_files(home: Home) -> None:
    for name in ("HALT", "halt", "HALT.txt", "halt.txt"):
        path = home.root / name
        if path.is_dir() and not path.is_symlink():
            raise UsageError(f"{path} is a folder: remove it by hand, then resume")
        path.unlink(missing_ok=True)


def _operator() -> str:
    try:
        return getuser()
    except (OSError, KeyError):
        return "operator"


def _ask(home: Home, request: dict[str, str]) -> Answer:
    stamped = {"operator_id": _operator(), "timestamp": datetime.now(UTC).isoformat(), **request}
    return submit_through_folder(home.root, json.dumps(stamped).encode(), ANSWER_WITHIN_S, folder=CONTROL)


def _report(answer: Answer, done: str, *, as_json: bool) -> None:
    if answer.outcome is not Outcome.JUDGED:
        print_error(answer.text)
        sys.exit(FAILED)
    _say({"running": True, **json.loads(answer.text)}, done, as_json=as_json)


def _say(document: dict[str, object], sentence: str, *, as_json: bool) -> None:
    if as_json:
        print_json(document)
    else:
        console().print(sentence)
