"""intent submit, intent schema."""

import json
import sys
from pathlib import Path

from neuratrade.core.model.errors import UsageError
from neuratrade.hands.inbox.lines import documents
from neuratrade.hands.inbox.submit import Answer, Outcome, submit_through_folder
from neuratrade.hands.intent_schema import intent_json_schema
from neuratrade.interfaces.cli.output import FAILED, console, print_error, print_json
from neuratrade.store.home import Home


def print_schema() -> None:
    """Prints the JSON Schema of a proposal."""
    sys.stdout.write(json.dumps(intent_json_schema(), indent=2) + "\n")


def submit_intents(file: str, timeout_s: float, *, as_json: bool) -> None:
    """Hands each document to the desk in order; exits 1 unless all were judged and approved."""
    home = Home.resolve()
    answers = [submit_through_folder(home.root, raw, timeout_s) for raw in _documents(file)]
    if not answers:
        raise UsageError(f"{file}: no document in it; see `neuratrade intent schema`")
    for answer in answers:
        _print_answer(answer, as_json=as_json)
    if not all(_approved(answer) for answer in answers):
        sys.exit(FAILED)


def _documents(file: str) -> list[bytes]:
    if file == "-":
        return [item.raw for item in documents(sys.stdin.buffer)]
    path = Path(file).expanduser()
    try:
        with path.open("rb") as stream:
            return [item.raw for item in documents(stream, source=path.name)]
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); nothing was sent") from None


def _approved(answer: Answer) -> bool:
    return answer.outcome is Outcome.JUDGED and json.loads(answer.text).get("approved") is True


def _print_answer(answer: Answer, *, as_json: bool) -> None:
    if as_json:
        verdict = json.loads(answer.text) if answer.outcome is Outcome.JUDGED else answer.text.splitlines()
        print_json({"outcome": answer.outcome.value, "verdict": verdict})
        return
    if answer.outcome is not Outcome.JUDGED:
        print_error(answer.text)
        return
    verdict = json.loads(answer.text)
    if verdict["approved"]:
        console().print(f"[green]approved[/] {verdict['intent_id']}, quantity {verdict['quantity']}")
    else:
        reasons = "; ".join(f"{item['layer']}: {item['reason']}" for item in verdict["refused_by"])
        console().print(f"[red]refused[/] {verdict['intent_id']}: {reasons}")
    for note in verdict["notes"]:
        console().print(f"[yellow]note[/] {note}", highlight=False)
