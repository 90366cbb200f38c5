"""Mutants with a name: the mistakes a trading desk must never make, each as one exact change of the source.

They stand in `tests/mutants/named.toml`. A change is a snippet that occurs exactly once in its file and what
replaces it; when the source moves on and the snippet is gone, this fails instead of proving nothing.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

NAMED = "tests/mutants/named.toml"


class DoesNotApply(Exception):
    """A named mutant no longer fits the source."""


@dataclass(frozen=True, slots=True)
class NamedMutant:
    """One mistake. breaks: the sentence of what goes wrong. tests: each of these must fail because of it."""

    name: str
    file: str
    find: str
    replace: str
    breaks: str
    tests: tuple[str, ...]

    def applied_to(self, source: str) -> str:
        """The source with the mistake in it. Raises DoesNotApply unless the snippet occurs exactly once."""
        count = source.count(self.find)
        if count != 1:
            where = f"{self.name!r}: its snippet occurs {count} times in {self.file}, not once"
            raise DoesNotApply(f"{where}; bring {NAMED} up to date:\n{self.find}")
        return source.replace(self.find, self.replace)


def read_named(root: Path) -> list[NamedMutant]:
    """All of them, in the order of the file. Raises TypeError for a field that is missing or unknown."""
    entries = tomllib.loads((root / NAMED).read_text("utf-8"))["mutant"]
    return [NamedMutant(**(entry | {"tests": tuple(entry["tests"])})) for entry in entries]
