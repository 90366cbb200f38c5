"""An interrupt is heard wherever it lands, in a process of its own since it ends one."""

import subprocess
import sys

import pytest

LANDS_IN = """
import os, signal, time, weakref
from neuratrade.interfaces.cli.interrupting import interruptible, keep_interrupts
signal.signal(signal.SIGINT, signal.default_int_handler)
keep_interrupts()
class Thing:
    def __del__(self):
        if {finalizer}:
            interrupt()
def interrupt(*_):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.1)
with interruptible("nothing was kept", as_json=True):
    thing = Thing()
    watched = weakref.ref(thing, None if {finalizer} else interrupt)
    del thing
    for _ in range(1000):
        time.sleep(0.01)
print("it was lost")
"""


@pytest.mark.parametrize("finalizer", [True, False])
def test_an_interrupt_that_lands_where_python_drops_it_is_sent_again(finalizer: bool) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", LANDS_IN.format(finalizer=finalizer)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 130, ended
    assert ended.stdout == '{"ok":false,"error":"interrupted: nothing was kept"}\n'
    assert ended.stderr == "error: interrupted: nothing was kept\n"


def test_other_dropped_errors_are_told_as_ever() -> None:
    program = LANDS_IN.replace("os.kill(os.getpid(), signal.SIGINT)", "raise ValueError('odd')").replace(
        "range(1000)", "range(1)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program.format(finalizer=True)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.stdout == "it was lost\n"
    assert "ValueError: odd" in ended.stderr
