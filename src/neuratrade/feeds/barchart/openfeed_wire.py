"""Openfeed's frames into protobuf messages, whatever they hold.

A frame is any number of messages, each behind its length of two bytes. What is torn or no protobuf is left
out and counted; what came whole before it in the same frame counts. The classes of messages are those of the
package `openfeed`, imported when the first transport is made: an installation without it trades elsewhere.
"""

from collections.abc import Iterator
from functools import lru_cache
from types import ModuleType
from typing import Any, NamedTuple

from neuratrade.core.model.errors import UsageError
from neuratrade.feeds.barchart.transport import Tally

LENGTH = 2
"""Bytes of a length, the most significant first."""

Message = Any
"""An `OpenfeedGatewayMessage`; protobuf classes are made at run time."""


class Protos(NamedTuple):
    """Modules of message classes: of the gateway, and of market data."""

    api: ModuleType
    market: ModuleType


@lru_cache(maxsize=1)
def protos() -> Protos:
    """The message classes. Raises UsageError, saying what to install, where they are missing."""
    try:
        from openfeed.generated import openfeed_api_pb2, openfeed_pb2
    except ImportError as error:
        raise UsageError(
            "Barchart's Openfeed needs the package openfeed: pip install 'neuratrade[barchart]'"
        ) from error
    return Protos(openfeed_api_pb2, openfeed_pb2)


def messages_of(frame: object, tally: Tally) -> Iterator[Message]:
    """Messages of a frame that are whole. frame: what the socket gave."""
    if not isinstance(frame, bytes):
        tally.leave_out("text frames")
        return
    make = protos().api.OpenfeedGatewayMessage
    at, end = 0, len(frame)
    while at < end:
        begin = at + LENGTH
        at = begin + int.from_bytes(frame[at:begin])
        if begin > end:
            tally.leave_out("torn lengths")
            return
        if at > end:
            tally.leave_out("messages longer than their frame")
            return
        if at == begin:
            tally.leave_out("empty messages")
            continue
        message = make()
        # Its decoder raises DecodeError, and UnicodeDecodeError or ValueError in some of its implementations.
        try:
            message.ParseFromString(frame[begin:at])
        except Exception:  # noqa: BLE001
            tally.leave_out("messages that are no protobuf")
            continue
        if message.WhichOneof("data") is None:
            tally.leave_out("messages of unknown kinds")
            continue
        yield message
