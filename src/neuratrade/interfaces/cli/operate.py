"""halt, resume, flatten, limit: what a person does to a desk."""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from getpass import getuser
from pathlib import Path

import msgspec

from neuratrade.app.looking import home_in_use, made
from neuratrade.core.model.errors import Retryable, UsageError
from neuratrade.core.model.facts import KillPolicy, TradingState
from neuratrade.core.risk.limits import parse_limit
from neuratrade.hands.halt_file import HaltFile, raise_halt
from neuratrade.hands.inbox.submit import CONTROL, Answer, Outcome, submit_through_folder
from neuratrade.interfaces.cli.output import console, print_json
from neuratrade.store.errors import DatabaseAbsent
from neuratrade.store.home import Home, is_held

ANSWER_WITHIN_S = 5.0
_encoder = msgspec.json.Encoder(decimal_format="number")
HALT_FILES = frozenset(("halt", "halt.txt"))


def halt_desk(reason: str, policy: str, *, as_json: bool) -> None:
    """Puts the HALT file there, and tells a running desk at once."""
    if policy not in list(KillPolicy):
        raise UsageError(f"--policy {policy!r} is unknown: choose one of {', '.join(KillPolicy)}")
    home = made(home_in_use())
    raise_halt(home.root, reason, KillPolicy(policy))
    if not is_held(home):
        done = {"state": "HALTED", "running": False}
        _say(done, "halted: no desk runs, and the next one will start halted", as_json=as_json)
        return
    try:
        answer = _ask(home, {"action": "halt", "reason": reason, "policy": policy})
    except UsageError as error:
        raise _file_stands(home, str(error)) from error
    if answer.outcome is Outcome.WITHDRAWN:
        raise _file_stands(home, f"the desk did not answer in {ANSWER_WITHIN_S:g} s")
    _report(answer, "halted", as_json=as_json)


def resume_desk(reason: str, *, as_json: bool) -> None:
    """Takes the HALT file away and lifts what a person may lift; puts it back where that failed."""
    home = home_in_use()
    if not is_held(home):
        from neuratrade.app.offline import resume_offline

        try:
            state = resume_offline(home, _operator(), reason)
        except DatabaseAbsent:
            if not _halt_files(home):
                raise
            state = TradingState.RUNNING.value
        _remove_halt_files(home)
        done = {"state": state, "running": False}
        _say(done, f"resumed: no desk runs, and the next one starts {state}", as_json=as_json)
        return
    # A running desk resumes only once the file is gone.
    seen = HaltFile(home.root).look()
    _remove_halt_files(home)
    answer: Answer | None = None
    try:
        answer = _ask(home, {"action": "resume", "reason": reason})
    finally:
        if seen is not None and (answer is None or answer.outcome is not Outcome.JUDGED):
            raise_halt(home.root, seen.reason, seen.policy)
    _report(answer, "resumed", as_json=as_json)


def flatten_desk(reason: str, *, as_json: bool) -> None:
    """Leaves everything that is ours and halts. Needs a running desk: only it can send orders."""
    home = _held_home("stops that rest at a venue stay; start it with `neuratrade run`, then flatten")
    try:
        answer = _ask(home, {"action": "flatten", "reason": reason})
    except UsageError as error:
        # Where no request can be written, on a full disk for example, the file still can.
        raise_halt(home.root, reason, KillPolicy.FLATTEN_ALL)
        raise _file_stands(home, str(error)) from error
    _report(answer, "flattening, halted", as_json=as_json)


def change_limit(name: str, value: str, reason: str, *, as_json: bool) -> None:
    """Changes a limit of the running desk."""
    parse_limit(name, value)
    home = _held_home(f"limits of the next run are in {home_in_use().config}")
    request = {"action": "set_limit", "reason": reason, "name": name, "value": value}
    _report(_ask(home, request), f"{name} = {value}", as_json=as_json)


def _file_stands(home: Home, why: str) -> Retryable:
    return Retryable(
        f"the HALT file stands in {home.root}, but {why}: the desk obeys when it sees the file; look with "
        "`neuratrade status`"
    )


def _held_home(otherwise: str) -> Home:
    home = home_in_use()
    if not is_held(home):
        raise Retryable(f"no desk runs in {home.root}: {otherwise}")
    return home


def _remove_halt_files(home: Home) -> None:
    for path in _halt_files(home):
        if path.is_dir() and not path.is_symlink():
            raise UsageError(f"{path} is a folder: remove it by hand, then resume")
        path.unlink(missing_ok=True)


def _halt_files(home: Home) -> list[Path]:
    if not home.root.is_dir():
        return []
    with os.scandir(home.root) as entries:
        return [Path(entry.path) for entry in entries if entry.name.casefold() in HALT_FILES]


def _operator() -> str:
    try:
        return getuser()
    except (OSError, KeyError):
        return "operator"


def ask_desk(request: dict[str, object], otherwise: str, done: str, *, as_json: bool) -> None:
    """Asks the running desk for something and prints its answer. otherwise: what to do where none runs."""
    _report(_ask(_held_home(otherwise), request), done, as_json=as_json)


def _ask(home: Home, request: Mapping[str, object]) -> Answer:
    stamped = {"operator_id": _operator(), "timestamp": datetime.now(UTC).isoformat(), **request}
    return submit_through_folder(home.root, _encoder.encode(stamped), ANSWER_WITHIN_S, folder=CONTROL)


def _report(answer: Answer, done: str, *, as_json: bool) -> None:
    if answer.outcome is not Outcome.JUDGED:
        raise Retryable(answer.text)
    _say({"running": True, **json.loads(answer.text)}, done, as_json=as_json)


def _say(document: dict[str, object], sentence: str, *, as_json: bool) -> None:
    if as_json:
        print_json(document)
    else:
        console().print(sentence, soft_wrap=True)
