"""Hand a document to a running desk from another process, and bring its verdict back.

Promise: the caller learns one of four things for certain or is told that it is uncertain. `JUDGED`: the
desk's own verdict. `TURNED_AWAY`: no valid document, with the reasons. `WITHDRAWN`: no desk took it in
time and none ever will. `UNKNOWN`: a desk took it and has not answered yet; asking again with a new id
could double it, so the message says how to look instead.
"""

import os
import secrets
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

import msgspec

from neuratrade.core.model.errors import UsageError
from neuratrade.hands.inbox.files import write_whole
from neuratrade.hands.inbox.folder import ANSWER, DONE, REASON, REJECTED
from neuratrade.hands.strict_json import MAX_BYTES

INTENTS, CONTROL = "intents", "control"
_LOOK_EVERY_S = 0.02
_GRACE_S = 1.0


class Outcome(StrEnum):
    """How far a submitted document got."""

    JUDGED = "judged"
    TURNED_AWAY = "turned_away"
    WITHDRAWN = "withdrawn"
    UNKNOWN = "unknown"


class Answer(msgspec.Struct, frozen=True):
    """outcome, and with it the verdict's JSON (JUDGED), the reasons a line each (TURNED_AWAY) or advice."""

    outcome: Outcome
    text: str


def submit_through_folder(
    home: Path,
    raw: bytes,
    timeout_s: float,
    *,
    folder: str = INTENTS,
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> Answer:
    """Put `raw` into a folder of the desk's home and wait at most `timeout_s` (plus 1 s) for the verdict.

    Raises UsageError when there is no home, no permission, or the document is too large to be taken.
    """
    inbox = home / folder
    name = _put(inbox, raw)
    waiting = inbox / name
    deadline = monotonic() + timeout_s
    while monotonic() < deadline:
        answer = _answer_in(inbox, name)
        if answer is not None:
            return answer
        sleep(_LOOK_EVERY_S)
    try:
        waiting.unlink()
    except FileNotFoundError:
        return _late_answer(inbox, name, sleep, monotonic)
    return Answer(
        Outcome.WITHDRAWN,
        f"no desk took it within {timeout_s:g} s, so it was withdrawn and nothing was done;"
        f" start a desk on {home} (`neuratrade run`) and send it again",
    )


def _put(inbox: Path, raw: bytes) -> str:
    if len(raw) > MAX_BYTES:
        raise UsageError(f"document: {len(raw)} bytes, the limit is {MAX_BYTES}; send one document at a time")
    if not inbox.parent.is_dir():
        raise UsageError(f"{inbox.parent}: no desk lives here; run `neuratrade run` or set NEURATRADE_HOME")
    name = f"{time.time_ns()}-{os.getpid()}-{secrets.token_hex(4)}.json"
    try:
        inbox.mkdir(exist_ok=True)
        write_whole(inbox / name, raw, durable=True)
    except OSError as error:
        raise UsageError(
            f"{inbox}: cannot be written ({error.strerror}); nothing was sent; check who owns the folder"
        ) from error
    return name


def _late_answer(
    inbox: Path, name: str, sleep: Callable[[float], None], monotonic: Callable[[], float]
) -> Answer:
    deadline = monotonic() + _GRACE_S
    while True:
        answer = _answer_in(inbox, name)
        if answer is not None:
            return answer
        if monotonic() >= deadline:
            return Answer(
                Outcome.UNKNOWN,
                f"the desk took it and has not answered yet; do not send it again: look for"
                f" {inbox / DONE / name}{ANSWER}, or ask `neuratrade why` for its id",
            )
        sleep(_LOOK_EVERY_S)


def _answer_in(inbox: Path, name: str) -> Answer | None:
    for place, ending, outcome in (
        (DONE, ANSWER, Outcome.JUDGED),
        (REJECTED, REASON, Outcome.TURNED_AWAY),
    ):
        try:
            text = (inbox / place / f"{name}{ending}").read_text("utf-8", errors="replace")
        except FileNotFoundError:
            continue
        except OSError as error:
            return Answer(
                Outcome.UNKNOWN, f"the verdict cannot be read ({error.strerror}); ask `neuratrade why`"
            )
        return Answer(outcome, text.strip())
    return None
