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
import time
from pathlib import Path
from typing import Any

import pytest

from tools.mutants.watcher import PACKAGE, Watcher, outcome_of

MEMORY_BYTES = 4 << 30


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
            watcher = Watcher(request, writing)
            stop = ["-x"] if request.get("stop_at_first", True) else []
            code = pytest.main(
                [
                    *("-q", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"),
                    # The long form writes out every argument of a thousand frames where a mutant recurses.
                    "--tb=short",
                    *stop,
                    f"--rootdir={self.root}",
                    *request["files"],
                ],
                plugins=[watcher],
            )
            watcher.send(outcome_of(watcher, code))
        except BaseException as error:  # noqa: BLE001 - whatever a mutant throws ends here
            print(f"child: {error!r}", file=sys.stderr)
        finally:
            os._exit(0)


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
