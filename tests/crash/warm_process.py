"""A process that has loaded the whole program once and forks a desk out of itself whenever it is asked to.

Two hundred starts then cost no two hundred imports. What is forked is `neuratrade run` from its first line:
a process of its own, with its own files and locks, that can be killed like any other. Run by the tests.

One JSON document a line: `{"words": [...], "log": "..."}` starts one and answers with its pid; `{}` waits for
its end and answers with the number of the signal that ended it, or 0.
"""

import importlib
import json
import os
import pkgutil
import subprocess
import sys
from pathlib import Path

import neuratrade.app.opening
import neuratrade.interfaces.cli as commands
from neuratrade.app.dna import default_dna
from neuratrade.app.kernels import prepare_kernels
from neuratrade.core.strategies.registry import build_strategies
from neuratrade.interfaces.cli.main import main
from tests.e2e.desk_process import environment


class WarmProcess:
    """The other end: starts desks of one home and waits for them."""

    def __init__(self, home: Path, repository: Path) -> None:
        self._log = home.parent / f"{home.name}.stderr"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.warm_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=repository,
            env=environment(home),
        )

    def start(self, *words: str) -> int:
        """Starts `neuratrade` with these words and returns its pid."""
        return self._ask({"words": words, "log": str(self._log)})

    def wait(self) -> int:
        """Waits until it has ended; returns the signal that ended it, 0 for none."""
        return self._ask({})

    @property
    def said(self) -> str:
        """What desks wrote on their standard error so far."""
        return self._log.read_text() if self._log.exists() else ""

    def close(self) -> None:
        """Ends the warm process itself."""
        self._process.communicate()

    def _ask(self, question: object) -> int:
        questions, answers = self._process.stdin, self._process.stdout
        assert questions is not None
        assert answers is not None
        questions.write(json.dumps(question) + "\n")
        questions.flush()
        return int(answers.readline())


def load() -> None:
    """Loads what a run needs; starts no thread, since a fork would lose it."""
    for module in pkgutil.iter_modules(commands.__path__):
        importlib.import_module(f"{commands.__name__}.{module.name}")
    prepare_kernels(build_strategies(default_dna()), lambda _what, _done, _total: None)
    assert neuratrade.app.opening.open_desk is not None


def become_a_desk(words: list[str], log: str) -> None:
    """What the forked process does; never returns."""
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor, number in ((nothing, 0), (nothing, 1), (target, 2)):
        os.dup2(descriptor, number)
    sys.argv = ["neuratrade", *words]
    code = 1
    try:
        main()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    finally:
        os._exit(code)


def serve() -> None:
    """Answers until there is nobody to ask."""
    load()
    pid = 0
    for line in sys.stdin:
        question = json.loads(line)
        if question:
            pid = os.fork()
            if pid == 0:
                become_a_desk(question["words"], question["log"])
            answer = pid
        else:
            _, status = os.waitpid(pid, 0)
            answer = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        sys.stdout.write(f"{answer}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    serve()
