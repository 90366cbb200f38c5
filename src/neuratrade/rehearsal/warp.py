"""An event loop whose time jumps: while nothing is on its way, the next timer is now.

Whatever waits through it (pings, back-offs, time-outs, clients of others that know no clock of ours) waits in
its time, so a rehearsal of hours runs in seconds, over real sockets. What goes from one end to another in
this loop goes through a pair of connected sockets, where what was sent has arrived: nothing is still under
way when time jumps, however busy the machine is, and a play that is repeated comes out the same.
"""

import asyncio
import os
import selectors
import socket
import weakref
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from neuratrade.core.model.market import NS_PER_SECOND

LOOKS = 3
"""How often sockets are looked at, the processor given away in between, before time jumps."""

T = TypeVar("T")
ProtocolFactory = Callable[[], asyncio.BaseProtocol]
Ready = list[tuple[selectors.SelectorKey, int]]


class WarpLoop(asyncio.SelectorEventLoop):
    """A loop with a time of its own, which begins at zero and moves in jumps."""

    def __init__(self) -> None:
        self._elapsed_s = 0.0
        self._served: dict[int, tuple[asyncio.Server, ProtocolFactory]] = {}
        self._dialled: weakref.WeakKeyDictionary[socket.socket, ProtocolFactory] = weakref.WeakKeyDictionary()
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        """Seconds since the loop was made, in its own time."""
        return self._elapsed_s

    def jump(self, seconds: float) -> None:
        """Moves on."""
        # On a grid, so that when a timer fires does not depend on how many jumps led there.
        self._elapsed_s = round(self._elapsed_s + seconds, 9)

    async def create_server(self, protocol_factory: Any, *args: Any, **options: Any) -> asyncio.Server:
        """A server as ever, which those who dial it from this loop reach through a pair of sockets."""
        server = await super().create_server(protocol_factory, *args, **options)
        for listening in server.sockets:
            self._served[listening.getsockname()[1]] = (server, protocol_factory)
        return server

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        """Dials. Where this loop serves that port, `create_connection` makes the connection."""
        server = self._served.get(address[1]) if sock.family == socket.AF_INET else None
        if server is not None and server[0].is_serving():
            self._dialled[sock] = server[1]
            return
        await super().sock_connect(sock, address)

    async def create_connection(self, protocol_factory: Any, *args: Any, **options: Any) -> Any:
        """A connection, over a socket that was dialled or to a host and port, or as ever."""
        accepted = self._answering(args, options)
        if accepted is None:
            return await super().create_connection(protocol_factory, *args, **options)
        if options.get("sock") is not None:
            options["sock"].close()
        ours, theirs = socket.socketpair()
        await self.connect_accepted_socket(accepted, theirs)
        return await super().create_connection(protocol_factory, sock=ours)

    def _answering(self, args: tuple[Any, ...], options: dict[str, Any]) -> ProtocolFactory | None:
        """Who answers a call in this loop, if somebody does."""
        if options.get("sock") is not None:
            return self._dialled.pop(options["sock"], None)
        port = args[1] if len(args) > 1 else options.get("port")
        server = self._served.get(port) if isinstance(port, int) and not options.get("ssl") else None
        return server[1] if server is not None and server[0].is_serving() else None


class _JumpingSelector(selectors.DefaultSelector):
    def __init__(self, loop: WarpLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Ready:
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        for _ in range(LOOKS):
            os.sched_yield()
            ready = super().select(0)
            if ready:
                return ready
        if timeout is None:
            # No timer: only a socket or a signal can wake it, in real time.
            return super().select(None)
        self._loop.jump(timeout)
        return []


class WarpClock:
    """The clock port on a `WarpLoop`. begin_ns: what time it was when the loop was made."""

    def __init__(self, loop: WarpLoop, begin_ns: int) -> None:
        self._loop = loop
        self._begin_ns = begin_ns

    def now_ns(self) -> int:
        """Nanoseconds UTC in the loop's time."""
        return self._begin_ns + round(self._loop.time() * NS_PER_SECOND)

    async def sleep(self, seconds: float) -> None:
        """Wait in the loop's time."""
        await asyncio.sleep(max(seconds, 0.0))


def run_warped(main: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine to its end on a `WarpLoop`, like `asyncio.run`."""
    with asyncio.Runner(loop_factory=WarpLoop) as runner:
        return runner.run(main)
