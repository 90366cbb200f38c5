"""How every command ends: one exit code, one sentence on stderr, one JSON document where one was asked for.

Promise: 0 done, 1 refused or failed, 2 wrong usage, 130 interrupted; never a traceback on the screen. What
should not have happened is still told in a sentence, and its trace is kept in a file for whoever repairs it.
"""

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
    json_printed,
    print_error,
    print_json,
)
from neuratrade.store.errors import DatabaseAbsent, HomeLocked


def end_with(command: Callable[[], object]) -> None:
    """Runs a command line and ends the process with its exit code."""
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        # A terminal that knows no such letter gets another one instead of an error.
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    code = _outcome(command)
    try:
        sys.stdout.flush()
    except OSError as error:
        code = code or _unwritten(error)
    if code and not isinstance(code, int):
        code = FAILED
    sys.exit(code)


def _outcome(command: Callable[[], object]) -> int:
    try:
        command()
    except SystemExit as ended:
        if ended.code == WRONG_USAGE:
            return _failed("wrong usage: the message on stderr says what", WRONG_USAGE, silent=True)
        return ended.code if isinstance(ended.code, int) else OK if ended.code is None else FAILED
    except KeyboardInterrupt:
        return _failed("interrupted", INTERRUPTED)
    except (DatabaseAbsent, HomeLocked) as error:
        # Nothing is wrong with what was asked, only with the moment.
        return _failed(str(error), FAILED)
    except UsageError as error:
        return _failed(str(error), WRONG_USAGE)
    except NeuraTradeError as error:
        return _failed(str(error), FAILED)
    except BrokenPipeError as error:
        return _unwritten(error)
    except OSError as error:
        if error.filename is None:
            return _unwritten(error)
        return _failed(f"{error.filename}: {error.strerror}; check that it is yours to use", FAILED)
    except Exception as error:  # noqa: BLE001 - the last place where a fault can be told in a sentence
        return _failed(_fault(error), FAILED)
    return OK


def _failed(message: str, code: int, *, silent: bool = False) -> int:
    if not silent:
        print_error(message)
    if "--json" in sys.argv[1:] and not json_printed():
        print_json({"ok": False, "error": message})
    return code


def _unwritten(error: OSError) -> int:
    """The output could not be written: said once, unless it is the reader who left."""
    if not isinstance(error, BrokenPipeError):
        print_error(f"the output cannot be written ({error.strerror})")
    # What is still buffered would fail once more when Python ends, and be told as a traceback.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return FAILED


def _fault(error: Exception) -> str:
    trace = "".join(traceback.format_exception(error))
    name = f"neuratrade-fault-{time.time_ns()}.txt"
    home = os.environ.get("NEURATRADE_HOME", "")
    for folder in (Path(home) / "logs", Path(tempfile.gettempdir())):
        try:
            (folder / name).write_text(trace, "utf-8", errors="replace")
        except OSError:
            continue
        return f"a fault in NeuraTrade ({_in_short(error)}): please report it with {folder / name}"
    return f"a fault in NeuraTrade ({_in_short(error)}), and its trace could not be written"


def _in_short(error: Exception) -> str:
    first = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {first[:200]}" if first else type(error).__name__


def _open_closed_streams() -> None:
    """A file opened later must not take the number of a closed stream: what is printed would land in it."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)
