"""Ends what gets nowhere: a loop that is never idle, or one whose time goes on for ever.

Time on a `WarpLoop` moves only while nothing is to be done, so no timer of its own ends work that goes round
and round; real time does, and only for that is it looked at here.
"""

import asyncio
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
LIBRARY = Path(asyncio.__file__).parent
MOST_NAMED = 8
GRACE_S = 10.0
"""How long what is ended may take to clean up, real seconds."""


async def run_or_tell_where(work: Coroutine[Any, Any, T], patience_s: float, longest_s: float) -> T | str:
    """The result of `work`; or where it was, once it is stuck.

    patience_s: how long it may take, real seconds. longest_s: the same in seconds of the loop.
    """
    task = asyncio.create_task(work)
    if await _ends(task, patience_s, longest_s):
        return task.result()
    where = _where(task)
    task.cancel()
    await _ends(task, GRACE_S, longest_s)
    return where


async def _ends(task: asyncio.Task[Any], patience_s: float, longest_s: float) -> bool:
    """Whether it is done before either time is over."""
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    bell = threading.Timer(patience_s, lambda: loop.call_soon_threadsafe(over.set))
    bell.daemon = True
    bell.start()
    rung = asyncio.create_task(over.wait())
    try:
        await asyncio.wait((task, rung), timeout=longest_s, return_when=asyncio.FIRST_COMPLETED)
    finally:
        bell.cancel()
        rung.cancel()
    return task.done()


def _where(task: asyncio.Task[Any]) -> str:
    """The innermost lines at which tasks of the loop are, the one given first."""
    others = sorted(asyncio.all_tasks() - {task, asyncio.current_task()}, key=lambda item: item.get_name())
    lines = [_line(item) for item in (task, *others)]
    named = list(dict.fromkeys(line for line in lines if line))
    return ", ".join(named[:MOST_NAMED]) or "nowhere"


def _line(task: asyncio.Task[Any]) -> str:
    inside: Any = task.get_coro()
    found = ""
    while (frame := getattr(inside, "cr_frame", None)) is not None:
        if Path(frame.f_code.co_filename).parent != LIBRARY:
            found = f"{frame.f_code.co_qualname} ({Path(frame.f_code.co_filename).name}:{frame.f_lineno})"
        inside = inside.cr_await
    return found
