"""Which mutants are tried, with which tests, and which of them no test could ever see."""

from __future__ import annotations

import ast
import hashlib
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

from tools.mutants.operators import Mutant, mutants_of

CALLS = "__calls_noted__"
BUDGETS_S = (20.0, 90.0)
"""Processor seconds of tests a mutant meets at most, round by round, the quickest first.

Most are caught in the first round. What survives it meets the worlds and whole days too, which are slow.
"""
EQUIVALENT = "tools/mutants/equivalent.toml"

FAULTS = "tests/simulation/faults/test_fault_worlds.py"
ROOMS = {
    "src/neuratrade/core/risk": ("tests/unit/risk", "tests/property/risk", "tests/semantics"),
    "src/neuratrade/core/engine": (
        "tests/unit/engine",
        "tests/property/engine",
        "tests/semantics",
        "tests/simulation/test_worlds.py",
        "tests/simulation/test_sliced_worlds.py",
        "tests/simulation/test_restarts.py",
        f"{FAULTS}::test_a_world_of_faults_breaks_no_promise",
        f"{FAULTS}::test_a_crash_at_any_boundary_of_the_first_turns_breaks_no_promise",
        "tests/unit/hands/test_account_events.py",
        "tests/unit/hands/test_recorder.py",
        "tests/unit/hands/test_reference_work.py",
        "tests/unit/hands/test_simulated.py",
        "tests/unit/hands/test_strategy_guard.py",
        "tests/unit/hands/test_trades.py",
        "tests/unit/app/test_reopening.py",
        "tests/unit/app/test_stance.py",
        "tests/unit/app/test_whatif.py",
        "tests/unit/store/test_projections.py",
        "tests/unit/venues/test_paper_bars.py",
        "tests/property/store/test_projected_positions.py",
    ),
}
"""Each mutated folder with the tests that must catch what is broken in it: its own, and what drives it.

A folder, a file, or one test of a file. Left out is what drives the engine in real time or in another
process: that waits more than it looks, or looks at the source of the checkout.
"""


@dataclass(frozen=True, slots=True)
class Equivalent:
    """A mutant that does what the original does, found so by a person. before, after: as they are printed."""

    file: str
    function: str
    before: str
    after: str
    why: str


def read_equivalents(root: Path) -> list[Equivalent]:
    """The reviewed list."""
    return [Equivalent(**entry) for entry in tomllib.loads((root / EQUIVALENT).read_text("utf-8"))["mutant"]]


def all_mutants(root: Path, folders: Iterable[str]) -> list[Mutant]:
    """Every mutant of every file in these folders, in order of path and place."""
    files = sorted(path for folder in folders for path in (root / folder).rglob("*.py"))
    return [
        mutant
        for path in files
        for mutant in mutants_of(path.read_text("utf-8"), path.relative_to(root).as_posix())
    ]


def sample(mutants: list[Mutant], count: int, seed: int) -> list[Mutant]:
    """`count` of them by lot, in their old order.

    The lot of a mutant is drawn from its own words, so an edit elsewhere does not shuffle all the others.
    """
    seen: dict[str, int] = {}
    lots = []
    for place, mutant in enumerate(mutants):
        words = f"{seed}|{mutant.file}|{mutant.function}|{mutant.before}|{mutant.after}"
        seen[words] = seen.get(words, 0) + 1
        lots.append((hashlib.sha256(f"{words}|{seen[words]}".encode()).digest(), place))
    return [mutants[place] for place in sorted(place for _, place in sorted(lots)[:count])]


def apart(
    mutants: list[Mutant], equivalents: list[Equivalent]
) -> tuple[list[Mutant], list[tuple[Mutant, str]], list[Equivalent]]:
    """Mutants to try; the equivalent ones with their reasons; entries of the list that fit none any more."""
    reasons = {(item.file, item.function, item.before, item.after): item for item in equivalents}
    kept, equal, used = [], [], set()
    for mutant in mutants:
        key = (mutant.file, mutant.function, mutant.before, mutant.after)
        if key in reasons:
            used.add(key)
            equal.append((mutant, reasons[key].why))
        else:
            kept.append(mutant)
    return kept, equal, [item for key, item in reasons.items() if key not in used]


def noting_calls(source: str, file: str) -> str:
    """The same source, but each function adds its name to the set CALLS, which its runner has to make."""
    tree = ast.parse(source, filename=file)
    _note_calls(tree, file, [])
    return ast.unparse(ast.fix_missing_locations(tree))


def _note_calls(node: ast.AST, file: str, scopes: list[str]) -> None:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef):
            inner = [*scopes, child.name]
            name = f"{file}:{'.'.join(inner)}"
            _note_calls(child, file, [*inner, "<locals>"])
            child.body[:0] = ast.parse(f"{CALLS}.add({name!r})").body
        else:
            _note_calls(child, file, [*scopes, child.name] if isinstance(child, ast.ClassDef) else scopes)


class Calls:
    """Which tests call which function, and the processor seconds of each, on sources that note calls."""

    def __init__(self, measured: dict[str, Any]) -> None:
        self.seconds: dict[str, float] = {test: ran["seconds"] for test, ran in measured["tests"].items()}
        self._at_import = set(measured["at_import"])
        self._tests: dict[str, set[str]] = {}
        for test, ran in measured["tests"].items():
            for name in ran["calls"]:
                self._tests.setdefault(name, set()).add(test)

    def rounds_for(self, mutant: Mutant) -> list[dict[str, float]]:
        """Tests of the mutant's room that can see it, with their seconds: what calls its function.

        Of code that runs at import (constants, tables, defaults) all tests of the room. In either case the
        quickest of them, round by round as many as fit into BUDGETS_S, but at least one. A round without any
        is left out.
        """
        folders = next(tests for room, tests in ROOMS.items() if mutant.file.startswith(f"{room}/"))
        room = {test for test in self.seconds if test.startswith(folders)}
        name = f"{mutant.file}:{mutant.function}"
        if mutant.function != "<module>" and name not in self._at_import:
            room &= self._tests.get(name, set())
        left = sorted(room, key=lambda test: (self.seconds[test], test))
        rounds: list[dict[str, float]] = []
        for budget_s in BUDGETS_S:
            spent = accumulate(self.seconds[test] for test in left)
            fitting = sum(total_s <= budget_s for total_s in spent)
            chosen = left[: max(fitting, 0 if rounds else 1)]
            left = left[len(chosen) :]
            if chosen:
                rounds.append({test: self.seconds[test] for test in chosen})
        return rounds
