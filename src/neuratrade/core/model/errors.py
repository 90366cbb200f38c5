"""The one small tree of errors.

A caller decides by the class alone what may happen next: ask again (`Retryable`), never ask again
(`Terminal`), tell the person what to change (`UsageError`), or record a decision (`Refused`,
`LimitReached`). Messages say what was wrong, where, what was kept, and what to do next.
"""


class NeuraTradeError(Exception):
    """Root of every error this project raises on purpose."""


class UsageError(NeuraTradeError):
    """The person or program gave something that cannot be used; nothing was done."""


class Refused(NeuraTradeError):
    """The gate, or a guard that stands for it, said no."""


class LimitReached(Refused):
    """A count, a budget or a queue is full."""


class Retryable(NeuraTradeError):
    """The same call may succeed later; nothing was half-done."""


class Terminal(NeuraTradeError):
    """The same call can never succeed; a person has to look."""
