"""The pages name things that exist: tests, files, and the one place that approves orders."""

import re
from pathlib import Path

import pytest


def names_of_tests_in(folder: Path) -> set[str]:
    """Every test function there is."""
    found: set[str] = set()
    for file in folder.rglob("test_*.py"):
        found.update(re.findall(r"^\s*(?:async )?def (test_\w+)", file.read_text("utf-8"), re.MULTILINE))
    return found


def test_every_test_the_guarantees_name_exists(repository: Path) -> None:
    page = (repository / "docs" / "guarantees.md").read_text("utf-8")
    named = set(re.findall(r"`(test_\w+)`", page))
    assert len(named) >= 20
    assert named - names_of_tests_in(repository / "tests") == set()


@pytest.mark.parametrize("page", ["README.md", "docs/tour.md", "docs/guarantees.md", "CONTRIBUTING.md"])
def test_every_link_of_a_page_leads_somewhere(repository: Path, page: str) -> None:
    path = repository / page
    for target in re.findall(r"\]\(([^)#]+)\)", path.read_text("utf-8")):
        if "://" not in target:
            assert (path.parent / target).exists(), f"{page} links to {target}"


@pytest.mark.parametrize(
    "page", ["add-a-risk-layer.md", "add-an-indicator.md", "add-a-strategy.md", "add-data.md"]
)
def test_a_how_to_fits_in_thirty_lines(repository: Path, page: str) -> None:
    assert len((repository / "docs" / "how-to" / page).read_text("utf-8").splitlines()) < 30


def test_only_the_permit_seals_an_order(repository: Path) -> None:
    callers = [
        file.relative_to(repository).as_posix()
        for file in sorted((repository / "src").rglob("*.py"))
        if re.search(r"(?<!def )\bseal\(", file.read_text("utf-8"))
    ]
    approval, permit = "core/model/approval.py", "core/risk/permit.py"
    assert [name.removeprefix("src/neuratrade/") for name in callers] == [approval, permit]
