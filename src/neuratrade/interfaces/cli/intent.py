"""intent submit, intent schema."""

import json
import sys
from pathlib import Path

from neuratrade.app.looking import home_in_use
from neuratrade.core.model.errors import UsageError
from neuratrade.hands.inbox.delivery import Delivery
from neuratrade.hands.inbox.lines import documents
from neuratrade.hands.inbox.submit import Answer, Outcome, submit_through_folder
from neuratrade.hands.intent_schema import intent_json_schema
from neuratrade.interfaces.cli.output import (
    FAILED,
    console,
    print_error,
    print_json,
    print_note,
    styled,
    write_bytes,
)
from neuratrade.store.home import is_held


def print_schema() -> None:
    """Prints the JSON Schema of a proposal."""
    write_bytes(json.dumps(intent_json_schema(), indent=2).encode() + b"\n")


def submit_intents(file: str, timeout_s: float, *, as_json: bool) -> None:
    """Hands each document to the desk in order; exits 1 unless all were judged and approved."""
    home = home_in_use()
    found = _documents(file)
    if not found:
        raise UsageError(f"{file}: no document in it; see `neuratrade intent schema`")
    if home.root.is_dir() and not is_held(home):
        print_note(f"no desk runs in {home.root}; waiting {timeout_s:g} s for one")
    answers = []
    for item in found:
        answer = _ask(home.root, item, timeout_s)
        answers.append((item.name, answer))
        if not as_json:
            _print_answer(answer, "" if len(found) == 1 else f"{item.name}: ")
    good = all(_approved(answer) for _, answer in answers)
    if as_json:
        print_json({"ok": good, "answers": [_document(name, answer) for name, answer in answers]})
    if not good:
        sys.exit(FAILED)


def _documents(file: str) -> list[Delivery]:
    if file == "-":
        return list(documents(sys.stdin.buffer))
    path = Path(file).expanduser()
    try:
        with path.open("rb") as stream:
            return list(documents(stream, source=path.name))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); nothing was sent") from None


def _ask(root: Path, item: Delivery, timeout_s: float) -> Answer:
    """The desk's answer, or why there was nothing to send."""
    if item.faults:
        return Answer(Outcome.TURNED_AWAY, "\n".join(item.faults))
    return submit_through_folder(root, item.raw, timeout_s)


def _approved(answer: Answer) -> bool:
    return answer.outcome is Outcome.JUDGED and json.loads(answer.text).get("approved") is True


def _document(name: str, answer: Answer) -> dict[str, object]:
    """verdict: the desk's own (null without one). reasons: why there is none, a sentence each."""
    judged = answer.outcome is Outcome.JUDGED
    return {
        "document": name,
        "outcome": answer.outcome.value,
        "verdict": json.loads(answer.text) if judged else None,
        "reasons": [] if judged else answer.text.splitlines(),
    }


def _print_answer(answer: Answer, which: str) -> None:
    if answer.outcome is not Outcome.JUDGED:
        print_error("\n".join(f"{which}{line}" for line in answer.text.splitlines()))
        return
    out, verdict = console(), json.loads(answer.text)
    if verdict["approved"]:
        said = f" {verdict['intent_id']}, quantity {verdict['quantity']}"
        out.print(styled(f"{which}approved", "green") + said, soft_wrap=True)
    else:
        reasons = "; ".join(f"{item['layer']}: {item['reason']}" for item in verdict["refused_by"])
        out.print(styled(f"{which}refused", "red") + f" {verdict['intent_id']}: {reasons}", soft_wrap=True)
    for note in verdict["notes"]:
        out.print(styled("note", "yellow"), note)
