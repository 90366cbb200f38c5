"""The DNA file: read, checked as a whole, and turned into the frozen structs of the core.

`load_dna` promises that a DNA it returns can be traded: every name exists, every number lies in its range,
every strategy can be built for every asset, and no limit is looser than the desk's own. Otherwise it raises
DnaRefused with every problem at once, each with file, line, column, path, what was found, what is allowed
and the nearest valid key. A DNA that loads by half would trade with thresholds nobody chose.
"""

import hashlib
import types
import typing
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from importlib.resources import as_file, files
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from neuratrade.app.dna_schema import DNA_FILE, given
from neuratrade.app.dna_values import nearest, shown
from neuratrade.app.strict_yaml import Document, Mark, Place, dotted, read_document, where
from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.errors import UsageError
from neuratrade.core.model.intent import EntryType, Lane
from neuratrade.core.strategies.dna import (
    LIMIT_KEYS,
    AssetDna,
    CalibrationBucket,
    Distance,
    Dna,
    ExitDna,
    RiskDna,
    StrategyDna,
    Target,
)
from neuratrade.core.strategies.registry import KINDS, build_strategies, default_settings

SHIPPED = "strategy_dna.yaml"


class Problem(msgspec.Struct, frozen=True):
    """One thing wrong with a DNA file. place: dotted path. line and column count from 1."""

    line: int
    column: int
    place: str
    what: str


class DnaRefused(UsageError):
    """A DNA file whose content cannot be traded; the DNA in use stays. problems: all of them, by line."""

    def __init__(self, path: Path, problems: tuple[Problem, ...]) -> None:
        self.path = path
        self.problems = problems
        lines = (f"{where(path, Mark(p.line, p.column))}: {p.place}: {p.what}" for p in problems)
        super().__init__("\n".join(lines))


def load_dna(path: Path) -> Dna:
    """The DNA in the file at `path`.

    Raises YamlRefused for a file that is no strict YAML, DnaRefused for one that says something it may not;
    both are UsageError. There is no default for a file that was named: a desk whose DNA is missing must not
    trade another.
    """
    document = read_document(path)
    try:
        block = DNA_FILE.model_validate(document.root)
    except ValidationError as error:
        details = error.errors(include_url=False)
        raise _refused(document, [_problem(document, detail) for detail in details]) from None
    dna, found = _Conversion(document).dna(given(block))
    if found:
        raise _refused(document, found)
    return dna


def default_dna() -> Dna:
    """The DNA that ships with the package."""
    with as_file(files("neuratrade") / "data" / SHIPPED) as path:
        return load_dna(path)


def dna_sha256(raw: bytes) -> str:
    """Hex digest that names a DNA: SHA-256 of the file's bytes, as `sha256sum` prints it."""
    return hashlib.sha256(raw).hexdigest()


def _refused(document: Document, problems: list[Problem]) -> DnaRefused:
    return DnaRefused(document.path, tuple(sorted(problems, key=lambda p: (p.line, p.column, p.place))))


def _problem(document: Document, detail: ErrorDetails) -> Problem:
    """A finding of the schema, with its place in the file."""
    # Pydantic marks a finding about a key of a mapping with a last part "[key]".
    place: Place = tuple(part for part in detail["loc"] if part != "[key]")
    found = shown(detail["input"])
    mark = document.key_mark(place) if "[key]" in detail["loc"] else document.value_mark(place)
    match detail["type"]:
        case "extra_forbidden":
            mark, keys = document.key_mark(place), _keys_at(place[:-1])
            what = f"unknown key{nearest(place[-1], keys) or '; allowed are ' + ', '.join(keys)}"
        case "missing":
            mark, what = document.key_mark(place[:-1]), "missing; this key is required"
        case "dna_value":
            what = detail["msg"]
        case "model_type" | "model_attributes_type" | "dict_type":
            what = (
                f"found {found}; allowed is a block of keys: {', '.join(_keys_at(place)) or 'one an asset'}"
            )
        case "tuple_type":
            what = f"found {found}; allowed is a list"
        case _:
            what = f"found {found}; {detail['msg']}"
    return Problem(mark.line, mark.column, dotted(place), what)


def _keys_at(place: Place) -> tuple[str, ...]:
    """The keys the schema knows for the block at `place`."""
    here: object = DNA_FILE
    for part in place:
        here = _inner(here, part)
    block = next(_blocks(here), None)
    return () if block is None else tuple(block.model_fields)


def _inner(kind: object, part: str | int) -> object:
    block = next(_blocks(kind), None)
    if block is not None:
        return block.model_fields[str(part)].annotation
    arguments = [item for one in _union(kind) for item in typing.get_args(one)]
    return arguments[0] if isinstance(part, int) else arguments[-1]


def _blocks(kind: object) -> Iterator[type[BaseModel]]:
    for item in _union(kind):
        if isinstance(item, type) and issubclass(item, BaseModel):
            yield item


def _union(kind: object) -> tuple[object, ...]:
    """The members of `X | None` without None; any other kind alone."""
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        return tuple(item for item in typing.get_args(kind) if item is not type(None))
    return (kind,)


class _Conversion:
    """Turns validated blocks into core structs, and collects what is wrong between fields."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []

    def object_to(self, place: Place, what: str) -> None:
        mark = self.document.key_mark(place)
        self.problems.append(Problem(mark.line, mark.column, dotted(place), what))

    def attempt(self, place: Place, check: Callable[[], object]) -> None:
        try:
            check()
        except ValueError as error:
            self.object_to(place, str(error))

    def dna(self, file: dict[str, Any]) -> tuple[Dna, list[Problem]]:
        shared = self.exit(file.get("exit"), ("exit",))
        settings = given(file.get("strategies"))
        strategies = {name: self.strategy(name, given(settings.get(name)), shared) for name in KINDS}
        dna = Dna(
            version=file["version"],
            last_updated_ns=file["last_updated"],
            assets={
                name: self.asset(name, given(block), strategies) for name, block in file["entry"].items()
            },
            strategies=strategies,
            risk=self.risk(given(file.get("risk"))),
            calibration=self.calibration(given(file.get("learning"))),
            sha256=dna_sha256(self.document.raw),
        )
        if not dna.assets:
            self.object_to(("entry",), "no asset; name at least one, such as BTC/USDT")
        if not self.problems:
            self.attempt(("entry",), lambda: build_strategies(dna))
        return dna, self.problems

    def asset(self, name: str, block: dict[str, Any], settings: dict[str, StrategyDna]) -> AssetDna:
        place: Place = ("entry", name)
        names: tuple[str, ...] = block["strategies"]
        for index, strategy in enumerate(names):
            if strategy in names[:index]:
                self.object_to((*place, "strategies", index), f"{strategy} is named twice; keep one")
        thresholds = {key: given(inner) for key, inner in given(block.get("thresholds")).items()}
        for strategy, own in thresholds.items():
            inner = (*place, "thresholds", strategy)
            if strategy not in names:
                what = f"{strategy} does not trade {name}; name it under {dotted((*place, 'strategies'))}"
                self.object_to(inner, what)
            if own:
                values = settings[strategy].parameters | own
                self.attempt(inner, partial(KINDS[strategy].check, values))
        return AssetDna(
            asset=name,
            strategies=names,
            max_hold_time_minutes=block["max_hold_time_minutes"],
            min_volume_24h=block["min_volume_24h"],
            allow_short=block.get("allow_short", True),
            thresholds=thresholds,
        )

    def strategy(self, name: str, block: dict[str, Any], shared: ExitDna | None) -> StrategyDna:
        place: Place = ("strategies", name)
        default = default_settings(name)
        plain = {key: value for key, value in block.items() if key not in ("exit", "parameters")}
        own = self.exit(block.get("exit"), (*place, "exit"))
        dna = msgspec.structs.replace(
            default,
            **plain
            | {
                "lane": Lane(plain.get("lane", default.lane)),
                "order_type": EntryType(plain.get("order_type", default.order_type)),
                "exit": own or shared or default.exit,
                "parameters": default.parameters | given(block.get("parameters")),
            },
        )
        if dna.confidence_floor > dna.confidence_cap:
            what = f"confidence_floor ({dna.confidence_floor}) is above confidence_cap ({dna.confidence_cap})"
            self.object_to(place, what)
        self.attempt((*place, "parameters"), lambda: KINDS[name].check(dna.parameters))
        return dna

    def exit(self, block: BaseModel | None, place: Place) -> ExitDna | None:
        keys = given(block)
        if not keys:
            return None
        stop = self.distance(keys.get("stop_atr"), keys.get("stop_pct"), ("stop_atr", "stop_pct"), place)
        targets = []
        for index, rung in enumerate(keys["targets"]):
            atr, pct = rung.distance_atr, rung.distance_pct
            at: Place = (*place, "targets", index)
            distance = self.distance(atr, pct, ("distance_atr", "distance_pct"), at)
            targets.append(Target(distance, rung.fraction))
        self.ladder(tuple(targets), (*place, "targets"))
        return ExitDna(stop, tuple(targets), keys.get("trailing_pct"))

    def distance(
        self, atr: Decimal | None, pct: Decimal | None, names: tuple[str, str], place: Place
    ) -> Distance:
        if (atr is None) == (pct is None):
            found = "neither" if atr is None else "both"
            self.object_to(place, f"found {found} of {names[0]} and {names[1]}; give exactly one")
            return Distance(pct=ZERO)
        return Distance(atr, pct)

    def ladder(self, targets: tuple[Target, ...], place: Place) -> None:
        if not targets:
            self.object_to(place, "no target; give at least one")
        total = sum((target.fraction for target in targets), ZERO)
        if total > 1:
            self.object_to(place, f"the fractions add up to {total}; at most 1 can be sold")
        if len({target.distance.atr is None for target in targets}) > 1:
            self.object_to(place, "targets in ATR and in pct cannot be put in order; use one of them")
            return
        reach = [target.distance.atr or target.distance.pct or ZERO for target in targets]
        if any(near >= far for near, far in pairwise(reach)):
            self.object_to(place, "each target must lie further than the one before it")

    def risk(self, block: dict[str, Any]) -> RiskDna:
        limits = {LIMIT_KEYS[key]: Decimal(value) for key, value in block.items() if key in LIMIT_KEYS}
        return RiskDna(block.get("blacklist", ()), limits)

    def calibration(self, block: dict[str, Any]) -> tuple[CalibrationBucket, ...]:
        place: Place = ("learning", "confidence_calibration")
        buckets = tuple(CalibrationBucket(**given(item)) for item in block.get("confidence_calibration", ()))
        reached = ZERO
        for index, bucket in enumerate(buckets):
            low, high = bucket.confidence_from, bucket.confidence_to
            if low >= high:
                self.object_to(
                    (*place, index), f"confidence_from ({low}) must lie below confidence_to ({high})"
                )
            elif low < reached:
                what = f"begins at {low}, inside the bucket before it, which ends at {reached}"
                self.object_to((*place, index), what)
            reached = max(reached, high)
        return buckets
