"""Copies of the source, one for each worker, and the mutants shared out among them.

The checkout itself is only read. Each worker breaks its own copy, which comes first on its path.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tools.mutants.named import NamedMutant
from tools.mutants.operators import Mutant
from tools.mutants.selection import ROOMS, Calls, noting_calls

WALL_FACTOR, WALL_LEAST_S = 8.0, 60.0
BASELINE_WALL_S = 1800.0
Kind = TypeVar("Kind")


class Broken(Exception):
    """The tests fail on the whole source, or cannot be run: nothing can be said of mutants."""


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one mutant. outcome: killed, timeout, died (all three caught it), survived, unreached.

    failed: the tests that saw it. tests: how many were meant to look.
    """

    outcome: str
    failed: tuple[str, ...]
    detail: str
    tests: int

    @property
    def caught(self) -> bool:
        """Whether a test noticed."""
        return self.outcome in ("killed", "timeout", "died")


class Worker:
    """A worker process with a copy of the source of its own."""

    def __init__(self, root: Path, scratch: Path) -> None:
        self._source = scratch / "src"
        shutil.copytree(root / "src", self._source, ignore=_no_compiled_python)
        environment = os.environ | {
            "PYTHONPATH": os.pathsep.join((str(self._source), str(root))),
            "HYPOTHESIS_STORAGE_DIRECTORY": str(scratch / "hypothesis"),
            "TMPDIR": str(scratch),
        }
        self._process = subprocess.Popen(  # noqa: S603 - our own module in our own Python
            [sys.executable, "-m", "tools.mutants.worker", str(root), str(self._source)],
            cwd=root,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, **request: Any) -> dict[str, Any]:
        """One request, one answer. Raises Broken when the worker is gone."""
        if self._process.stdin is None or self._process.stdout is None:
            raise Broken("a worker without pipes")
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise Broken("a worker ended too early") from None
        line = self._process.stdout.readline()
        if not line:
            raise Broken("a worker ended too early")
        answer: dict[str, Any] = json.loads(line)
        if answer.get("outcome") == "not run":
            raise Broken(f"tests could not be run: {answer['detail']}: {request.get('files')}")
        return answer

    def close(self) -> None:
        """Ends the process."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


def _test_files(root: Path, places: set[str]) -> list[str]:
    """The test files in these folders, and the files and tests among these places, in order of path."""
    found: set[Path] = set()
    for place in places:
        path = root / place
        found.update(path.rglob("test_*.py") if path.is_dir() else [path])
    return sorted(path.relative_to(root).as_posix() for path in found)


def _no_compiled_python(_folder: str, names: list[str]) -> set[str]:
    """Kernels compiled by numba come along, which saves each worker a minute."""
    return {name for name in names if name.endswith(".pyc")}


class Bench:
    """Workers, ready to be asked. root: the checkout, read once: an edit meanwhile changes nothing here."""

    def __init__(self, root: Path, workers: list[Worker]) -> None:
        self._root = root
        files = (root / "src").rglob("*.py")
        self._sources = {path.relative_to(root).as_posix(): path.read_text("utf-8") for path in files}
        self._workers: queue.SimpleQueue[Worker] = queue.SimpleQueue()
        self._all = workers
        for worker in workers:
            self._workers.put(worker)

    def measure(self) -> Calls:
        """Which tests call which functions, and how long they take, both on the whole source.

        This is the control as well: every file is read anew as a broken one would be, and nothing may fail.
        """
        files = _test_files(self._root, {place for tests in ROOMS.values() for place in tests})
        noting = {
            file: noting_calls(text, file)
            for file, text in self._sources.items()
            if file.startswith(tuple(ROOMS))
        }
        return Calls(self._on_the_whole_source(files, patches=noting))

    def _on_the_whole_source(self, files: list[str], **more: Any) -> dict[str, Any]:
        """Each worker runs a part of the files; what they found, put together."""
        shares = [files[place :: len(self._all)] for place in range(len(self._all))]

        def measured(worker: Worker, share: list[str]) -> dict[str, Any]:
            return worker.ask(kind="run", files=share, measured=True, wall_s=BASELINE_WALL_S, **more)

        with ThreadPoolExecutor(len(self._all)) as pool:
            parts = [pool.submit(measured, *pair) for pair in zip(self._all, shares, strict=True) if pair[1]]
            answers = [part.result() for part in parts]
        for answer in answers:
            if answer["outcome"] != "survived":
                failed = ", ".join(answer["failed"]) or answer["outcome"]
                raise Broken(f"the tests must pass on the whole source first: {failed}\n{answer['detail']}")
        modules = sorted({name for answer in answers for name in answer["modules"]})
        for worker in self._all:
            worker.ask(kind="preload", modules=modules)
        return {
            "tests": {test: ran for answer in answers for test, ran in answer["tests"].items()},
            "at_import": [name for answer in answers for name in answer["at_import"]],
        }

    def try_out(self, mutants: Iterable[Mutant], calls: Calls) -> Iterator[tuple[Mutant, Result]]:
        """Each mutant with what became of it, as they finish."""
        return self._share_out(
            mutants, lambda worker, mutant: _try(worker, self._sources[mutant.file], mutant, calls)
        )

    def try_named(self, mutants: Iterable[NamedMutant]) -> Iterator[tuple[NamedMutant, Result]]:
        """Each named mutant with what became of it; caught only when every test it names failed.

        Raises DoesNotApply when one no longer fits its file.
        """
        for mutant in (mutants := list(mutants)):
            mutant.applied_to(self._sources[mutant.file])
        self._on_the_whole_source(sorted({test for mutant in mutants for test in mutant.tests}))
        return self._share_out(
            mutants, lambda worker, mutant: _try_named(worker, self._sources[mutant.file], mutant)
        )

    def _share_out(
        self, items: Iterable[Kind], work: Callable[[Worker, Kind], Result]
    ) -> Iterator[tuple[Kind, Result]]:
        def with_a_worker(item: Kind) -> tuple[Kind, Result]:
            worker = self._workers.get()
            try:
                return item, work(worker, item)
            finally:
                self._workers.put(worker)

        with ThreadPoolExecutor(len(self._all)) as pool:
            futures = [pool.submit(with_a_worker, item) for item in items]
            try:
                for future in as_completed(futures):
                    yield future.result()
            finally:
                pool.shutdown(cancel_futures=True)


@contextmanager
def bench(root: Path, jobs: int) -> Iterator[Bench]:
    """Workers with their copies, gone at the end."""
    with tempfile.TemporaryDirectory(prefix="neuratrade-mutants-") as scratch:
        workers: list[Worker] = []
        try:
            for number in range(jobs):
                folder = Path(scratch) / str(number)
                folder.mkdir()
                workers.append(Worker(root, folder))
            yield Bench(root, workers)
        finally:
            for worker in workers:
                worker.close()


def _try(worker: Worker, source: str, mutant: Mutant, calls: Calls) -> Result:
    """Round by round, until one of them catches it."""
    result = Result("unreached", (), "no test of its room calls it", 0)
    for tests in calls.rounds_for(mutant):
        answer = worker.ask(
            kind="run",
            files=sorted({test.partition("::")[0] for test in tests}),
            tests=tests,
            patches={mutant.file: mutant.applied_to(source)},
            wall_s=WALL_LEAST_S + WALL_FACTOR * sum(tests.values()),
        )
        met = result.tests + len(tests)
        result = Result(answer["outcome"], tuple(answer["failed"]), answer["detail"], met)
        if result.caught:
            break
    return result


def _try_named(worker: Worker, source: str, mutant: NamedMutant) -> Result:
    answer = worker.ask(
        kind="run",
        files=list(mutant.tests),
        patches={mutant.file: mutant.applied_to(source)},
        wall_s=BASELINE_WALL_S,
        stop_at_first=False,
    )
    blind = [test for test in mutant.tests if not any(_is_of(failed, test) for failed in answer["failed"])]
    if answer["outcome"] == "killed" and blind:
        return Result(
            "survived", tuple(answer["failed"]), f"not seen by {', '.join(blind)}", len(mutant.tests)
        )
    return Result(answer["outcome"], tuple(answer["failed"]), answer["detail"], len(mutant.tests))


def _is_of(nodeid: str, test: str) -> bool:
    """Whether a test that ran is the one named: itself, one of its cases, or one in the file or folder."""
    return nodeid == test or nodeid.startswith((f"{test}[", f"{test}::", f"{test}/"))
