"""What Ctrl-C does to a long command: one sentence that says what is kept and how to go on, and exit 130.

Without this the command line library ends the process by itself, silently and without the JSON document that
a program waits for. An interrupt that comes while Python tidies up (a finalizer, a weak reference) would be
dropped by it: that one is sent again.
"""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from neuratrade.interfaces.cli.output import INTERRUPTED, json_was_printed, print_error, print_json

SENT_AGAIN_S = 0.01


def keep_interrupts() -> None:
    """From here on no interrupt is lost where Python cannot raise it."""
    sys.unraisablehook = _dropped


def _dropped(what: "sys.UnraisableHookArgs") -> None:
    if not isinstance(what.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(what)
        return
    # Not from here: it would be raised in this very hook.
    again = threading.Timer(SENT_AGAIN_S, os.kill, (os.getpid(), signal.SIGINT))
    again.daemon = True
    again.start()


@contextmanager
def interruptible(kept: str, *, as_json: bool) -> Iterator[None]:
    """Runs what may take long. kept: what an interrupt leaves behind, and how to go on."""
    try:
        yield
    except KeyboardInterrupt:
        end_interrupted(kept, as_json=as_json)


def end_interrupted(kept: str, *, as_json: bool) -> NoReturn:
    """Ends the process as interrupted; the sentence is the document, unless one was printed before."""
    message = f"interrupted: {kept}"
    print_error(message)
    if as_json and not json_was_printed():
        print_json({"ok": False, "error": message})
    sys.exit(INTERRUPTED)
