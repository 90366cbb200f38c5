"""Hold a document against its model and say everything that is wrong with it, at once and in words.

A sender that learns one fault a try gives up. So checks across fields still run when some fields are
bad: the bad ones are stood in for by the model's own example, and a check that reads one of them is
left out.
"""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Generic, TypeVar

import msgspec
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from neuratrade.core.model.facts import DoorRefused
from neuratrade.hands.strict_json import BadDocument, read_object, shown

MAX_ERRORS = 24
_NAME_CHARACTERS = 64
_SHOWN_CHARACTERS = 200

Model = TypeVar("Model", bound=BaseModel)


class Examined(msgspec.Struct, Generic[Model], frozen=True):
    """What came of holding a document against a model.

    document: the model, with stand-ins from the example for the fields in `bad`; None where the bytes
    were no JSON object at all. bad: names of fields that may not be used. errors: sentences
    `field: what; what to do`.
    """

    document: Model | None
    bad: frozenset[str]
    errors: tuple[str, ...]


def examine(raw: bytes, model: type[Model], example: Mapping[str, object], see: str) -> Examined[Model]:
    """Read `raw` as `model`. Never raises for anything that `raw` may hold.

    example: the fields of a document that the model accepts. see: where a sender finds the contract.
    """
    try:
        found = read_object(raw)
    except BadDocument as error:
        return Examined(None, frozenset(), (str(error),))
    errors = [f"{_field(name)}: given twice; give it once" for name in found.repeated[: MAX_ERRORS + 1]]
    bad = set(found.repeated)
    try:
        document = model.model_validate(found.fields)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=True)
        bad.update(str(detail["loc"][0]) for detail in details)
        errors.extend(_sentence(detail, model, see) for detail in details[: MAX_ERRORS + 1])
        document = _with_stand_ins(model, found.fields, bad, example)
    return Examined(document, frozenset(bad), tuple(errors))


def refusal(errors: Iterable[str], *, source: str, name: str, at_ns: int) -> DoorRefused:
    """The fact that something came in that could not be used, fit to be journaled and shown.

    Errors come without repeats and cut to a number that a person reads; source and name are what a
    stranger called them, so they are clipped and printable.
    """
    unique = tuple(dict.fromkeys(errors))
    if len(unique) > MAX_ERRORS:
        unique = (*unique[:MAX_ERRORS], "document: more is wrong; correct these first")
    return DoorRefused(at_ns=at_ns, source=printable(source), name=printable(name), errors=unique)


def printable(name: str) -> str:
    """A name from outside as it may stand in a journal and on a screen."""
    clipped = name[:_SHOWN_CHARACTERS]
    return clipped if clipped.isprintable() else ascii(clipped)[1:-1]


def nearest_of(name: str, known: Iterable[str]) -> str:
    """The known name most like `name`, or an empty string where none is like it."""
    by_folded = {candidate.casefold(): candidate for candidate in known}
    close = get_close_matches(name[:_NAME_CHARACTERS].casefold(), by_folded, n=1, cutoff=0.5)
    return by_folded[close[0]] if close else ""


def _with_stand_ins(
    model: type[Model], fields: Mapping[str, object], bad: set[str], example: Mapping[str, object]
) -> Model:
    needed = {name: value for name, value in example.items() if model.model_fields[name].is_required()}
    return model.model_validate(needed | {name: value for name, value in fields.items() if name not in bad})


def _sentence(detail: ErrorDetails, model: type[BaseModel], see: str) -> str:
    name = str(detail["loc"][0])
    where = _path(_without_kind(detail["loc"], model))
    if detail["input"] is None and name in model.model_fields and not model.model_fields[name].is_required():
        return f"{where}: null is no value; leave the field out"
    match detail["type"]:
        case "missing":
            return f"{where}: is missing; add it ({see})"
        case "extra_forbidden":
            unknown = str(detail["loc"][-1])
            known = list(_names_beside(detail["loc"], model))
            near = "" if unknown in known else nearest_of(unknown, known)
            return f"{where}: unknown field; " + (f"did you mean {near!r}?" if near else f"remove it ({see})")
        case "union_tag_not_found":
            return f"{where}: {shown(detail['input'])} names no type; send an object with type ({see})"
        case "union_tag_invalid":
            kind, known = shown(detail["ctx"]["tag"]), detail["ctx"]["expected_tags"].replace("'", "")
            return f"{where}.type: {kind} is none of {known}; send one of these"
        case "model_attributes_type":
            return f"{where}: {shown(detail['input'])} is no object; send one in braces ({see})"
        case "value_error":
            return f"{where}: {detail['ctx']['error']}"
        case _:
            return f"{where}: {shown(detail['input'])} does not fit: {detail['msg']} ({see})"


def _without_kind(loc: tuple[int | str, ...], model: type[BaseModel]) -> tuple[int | str, ...]:
    """The place as the sender wrote it: for an object of one of several kinds, without the kind's name."""
    field = model.model_fields.get(str(loc[0]))
    return loc if field is None or field.discriminator is None else (loc[0], *loc[2:])


def _names_beside(loc: tuple[int | str, ...], model: type[BaseModel]) -> Iterable[str]:
    """Names of the fields that stand where the unknown field stands."""
    if len(loc) == 1:
        return model.model_fields
    inner = model.model_json_schema().get("$defs", {}).values()
    return [name for definition in inner for name in definition.get("properties", {})]


def _path(loc: tuple[int | str, ...]) -> str:
    path = ""
    for part in loc:
        path += f"[{part}]" if isinstance(part, int) else ("." if path else "") + _field(part)
    return path


def _field(name: str) -> str:
    """A field's name as it came, or quoted and clipped where it is no plain name."""
    return name if name.isidentifier() and name.isascii() and len(name) <= _NAME_CHARACTERS else shown(name)
