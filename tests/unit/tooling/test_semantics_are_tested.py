"""The page that maps promises to tests: every test it names exists, and no promise is without an answer."""

import ast
import re
from pathlib import Path

import pytest

PAGE = "docs/semantics-tests.md"
ROW = re.compile(r"^\| (S\d\.\d+) \| (.+?) \| (.+) \|$", re.MULTILINE)
CITED = re.compile(r"`([\w/]+\.py)::(\w+)`")
COMING = re.compile(r"\(coming: (.+?)\)")
ABSENT = re.compile(r"\bnot built\b")


@pytest.fixture(scope="module")
def page(repository: Path) -> str:
    return (repository / PAGE).read_text("utf-8")


def names_in(file: Path) -> set[str]:
    """Functions and classes at the top of a test file, and what it calls `Test...`."""
    names: set[str] = set()
    for node in ast.parse(file.read_text("utf-8")).body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.Assign(targets=targets):
                found = {
                    item.id for target in targets for item in ast.walk(target) if isinstance(item, ast.Name)
                }
                names.update(name for name in found if name.startswith("Test"))
            case _:
                pass
    return {name for name in names if name.startswith(("test_", "Test"))}


def test_every_test_the_page_names_exists(repository: Path, page: str) -> None:
    cited = set(CITED.findall(page))
    assert len(cited) >= 100
    missing = [
        f"{name}::{test}"
        for name, test in sorted(cited)
        if not (repository / "tests" / name).is_file() or test not in names_in(repository / "tests" / name)
    ]
    assert missing == []


def test_what_looks_like_a_test_is_one_the_checker_reads(page: str) -> None:
    loose = re.findall(r"`[^`\n]*(?:::|test_)[^`\n]*`", COMING.sub("", page))
    assert [text for text in loose if not CITED.fullmatch(text)] == []


def test_promises_are_numbered_without_a_gap(page: str) -> None:
    numbers = [number for number, _, _ in ROW.findall(page)]
    for section in "123456":
        own = [number for number in numbers if number.startswith(f"S{section}.")]
        assert own == [f"S{section}.{place}" for place in range(1, len(own) + 1)]
        assert own, f"section {section} has no rows"
    assert len(numbers) == len(re.findall(r"^\| S\d", page, re.MULTILINE)), "a row the checker cannot read"


def test_each_promise_has_a_test_or_says_that_it_has_none(page: str) -> None:
    unanswered = [
        number
        for number, _, answer in ROW.findall(page)
        if not (CITED.search(answer) or COMING.search(answer) or ABSENT.search(answer))
    ]
    assert unanswered == []


def test_what_is_said_to_come_has_not_come_unseen(repository: Path, page: str) -> None:
    for files in COMING.findall(page):
        for pattern in re.findall(r"`([\w/*.]+)`", files):
            assert not list((repository / "tests").glob(pattern)), f"{pattern} is here now: name its tests"
