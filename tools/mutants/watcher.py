"""A pytest plugin for runs that only ask who notices: picks the tests, limits them, and notes what they do.

Hypothesis tries fewer examples than in `make test` and shrinks none: to fail is to say enough. A test
that uses far more processor time than it did on the whole source is taken to be caught in a loop.
"""

from __future__ import annotations

import builtins
import json
import os
import resource
import signal
import sys
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest

from tools.mutants.selection import CALLS

MOST_EXAMPLES = 50
CPU_FACTOR, CPU_LEAST_S = 10.0, 5.0
PACKAGE = "neuratrade"


class Watcher:
    """The plugin. tests: only these, with the processor seconds of each. Sources may note calls in CALLS."""

    def __init__(self, request: dict[str, Any], answer: int) -> None:
        self.tests: dict[str, float] | None = request.get("tests")
        self._measured: bool = request.get("measured", False)
        self.failed: list[str] = []
        self.ran: dict[str, dict[str, Any]] = {}
        self.detail = ""
        self._answer = answer
        self._calls: set[str] = set()
        self._at_import: list[str] = []
        setattr(builtins, CALLS, self._calls)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        self._at_import = sorted(self._calls)
        if self.tests is not None:
            wanted = self.tests
            pace = _mean_by_file(wanted)
            items[:] = sorted(
                (item for item in items if item.nodeid in wanted),
                key=lambda item: (pace[_file(item.nodeid)], _file(item.nodeid), wanted[item.nodeid]),
            )
        for item in items:
            _lower_effort(item)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        if self._measured:
            _clear_caches()
            self._calls.clear()
        if self.tests is not None:
            limit_s = max(CPU_LEAST_S, CPU_FACTOR * self.tests[item.nodeid])
            signal.signal(signal.SIGPROF, lambda *_: self._give_up(item.nodeid, limit_s))
            signal.setitimer(signal.ITIMER_PROF, limit_s)
        began_s = _processor_s()
        try:
            return (yield)
        finally:
            seconds = _processor_s() - began_s
            signal.setitimer(signal.ITIMER_PROF, 0)
            self.ran[item.nodeid] = {"seconds": seconds, "calls": sorted(self._calls)}

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
        if self._measured:
            answer |= {"tests": self.ran, "at_import": self._at_import, "modules": sorted(_loaded())}
        with os.fdopen(self._answer, "w") as pipe:
            json.dump(answer, pipe)


def _processor_s() -> float:
    """Used by this process and those it waited for: on a busy machine the same as on an idle one."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(item.ru_utime + item.ru_stime for item in used)


def _file(nodeid: str) -> str:
    return nodeid.partition("::")[0]


def _mean_by_file(seconds: dict[str, float]) -> dict[str, float]:
    """Quick files come first, and each stays together, so that what its tests share is made once."""
    spent: dict[str, list[float]] = {}
    for test, took in seconds.items():
        spent.setdefault(_file(test), []).append(took)
    return {file: sum(took) / len(took) for file, took in spent.items()}


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
        suppress_health_check=tuple(hypothesis.HealthCheck),
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


def outcome_of(watcher: Watcher, code: int) -> str:
    """Killed needs a test that failed: a pytest that could not run its tests has proved nothing."""
    if watcher.failed:
        return "killed"
    if code == pytest.ExitCode.OK:
        return "survived"
    watcher.detail = f"pytest ended with {code!r}"
    return "died" if code == pytest.ExitCode.INTERNAL_ERROR else "not run"
