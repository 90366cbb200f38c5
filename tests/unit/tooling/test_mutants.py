"""The breaker of code breaks what it should, leaves texts alone, and says so when a break goes unnoticed."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

from tools.mutants.named import NAMED, DoesNotApply, NamedMutant, read_named
from tools.mutants.operators import mutants_of
from tools.mutants.runner import Broken, Worker, bench
from tools.mutants.selection import (
    BUDGETS_S,
    CALLS,
    EQUIVALENT,
    ROOMS,
    Calls,
    Equivalent,
    all_mutants,
    apart,
    noting_calls,
    read_equivalents,
    sample,
)
from tools.mutants.worker import dependents

ROOT = Path(__file__).resolve().parents[3]
NAMES = {
    "send before journal",
    "no resize on partial fill",
    "resend on UNKNOWN",
    "peak lost at restart",
    "quantity rounded up",
    "target before stop",
    "counter not persisted",
    "approval reused",
}

BREAKS = {
    "x = a < b": {"x = (a <= b)", "x = (a >= b)"},
    "x = a == b": {"x = (a != b)"},
    "x = a is None": {"x = (a is not None)"},
    "x = a + b": {"x = (a - b)"},
    "x = a * b": {"x = (a / b)"},
    "x = a and b": {"x = (a or b)", "x = (a)", "x = (b)"},
    "x = not a": {"x = (a)"},
    "x = -a": {"x = (a)"},
    "x = 5": {"x = 6", "x = 4"},
    "x = 0": {"x = 1", "x = (-1)"},
    "x = True": {"x = False"},
    "x = Decimal('0.02')": {"x = Decimal('0.03')"},
    "x = min(a, b)": {"x = max(a, b)"},
    "x = a if b else c": {"x = (c if b else a)"},
    "x = [a for a in b if c]": {"x = [a for a in b if True]"},
    "a.b = c": {"pass"},
    "a.b += c": {"pass", "a.b -= c"},
    "record(a)": {"pass"},
    "del a": {"pass"},
    "raise a(5)": {"pass"},
    "def f(): return a": {"def f(): return None"},
    "def f() -> bool: return a": {"def f() -> bool: return not (a)"},
    "def f(): return": {"def f(): pass"},
    "if a: b()": {"if not (a): b()", "if a: pass"},
    "while a: b()": {"while not (a): b()", "while a: pass"},
    "match a:\n    case B(): c()": {"case B() if False: c()", "case B(): pass"},
    "if a:\n    b = c\nelif d:\n    b = e": {"if not (a):", "elif not (d):", "elif False:"},
}

LEFT_ALONE = [
    '"""At most 5 of 10."""',
    "__all__ = ['a', 'b']",
    "__slots__ = ('a',)",
    "import a",
    "from a import ONE, ZERO",
    "def f(a: Literal[5], b: 'x') -> Literal[1]: ...",
    "@lru_cache(maxsize=5)\ndef f(): ...",
    "assert_never(a)",
    "x = f'{a + 1} of {b}'",
    "x = 'of' + a",
    "x = a * b.sign",
    "x = a * sign",
    "reason = 'late' if a > b else 'early'",
    "x = text(a + 1)",
    "def text(value): return value + 1",
    "x = 'a' if b else 'c'",
]


@pytest.mark.parametrize(("source", "wanted"), BREAKS.items())
def test_each_operator_breaks_what_it_should(source: str, wanted: set[str]) -> None:
    assert {mutant.after for mutant in mutants_of(source + "\n", "a.py")} == wanted


@pytest.mark.parametrize("source", LEFT_ALONE)
def test_texts_and_what_fails_at_import_are_left_alone(source: str) -> None:
    assert mutants_of(source + "\n", "a.py") == []


def test_a_name_is_swapped_only_for_one_the_file_knows() -> None:
    assert mutants_of("from d import ZERO\nx = ZERO\n", "a.py") == []
    (mutant,) = mutants_of("from d import ONE, ZERO\nx = ZERO\n", "a.py")
    assert mutant.after == "x = ONE"


def test_every_mutant_of_the_core_is_other_code_on_as_many_lines() -> None:
    sources = {path: (ROOT / path).read_text("utf-8") for path in {m.file for m in all_mutants(ROOT, ROOMS)}}
    wholes = {path: ast.dump(ast.parse(source)) for path, source in sources.items()}
    mutants = all_mutants(ROOT, ROOMS)
    assert len(mutants) > 1000
    for mutant in mutants[::29]:
        broken = mutant.applied_to(sources[mutant.file])
        assert ast.dump(ast.parse(broken)) != wholes[mutant.file], str(mutant)
        assert broken.count("\n") == sources[mutant.file].count("\n"), str(mutant)


def test_a_mutant_knows_its_function_and_its_line() -> None:
    source = "class A:\n    def f(self):\n        def g():\n            return a\n        return g\n"
    inner, outer = mutants_of(source, "a.py")
    assert (inner.function, inner.line) == ("A.f.<locals>.g", 4)
    assert (outer.function, outer.line) == ("A.f", 5)


def test_the_same_seed_draws_the_same_sample_and_an_edit_elsewhere_hardly_changes_it() -> None:
    source = "".join(f"x{n} = a{n} < b{n}\n" for n in range(100))
    mutants = mutants_of(source, "a.py")
    first = sample(mutants, 50, 1)
    assert first == sample(mutants, 50, 1)
    assert first != sample(mutants, 50, 2)
    assert sample(mutants, 1000, 1) == mutants
    edited = mutants_of("y = 1\n" + source, "a.py")
    words = [mutant.after for mutant in sample(edited, 50, 1)]
    assert len({mutant.after for mutant in first} & set(words)) >= 48


def test_equivalent_mutants_are_set_apart_and_an_entry_that_fits_none_is_named() -> None:
    mutants = mutants_of("x = a < b\n", "a.py")
    known = Equivalent("a.py", "<module>", "x = a < b", "x = (a <= b)", "a is never b")
    gone = Equivalent("a.py", "<module>", "x = a > b", "x = (a >= b)", "it was once so")
    kept, equal, stale = apart(mutants, [known, gone])
    assert [mutant.after for mutant in kept] == ["x = (a >= b)"]
    assert [(mutant.after, why) for mutant, why in equal] == [("x = (a <= b)", "a is never b")]
    assert stale == [gone]


def test_every_equivalent_mutant_has_a_reason(repository: Path) -> None:
    assert tomllib.loads((repository / EQUIVALENT).read_text("utf-8")).keys() == {"mutant"}
    assert all(len(item.why) > 20 for item in read_equivalents(repository))


def test_a_mutant_meets_the_tests_of_its_room_that_call_its_function() -> None:
    own, other, far = "tests/unit/risk/t.py::a", "tests/unit/risk/t.py::b", "tests/unit/engine/t.py::c"
    path = "src/neuratrade/core/risk/a.py"
    ran = {
        own: {"seconds": 1.0, "calls": [f"{path}:f"]},
        other: {"seconds": 2.0, "calls": [f"{path}:g"]},
        far: {"seconds": 3.0, "calls": [f"{path}:f"]},
    }
    calls = Calls({"tests": ran, "at_import": [f"{path}:h"]})
    source = "def f(): return a\ndef h(): return a\ndef nobody(): return a\nx = 1 if a else b\n"
    f, h, nobody, *module = mutants_of(source, path)
    assert calls.rounds_for(f) == [{own: 1.0}]
    assert calls.rounds_for(h) == [{own: 1.0, other: 2.0}]
    assert calls.rounds_for(nobody) == []
    assert calls.rounds_for(module[0]) == [{own: 1.0, other: 2.0}]


def test_a_mutant_meets_the_quickest_tests_first_and_the_slower_ones_in_a_second_round() -> None:
    path, room = "src/neuratrade/core/risk/a.py", "tests/unit/risk/t.py"
    (mutant,) = mutants_of("def f(): return a\n", path)
    first_s, second_s = BUDGETS_S

    def met(*seconds: float) -> list[list[float]]:
        ran = {f"{room}::{place}": {"seconds": s, "calls": [f"{path}:f"]} for place, s in enumerate(seconds)}
        return [list(tests.values()) for tests in Calls({"tests": ran, "at_import": []}).rounds_for(mutant)]

    quick = [0.5, 1.0, first_s - 1.5]
    assert met(first_s, 1.0, 0.5, first_s - 1.5) == [quick, [first_s]]
    assert met(*quick, second_s - 30, 30.0, second_s) == [quick, [30.0, second_s - 30]]
    assert met(second_s * 3, second_s * 2) == [[second_s * 2]]
    assert met(*quick, second_s + 1) == [quick]


def test_a_source_that_notes_its_calls_does_the_same_and_tells_who_was_called() -> None:
    source = "class A:\n    def f(self):\n        'Adds.'\n        return g() + 1\ndef g():\n    return 1\n"
    space: dict[str, object] = {CALLS: (calls := set[str]())}
    exec(f"{noting_calls(source, 'a.py')}\nanswer = A().f()", space)
    assert space["answer"] == 2
    assert calls == {"a.py:A.f", "a.py:g"}


def test_whatever_imports_a_broken_module_is_read_anew() -> None:
    graph = {"p.a": set[str](), "p.b": {"p.a"}, "p.c": {"p.b"}, "p.d": set[str]()}
    assert dependents(graph, {"p.a"}) == {"p.a", "p.b", "p.c"}
    assert dependents(graph, {"p.d"}) == {"p.d"}


def test_every_mistake_has_a_mutant(repository: Path) -> None:
    named = [mutant.name for mutant in read_named(repository)]
    assert len(named) == len(set(named))
    for name in NAMES:
        assert any(item.startswith(name) for item in named), name


@pytest.mark.parametrize("mutant", read_named(ROOT), ids=lambda mutant: mutant.name)
def test_a_named_mutant_still_fits_its_file_and_names_tests_that_exist(
    mutant: NamedMutant, repository: Path
) -> None:
    ast.parse(mutant.applied_to((repository / mutant.file).read_text("utf-8")))
    assert mutant.tests
    for test in mutant.tests:
        file, _, name = test.partition("::")
        found = re.search(rf"^def {re.escape(name)}\(", (repository / file).read_text("utf-8"), re.MULTILINE)
        assert found, f"{mutant.name}: {test} is not there"


@pytest.mark.parametrize("source", ["x = 1\n", "limit = 5\nlimit = 5\n"])
def test_a_snippet_that_is_not_there_exactly_once_is_an_error_not_a_pass(source: str) -> None:
    mutant = NamedMutant("late", "a.py", "limit = 5", "limit = 6", "breaks", ("t.py::test_a",))
    with pytest.raises(DoesNotApply, match=f"not once; bring {NAMED} up to date"):
        mutant.applied_to(source)


@pytest.mark.slow
def test_every_named_mutant_is_caught_by_each_test_it_names(repository: Path) -> None:
    with bench(repository, 1) as ready:
        results = list(ready.try_named(read_named(repository)))
    assert len(results) >= len(NAMES)
    assert {mutant.name: result.detail for mutant, result in results if not result.caught} == {}


@pytest.mark.slow
def test_a_break_that_no_test_notices_survives_and_a_loop_is_ended(repository: Path, tmp_path: Path) -> None:
    file, test = "src/neuratrade/core/risk/permit.py", "tests/unit/risk/test_envelope.py"
    source = (repository / file).read_text("utf-8")
    name = f"{test}::test_an_entry_may_use_the_whole_approved_quantity_until_it_expires"
    first_line = "    same = (\n"
    assert source.count(first_line) == 1
    worker = Worker(repository, tmp_path)

    def outcome(line: str) -> str:
        patches = {file: source.replace(first_line, line + first_line)}
        answer = worker.ask(kind="run", files=[test], tests={name: 0.0}, patches=patches, wall_s=60.0)
        return str(answer["outcome"])

    try:
        whole = worker.ask(kind="run", files=[test], measured=True, wall_s=60.0)
        worker.ask(kind="preload", modules=whole["modules"])
        assert outcome("    held = held + 0\n") == "survived"
        assert outcome("    now_ns += 1\n") == "killed"
        assert outcome("    while True: pass\n") == "timeout"
        assert outcome("    no python\n") == "killed"
        with pytest.raises(Broken, match="could not be run"):
            worker.ask(kind="run", files=["tests/unit/nowhere"], wall_s=60.0)
    finally:
        worker.close()
    assert (repository / file).read_text("utf-8") == source
