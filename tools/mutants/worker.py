"""Runs tests against broken sources: one process that has imported everything, one fork of it a mutant.

Importing numba, hypothesis and the room takes seconds, a unit test milliseconds. So the parent imports once
and never runs a test. A child forgets the broken modules and all that import them, reads them anew from the
copy of the source this worker owns, runs its tests, and is gone with whatever the mutant did.

A mutant that loops is stopped by processor time, which a busy machine does not use up, and at last by the
clock; one that hoards memory meets a limit.

Speaks JSON, one line a request on standard input and one line an answer on standard output.
"""

from __future__ import annotations

import ast
import contextlib
import gc
import importlib
import json
import os
import resource
import select
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import hypothesis
import pytest

MOST_EXAMPLES = 50
"""Hypothesis examples a test may try. Enough to hit most mutants; none is shrunk, since failing is enough."""
CPU_FACTOR, CPU_LEAST_S = 10.0, 5.0
MEMORY_BYTES = 4 << 30
PACKAGE = "neuratrade"


def import_graph(source: Path) -> dict[str, set[str]]:
    """Which modules of the package each of its modules imports, wherever in its text it does."""
    files = {_module_of(path, source): path for path in (source / PACKAGE).rglob("*.py")}
    graph: dict[str, set[str]] = {}
    for module, path in files.items():
        wanted: set[str] = set()
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                wanted.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                wanted.add(node.module)
                wanted.update(f"{node.module}.{alias.name}" for alias in node.names)
        graph[module] = wanted & files.keys()
    return graph


def dependents(graph: dict[str, set[str]], broken: set[str]) -> set[str]:
    """The broken modules and every module that imports one of them, at first or at last hand."""
    found = set(broken)
    while True:
        more = {module for module, wanted in graph.items() if wanted & found} - found
        if not more:
            return found
        found |= more


def _module_of(path: Path, source: Path) -> str:
    parts = path.relative_to(source).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


class Watcher:
    """A pytest plugin: picks the tests, lowers hypothesis' effort, limits and notes what runs."""

    def __init__(self, request: dict[str, Any], answer: int, source: Path) -> None:
        self.tests: dict[str, float] | None = request.get("tests")
        self.traced: list[str] = request.get("traced", [])
        self._wants_modules: bool = request.get("modules", False)
        self.failed: list[str] = []
        self.ran: dict[str, dict[str, Any]] = {}
        self.detail = ""
        self._answer = answer
        self._source = source
        self._codes: set[CodeType] = set()
        self._at_import: set[str] = set()

    def pytest_collection(self) -> None:
        if self.traced:
            self._trace()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        if self.traced:
            self._untrace()
            self._at_import = self._names()
        if self.tests is not None:
            wanted = self.tests
            items[:] = sorted(
                (item for item in items if item.nodeid in wanted),
                key=lambda item: (item.nodeid.count("/unit/") == 0, item.path, wanted[item.nodeid]),
            )
        for item in items:
            _lower_effort(item)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        if self.traced:
            _clear_caches()
            self._trace()
        elif self.tests is not None:
            limit_s = max(CPU_LEAST_S, CPU_FACTOR * self.tests[item.nodeid])
            signal.signal(signal.SIGPROF, lambda *_: self._give_up(item.nodeid, limit_s))
            signal.setitimer(signal.ITIMER_PROF, limit_s)
        began = time.monotonic()
        try:
            return (yield)
        finally:
            self.ran[item.nodeid] = {"seconds": time.monotonic() - began}
            signal.setitimer(signal.ITIMER_PROF, 0)
            if self.traced:
                self._untrace()
                self.ran[item.nodeid]["calls"] = sorted(self._names())

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._fail(report.nodeid, report.longreprtext)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._fail(report.nodeid, report.longreprtext)

    def _fail(self, nodeid: str, text: str) -> None:
        self.failed.append(nodeid)
        self.detail = self.detail or text[-2000:]

    def _give_up(self, nodeid: str, limit_s: float) -> None:
        self.failed.append(nodeid)
        self.detail = f"more than {limit_s:.0f} s of processor time"
        self.send("timeout")
        os._exit(0)

    def send(self, outcome: str) -> None:
        answer = {"outcome": outcome, "failed": self.failed, "detail": self.detail, "ran": len(self.ran)}
        if self.traced:
            answer |= {"tests": self.ran, "at_import": sorted(self._at_import)}
        if self._wants_modules:
            answer["modules"] = sorted(_loaded())
        with os.fdopen(self._answer, "w") as pipe:
            json.dump(answer, pipe)

    # Which functions a test calls.

    def _trace(self) -> None:
        self._codes = set()
        threading.settrace(self._on_call)
        sys.settrace(self._on_call)

    def _untrace(self) -> None:
        sys.settrace(None)
        threading.settrace(None)

    def _on_call(self, frame: FrameType, _event: str, _argument: object) -> None:
        self._codes.add(frame.f_code)

    def _names(self) -> set[str]:
        names = set()
        for code in self._codes:
            path = code.co_filename.removeprefix(f"{self._source}/")
            if path.startswith(tuple(self.traced)):
                names.add(f"{path}:{code.co_qualname}")
        return names


def _lower_effort(item: pytest.Item) -> None:
    """Fewer examples, none shrunk, the same ones each time. A state machine has its settings on its class."""
    machine = getattr(item, "cls", None)
    if machine is not None and isinstance(getattr(machine, "settings", None), hypothesis.settings):
        machine.settings = _lowered(machine.settings)
        return
    test = getattr(item, "obj", None)
    if test is not None and getattr(test, "is_hypothesis_test", False):
        own = getattr(test, "_hypothesis_internal_use_settings", None) or hypothesis.settings()
        test._hypothesis_internal_use_settings = _lowered(own)  # noqa: SLF001 - no public way after collection


def _lowered(full: hypothesis.settings) -> hypothesis.settings:
    return hypothesis.settings(
        full,
        max_examples=min(full.max_examples, MOST_EXAMPLES),
        phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
        derandomize=True,
        database=None,
        deadline=None,
    )


def _clear_caches() -> None:
    """So that the test at hand calls what it needs, and does not live on what the last one left behind."""
    for name, module in list(sys.modules.items()):
        if name.startswith(PACKAGE):
            for value in vars(module).values():
                if callable(clear := getattr(value, "cache_clear", None)):
                    clear()


def _loaded() -> set[str]:
    """Modules worth importing before the fork: the package's and those installed, not the tests."""
    return {
        name
        for name, module in list(sys.modules.items())
        if name.partition(".")[0] == PACKAGE or "site-packages" in (getattr(module, "__file__", None) or "")
    }


class Worker:
    """Owns one copy of the source. root: the checkout whose tests run. source: the copy."""

    def __init__(self, root: Path, source: Path) -> None:
        self.root = root
        self.source = source
        self._graph = import_graph(source)
        self._changes = 0

    def preload(self, modules: list[str]) -> None:
        """Imports what the children will need."""
        for name in modules:
            try:
                importlib.import_module(name)
            except ImportError as error:
                print(f"not preloaded: {name}: {error}", file=sys.stderr)
        gc.collect()
        gc.freeze()

    def run(self, request: dict[str, Any]) -> dict[str, Any]:
        """Runs tests in a child, with these files replaced; puts the files back."""
        patches: dict[str, str] = request.get("patches", {})
        broken = {_module_of(self.source.parent / path, self.source) for path in patches}
        kept = {path: (self.source.parent / path).read_text("utf-8") for path in patches}
        try:
            for path, text in patches.items():
                self._write(path, text)
            return self._fork(request, dependents(self._graph, broken))
        finally:
            for path, text in kept.items():
                self._write(path, text)

    def _write(self, path: str, text: str) -> None:
        """A time of its own for each version, so that no compiled file of another is taken for it."""
        self._changes += 1
        file = self.source.parent / path
        file.write_text(text, "utf-8")
        os.utime(file, (self._changes, self._changes))

    def _fork(self, request: dict[str, Any], stale: set[str]) -> dict[str, Any]:
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            os.close(reading)
            self._be_child(request, stale, writing)
        os.close(writing)
        try:
            text = _read(reading, request["wall_s"])
        finally:
            os.close(reading)
            _end(child)
        if text is None:
            return {
                "outcome": "timeout",
                "failed": [],
                "detail": f"more than {request['wall_s']:.0f} s",
                "ran": 0,
            }
        if not text:
            return {"outcome": "died", "failed": [], "detail": "the test process died", "ran": 0}
        answer: dict[str, Any] = json.loads(text)
        return answer

    def _be_child(self, request: dict[str, Any], stale: set[str], writing: int) -> None:
        try:
            os.setsid()
            resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
            silence = os.open(request.get("log", os.devnull), os.O_RDWR | os.O_CREAT | os.O_TRUNC)
            for descriptor in (0, 1, 2):
                os.dup2(silence, descriptor)
            _forget(stale)
            watcher = Watcher(request, writing, self.source.parent)
            stop = ["-x"] if request.get("stop_at_first", True) else []
            code = pytest.main(
                [
                    *("-q", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"),
                    *stop,
                    f"--rootdir={self.root}",
                    *request["files"],
                ],
                plugins=[watcher],
            )
            watcher.send(_outcome(watcher, code))
        except BaseException as error:  # noqa: BLE001 - whatever a mutant throws ends here
            print(f"child: {error!r}", file=sys.stderr)
        finally:
            os._exit(0)


def _outcome(watcher: Watcher, code: int) -> str:
    """Killed needs a test that failed: a pytest that could not run its tests has proved nothing."""
    if watcher.failed:
        return "killed"
    if code == pytest.ExitCode.OK:
        return "survived"
    watcher.detail = f"pytest ended with {code!r}"
    return "died" if code == pytest.ExitCode.INTERNAL_ERROR else "not run"


def _forget(stale: set[str]) -> None:
    for name in stale:
        sys.modules.pop(name, None)
        parent, _, last = name.rpartition(".")
        # `from package import module` asks the package first, and it would still know the whole one.
        if parent in sys.modules:
            vars(sys.modules[parent]).pop(last, None)
    importlib.invalidate_caches()


def _read(descriptor: int, wall_s: float) -> str | None:
    """Everything a child writes until it closes; None when that takes too long."""
    parts: list[bytes] = []
    until = time.monotonic() + wall_s
    while True:
        ready, _, _ = select.select([descriptor], [], [], max(until - time.monotonic(), 0))
        if not ready:
            return None
        part = os.read(descriptor, 1 << 16)
        if not part:
            return b"".join(parts).decode()
        parts.append(part)


def _end(child: int) -> None:
    """The child and whatever it started."""
    for end in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError):
            end(child, signal.SIGKILL)
    os.waitpid(child, 0)


def main(arguments: list[str]) -> int:
    """`python -m tools.mutants.worker ROOT COPY_OF_SRC`: answers requests until its input ends."""
    root, source = Path(arguments[0]), Path(arguments[1])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # What a library prints must not be read as an answer.
    worker = Worker(root, source)
    for line in sys.stdin:
        request = json.loads(line)
        if request["kind"] == "preload":
            worker.preload(request["modules"])
            answer: dict[str, Any] = {}
        else:
            answer = worker.run(request)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
