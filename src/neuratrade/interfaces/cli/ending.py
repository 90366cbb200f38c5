"""How every command ends: one exit code, one sentence on stderr, one JSON document where one was asked for.

Promise: 0 done, 1 refused or failed, 2 wrong usage, 130 interrupted; never a traceback on the screen. What
should not have happened is still told in a sentence, and its trace is kept in a file for whoever repairs it.
"""

import gc
import io
import os
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from neuratrade.core.model.errors import NeuraTradeError, UsageError
from neuratrade.interfaces.cli.output import (
    FAILED,
    INTERRUPTED,
    OK,
    WRONG_USAGE,
    begin_output,
    error_was_printed,
    json_was_printed,
    print_error,
    print_json,
)
from neuratrade.store.errors import DatabaseAbsent, HomeLocked
from neuratrade.store.home import Home


def end_with(command: Callable[[], object]) -> None:
    """Runs a command line and ends the process with its exit code."""
    _open_closed_streams()
    begin_output()
    code = _outcome(command)
    try:
        sys.stdout.flush()
    except OSError as error:
        code = _unwritten(error)
    # Nothing is left to tidy: without this, Python would look through every kernel and frame once more.
    gc.freeze()
    sys.exit(code)


def _outcome(command: Callable[[], object]) -> int:
    try:
        command()
    except SystemExit as ended:
        # The command line library makes an exit code of an interrupt that no command took, without a word.
        if ended.code == INTERRUPTED and not error_was_printed():
            return _failed("interrupted", INTERRUPTED)
        if ended.code == WRONG_USAGE and _wants_json():
            print_json({"ok": False, "error": "wrong usage: stderr says what"})
        return ended.code if isinstance(ended.code, int) else OK
    except KeyboardInterrupt:
        return _failed("interrupted", INTERRUPTED)
    except NeuraTradeError as error:
        # A home that is in use or empty is no wrong usage: nothing is wrong but the moment.
        wrong = isinstance(error, UsageError) and not isinstance(error, DatabaseAbsent | HomeLocked)
        return _failed(str(error), WRONG_USAGE if wrong else FAILED)
    except OSError as error:
        if error.filename is None:
            return _unwritten(error)
        return _failed(f"{error.filename}: {error.strerror}; make it readable and writable for you", FAILED)
    except Exception as error:  # noqa: BLE001 - the last place where a fault can be told in a sentence
        return _failed(_fault(error), FAILED)
    return OK


def _wants_json() -> bool:
    return "--json" in sys.argv[1:] and not json_was_printed()


def _failed(message: str, code: int) -> int:
    print_error(message)
    if _wants_json():
        print_json({"ok": False, "error": message})
    return code


def _unwritten(error: OSError) -> int:
    """The output could not be written: told, unless it is the reader who left."""
    if not isinstance(error, BrokenPipeError):
        print_error(f"the output cannot be written: {error.strerror}")
    # What is still buffered would fail once more when Python ends, and be told as a traceback.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return FAILED


def _fault(error: Exception) -> str:
    first = next(iter(str(error).splitlines()), "")[:200]
    what = f"a fault in NeuraTrade ({type(error).__name__}: {first})"
    trace = "".join(traceback.format_exception(error))
    for folder in (Home.resolve().logs, Path(tempfile.gettempdir())):
        kept = folder / f"neuratrade-fault-{time.time_ns()}.txt"
        try:
            kept.write_text(trace, "utf-8", errors="replace")
        except OSError:
            continue
        return f"{what}: what was journaled is safe; please report {kept}"
    return f"{what}: what was journaled is safe; its trace could not be written"


def _open_closed_streams() -> None:
    """A file opened later must not get the number of a closed stream: what is printed would land in it."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for name, number in (("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w", encoding="utf-8", closefd=False))
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that does not know a letter shows its number instead of an error.
            stream.reconfigure(errors="backslashreplace")
