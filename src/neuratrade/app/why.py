"""Why, and why not: the whole layer report of a decision, found by any id that belongs to it."""

from neuratrade.core.model import facts as f
from neuratrade.core.model.errors import UsageError
from neuratrade.store.reader import JournalReader

SHORTEST = 4
_KINDS = ("intent_judged", "order_planned", "bracket_closed")


def find_decision(reader: JournalReader, wanted: str) -> tuple[f.IntentJudged, f.BracketClosed | None]:
    """The newest decision whose intent, bracket or client order id begins with `wanted`, and its outcome.

    Raises UsageError when the id is too short, unknown, or fits several decisions.
    """
    wanted = wanted.strip().lower()
    if len(wanted) < SHORTEST:
        raise UsageError(f"{wanted!r} is too short: give at least {SHORTEST} characters of an id")
    judged: dict[str, f.IntentJudged] = {}
    closed: dict[str, f.BracketClosed] = {}
    for row in reader.rows(kinds=_KINDS):
        fact = row.fact()
        match fact:
            case f.IntentJudged(intent=intent):
                if intent.intent_id.startswith(wanted):
                    _keep_first_approved(judged, fact)
            case f.OrderPlanned(request=request) if request.client_order_id.startswith(wanted):
                return find_decision(reader, request.bracket_id)
            case f.BracketClosed(bracket_id=bracket_id):
                closed[bracket_id] = fact
            case _:
                pass
    if not judged:
        raise UsageError(
            f"no decision with id {wanted!r}: ids are shown by `neuratrade run`, `positions` and `orders`, "
            "or list the newest with `neuratrade why --last 10`"
        )
    if len(judged) > 1:
        listed = ", ".join(sorted(judged)[:5])
        raise UsageError(f"{wanted!r} fits {len(judged)} decisions: {listed}; give more characters")
    found = next(iter(judged.values()))
    return found, closed.get(found.intent.intent_id)


def last_decisions(reader: JournalReader, count: int, *, refused_only: bool = False) -> list[f.IntentJudged]:
    """The newest `count` decisions, newest last."""
    kept: list[f.IntentJudged] = []
    for row in reader.rows(kinds=("intent_judged",)):
        fact = row.fact()
        if isinstance(fact, f.IntentJudged) and not (refused_only and fact.approved):
            kept.append(fact)
            del kept[:-count]
    return kept


def _keep_first_approved(judged: dict[str, f.IntentJudged], fact: f.IntentJudged) -> None:
    """A repeated intent id is refused as a duplicate; the decision that counts is the one before."""
    known = judged.get(fact.intent.intent_id)
    if known is None or not known.approved:
        judged[fact.intent.intent_id] = fact
