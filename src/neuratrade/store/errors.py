"""What can go wrong with durable state, told apart by what the caller may do next."""

from neuratrade.core.model.errors import Retryable, Terminal, UsageError


class JournalUnwritable(Retryable):
    """A group could not be made durable. It is still buffered: commit again, or take it elsewhere."""


class JournalTaken(Terminal):
    """Another writer has this journal or moved its head; going on would fork the chain."""


class JournalCut(Terminal):
    """The journal has less, or other, than a checkpoint says it had: state folded from it would be wrong."""


class DatabaseMismatch(Terminal):
    """The database, or its schema, is one this program does not know; it was left as it was."""


class DatabaseAbsent(UsageError):
    """There is no database where one was to be read."""


class HomeLocked(UsageError):
    """Another desk runs in this home folder."""


class ProjectionBroken(Terminal):
    """A fact needs something the journal never said, so rows for people cannot be made from it."""
