"""The halt switch that needs nothing but a file system: a file named HALT in the desk's home.

Promise: while anything of that name is there, `look` says halted: an empty file, binary rubbish, a
folder, a link to nowhere, a file nobody may read. So it also says when the home itself cannot be looked
into, since "not seen" never means "not there". `halt`, `HALT.txt` and the like count too: an operator in
a hurry, on a system that hides endings, must not miss. Polled every 250 ms, so seen well within 1 s.

Refused: to lift a halt. That the file is gone again is reported, but only a person's `resume` lets the
desk trade, and while the file is there a `resume` must not. A file that comes and goes between two polls
is not seen; one that stays for a second is.
"""

import errno
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

import msgspec

from neuratrade.core.model.facts import KillPolicy
from neuratrade.hands.inbox.files import Unfit, exists, read_document, write_whole
from neuratrade.store.checkpoint import sync_folder

NAME = "HALT"
POLL_S = 0.25
_SPELLINGS = frozenset(("halt", "halt.txt"))
_REASON_CHARACTERS = 500


class HaltSeen(msgspec.Struct, frozen=True):
    """A halt that stands. reason: for people, on one line. policy: what happens to what is open."""

    reason: str
    policy: KillPolicy


class HaltFile:
    """Looks for the switch in one home. default_policy: applied when the file names none."""

    def __init__(self, home: Path, default_policy: KillPolicy = KillPolicy.CANCEL_ENTRIES) -> None:
        self._home = home
        self._default_policy = default_policy

    def look(self) -> HaltSeen | None:
        """The halt that stands now; None only when the home was read and holds no such name. Never raises.

        Content, all of it optional: a first line that is a policy (`cancel_entries`, `close_perps`,
        `flatten_all`), then the reason.
        """
        try:
            if exists(self._home / NAME):
                return self._seen(self._home / NAME)
            with os.scandir(self._home) as entries:
                for entry in entries:
                    if entry.name.casefold() in _SPELLINGS:
                        return self._seen(self._home / entry.name)
        except (OSError, ValueError) as error:
            return HaltSeen(f"the home folder cannot be read: {error}", self._default_policy)
        return None

    def _seen(self, path: Path) -> HaltSeen:
        if path.is_symlink() and (named := str(path.readlink())) in list(KillPolicy):
            return HaltSeen(f"{path.name} is there; the disk had no room for a reason", KillPolicy(named))
        try:
            text = read_document(path).decode("utf-8")
        except Unfit as error:
            return HaltSeen(f"{path.name} is there; {error}", self._default_policy)
        except UnicodeDecodeError:
            return HaltSeen(f"{path.name} is there; its content is no text", self._default_policy)
        lines = text.removeprefix("\ufeff").split("\n")
        policy, rest = self._default_policy, lines
        named = lines[0].strip().casefold()
        if named in list(KillPolicy):
            policy, rest = KillPolicy(named), lines[1:]
        reason = "".join(c if c.isprintable() else " " for c in " ".join(rest)[:_REASON_CHARACTERS]).strip()
        return HaltSeen(reason or f"{path.name} is there", policy)


def raise_halt(home: Path, reason: str, policy: KillPolicy | None = None) -> None:
    """Put the file there, also when no desk runs. Raises OSError when the home cannot be written.

    What bears the name already and is no plain file stays: it halts as it is. On a full disk a name must do:
    a link that leads nowhere and is called like the policy takes no room.
    """
    path = home / NAME
    if exists(path) and not stat.S_ISREG(path.lstat().st_mode):
        return
    content = f"{policy}\n{reason}\n" if policy else f"{reason}\n"
    try:
        write_whole(path, content.encode("utf-8", errors="replace"), durable=True)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        waiting = path.with_name(f".{secrets.token_hex(8)}.tmp")
        waiting.symlink_to(policy or KillPolicy.CANCEL_ENTRIES)
        waiting.replace(path)
    # It halts already; that it also outlives a loss of power may fail where a folder cannot be synced.
    with suppress(OSError):
        sync_folder(home)
