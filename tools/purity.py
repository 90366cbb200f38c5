"""Proves, by reading the source, that a folder of Python decides from its arguments alone.

`src/neuratrade/core` must give the same orders from the same events on every machine and on every replay.
One stray clock, random number, environment look-up or file read breaks that silently, weeks before anybody
compares two runs. So this lint refuses, with file, line and reason: wall clocks, randomness, values that
differ between two processes, `async` and `await`, logging and printing, zone look-ups, input and output,
dynamic code, `global`, and compiler flags that let results differ between processors.

Modules are admitted by an allow list (`PURE_MODULES`): an unknown one is refused until somebody has judged
it. There is no comment that silences a finding. What it cannot see is an impure object handed in as an
argument; types and reviews guard that.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PURE_MODULES = frozenset(
    """
    __future__ abc array base64 binascii bisect collections contextlib copy cryptography dataclasses
    datetime decimal difflib enum fractions functools graphlib hashlib heapq hmac itertools json llvmlite
    math msgspec neuratrade.core numba numbers numpy operator re statistics string struct talib textwrap
    types typing typing_extensions unicodedata uuid
    """.split()
)

CLOCK = "wall clock: take the time from the event"
RANDOM = "randomness: derive the value from the event or have it injected"
PROCESS = "differs from one process to the next: a replay would not be equal"
LOGGING = "logging or printing: return what happened as an event"
ZONE = "zone look-up: zone files differ between machines, have the calendar injected"
IO = "input or output: the caller reads and writes, the core decides"
CONCURRENCY = "concurrency: the core is one synchronous step"
DYNAMIC = "dynamic code: what runs must be readable in the source"
MUTABLE_GLOBAL = "global state: keep it in the engine's state, where replay can see it"
INEXACT = "compiler flag that lets results differ between processors: batch and live must agree bit for bit"
UNJUDGED = "not among the modules judged pure: if it is, add it to PURE_MODULES in tools/purity.py"

IMPURE_MODULES = {
    name: why
    for why, names in {
        CLOCK: "time sched",
        RANDOM: "random secrets numpy.random",
        PROCESS: "sys platform locale gc inspect",
        LOGGING: "logging structlog warnings rich typer pprint traceback",
        ZONE: "zoneinfo pytz dateutil tzdata tzlocal calendar",
        IO: "os io pathlib glob shutil tempfile socket ssl http urllib select selectors signal sqlite3 "
        "sqlalchemy psycopg alembic aiohttp requests httpx websockets csv pickle shelve mmap yaml tomllib "
        "polars pandas pydantic",
        CONCURRENCY: "asyncio threading multiprocessing concurrent subprocess queue contextvars",
        DYNAMIC: "importlib builtins ctypes runpy code",
    }.items()
    for name in names.split()
}

IMPURE_NAMES = {
    name: why
    for why, names in {
        CLOCK: "datetime.datetime.now datetime.datetime.utcnow datetime.datetime.today datetime.date.today",
        RANDOM: "uuid.uuid1 uuid.uuid4 uuid.uuid6 uuid.uuid7 uuid.getnode numpy.random",
        PROCESS: "id hash",
        LOGGING: "print",
        IO: "open input breakpoint exit quit hashlib.file_digest numpy.load numpy.save numpy.savez "
        "numpy.savez_compressed numpy.loadtxt numpy.savetxt numpy.genfromtxt numpy.fromfile numpy.memmap",
        DYNAMIC: "eval exec compile __import__ globals numba.objmode",
    }.items()
    for name in names.split()
}

IMPURE_METHODS = {"now": CLOCK, "utcnow": CLOCK, "today": CLOCK, "tofile": IO}
IMPURE_FLAGS = ("fastmath", "parallel")
LOCAL_ZONE_UNLESS_TOLD = {"fromtimestamp": 2, "astimezone": 1}  # arguments after which the zone is explicit

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One impure construct. `line` counts from 1; `what` is the construct as written or resolved."""

    path: Path
    line: int
    what: str
    why: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}: {self.why}"


def check_source(source: str, path: Path) -> list[Finding]:
    """Every impure construct in `source`, in line order. `path` is only used to name the findings."""
    try:
        tree = ast.parse(source, filename=str(path))
    except SyntaxError as error:
        return [Finding(path, error.lineno or 1, "syntax error", f"{error.msg}: purity cannot be judged")]
    visitor = _PurityVisitor(path)
    visitor.visit(tree)
    return sorted(set(visitor.findings))


def check_folder(folder: Path) -> list[Finding]:
    """Every impure construct below `folder`.

    Raises FileNotFoundError: when no Python file is there; a check of nothing must not look like a pass.
    """
    files = sorted(folder.rglob("*.py"))
    if not files:
        raise FileNotFoundError(f"{folder} holds no Python file: name the folder that must be pure")
    return [finding for file in files for finding in check_source(file.read_text("utf-8"), file)]


class _PurityVisitor(ast.NodeVisitor):
    """Walks one module, resolving names through its imports and its functions' own variables."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.findings: list[Finding] = []
        self.imported: dict[str, str] = {}
        self.scopes: list[frozenset[str]] = []

    def report(self, node: ast.AST, what: str, why: str) -> None:
        self.findings.append(Finding(self.path, getattr(node, "lineno", 1), what, why))

    # Imports: what may come in, and under which local name.

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.judge_module(node, alias.name)
            self.imported[alias.asname or alias.name.partition(".")[0]] = (
                alias.name if alias.asname else alias.name.partition(".")[0]
            )

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.level:
            self.report(node, "relative import", "write the full name, so that this lint can judge it")
            return
        module = node.module or ""
        for alias in node.names:
            dotted = f"{module}.{alias.name}"
            if not self.judge_module(node, dotted, module):
                self.judge_name(node, dotted)
            self.imported[alias.asname or alias.name] = dotted

    def judge_module(self, node: ast.AST, dotted: str, module: str | None = None) -> bool:
        """Report `dotted` if its module is impure or unknown; `module` is what it was imported from."""
        for prefix in _prefixes(dotted):
            if prefix in IMPURE_MODULES:
                self.report(node, f"import {prefix}", IMPURE_MODULES[prefix])
                return True
        if any(prefix in PURE_MODULES for prefix in _prefixes(dotted)):
            return False
        self.report(node, f"import {module or dotted}", UNJUDGED)
        return True

    # Names: what they lead to once imports are followed.

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self.judge_name(node, self.resolve(node))

    def visit_Attribute(self, node: ast.Attribute) -> None:
        dotted = self.resolve(node)
        if not self.judge_name(node, dotted):
            self.visit(node.value)

    def judge_name(self, node: ast.AST, dotted: str | None) -> bool:
        for prefix in _prefixes(dotted or ""):
            if prefix in IMPURE_NAMES:
                self.report(node, prefix, IMPURE_NAMES[prefix])
                return True
        return False

    def resolve(self, node: ast.expr) -> str | None:
        """The dotted name behind an expression, or None where it is a local variable or no plain name."""
        if isinstance(node, ast.Attribute):
            base = self.resolve(node.value)
            return f"{base}.{node.attr}" if base else None
        if not isinstance(node, ast.Name) or any(node.id in scope for scope in self.scopes):
            return None
        return self.imported.get(node.id, node.id)

    # Calls: what depends on how a thing is called.

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Attribute):
            self.judge_method(node, node.func)
        for keyword in node.keywords:
            if keyword.arg in IMPURE_FLAGS and not _is_constant(keyword.value, False):
                self.report(node, f"{keyword.arg}=", INEXACT)
        if self.resolve(node.func) == "numpy.datetime64" and any(
            _is_constant(argument, word) for argument in node.args for word in ("now", "today")
        ):
            self.report(node, "numpy.datetime64 of the present", CLOCK)
        self.generic_visit(node)

    def judge_method(self, node: ast.Call, func: ast.Attribute) -> None:
        method = func.attr
        resolved = self.resolve(func) or ""
        if method in IMPURE_METHODS and resolved not in IMPURE_NAMES:
            self.report(node, f".{method}()", IMPURE_METHODS[method])
        enough = LOCAL_ZONE_UNLESS_TOLD.get(method)
        if enough is not None and len(node.args) + len(node.keywords) < enough:
            self.report(node, f".{method}() in the machine's own zone", ZONE)
        if method == "generate" and "PrivateKey" in ast.unparse(func.value):
            self.report(node, f"{ast.unparse(func)}()", RANDOM)

    # Statements.

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.visit_function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.report(node, f"async def {node.name}", CONCURRENCY)
        self.visit_function(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.visit_function(node)

    def visit_function(self, node: FunctionNode) -> None:
        """Decorators, defaults and annotations belong to the outside; only the body sees the local names."""
        outside: list[ast.AST] = [*node.args.defaults, *(item for item in node.args.kw_defaults if item)]
        if not isinstance(node, ast.Lambda):
            outside.extend(node.decorator_list)
        for item in outside:
            self.visit(item)
        self.scopes.append(frozenset(_bound_names(node)))
        for item in node.body if isinstance(node.body, list) else [node.body]:
            self.visit(item)
        self.scopes.pop()

    def visit_Await(self, node: ast.Await) -> None:
        self.report(node, "await", CONCURRENCY)
        self.generic_visit(node)

    def visit_AsyncFor(self, node: ast.AsyncFor) -> None:
        self.report(node, "async for", CONCURRENCY)
        self.generic_visit(node)

    def visit_AsyncWith(self, node: ast.AsyncWith) -> None:
        self.report(node, "async with", CONCURRENCY)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        if node.is_async:
            self.report(node.target, "async comprehension", CONCURRENCY)
        self.generic_visit(node)

    def visit_Global(self, node: ast.Global) -> None:
        self.report(node, f"global {', '.join(node.names)}", MUTABLE_GLOBAL)


def _prefixes(dotted: str) -> Iterator[str]:
    """`a`, `a.b`, `a.b.c` of `a.b.c`: forbidding a module forbids what is inside it."""
    parts = dotted.split(".")
    return (".".join(parts[: count + 1]) for count in range(len(parts)))


def _is_constant(node: ast.expr, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value == value


def _bound_names(function: FunctionNode) -> Iterator[str]:
    """Arguments and assigned names of a function itself, not of functions nested in it."""
    arguments = function.args
    every = [
        *arguments.posonlyargs,
        *arguments.args,
        *arguments.kwonlyargs,
        arguments.vararg,
        arguments.kwarg,
    ]
    yield from (argument.arg for argument in every if argument)
    pending: list[ast.AST] = list(function.body) if isinstance(function.body, list) else []
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        if not isinstance(node, FunctionNode | ast.ClassDef):
            pending.extend(ast.iter_child_nodes(node))


def main(arguments: list[str]) -> int:
    """`purity.py FOLDER`: prints each finding; 0 when pure, 1 when not, 2 when there is nothing to judge."""
    if len(arguments) != 1:
        print("usage: purity.py FOLDER (for example src/neuratrade/core)", file=sys.stderr)
        return 2
    try:
        findings = check_folder(Path(arguments[0]))
    except FileNotFoundError as error:
        print(f"purity: {error}", file=sys.stderr)
        return 2
    for finding in findings:
        print(finding)
    print(f"purity: {len(findings)} impure constructs" if findings else "purity: the core is pure")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
