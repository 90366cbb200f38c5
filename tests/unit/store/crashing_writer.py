"""A process that journals until it is killed, or until its disk is full. Run by the tests, never imported.

Says on its standard output, one number a line, the last seq of each group that a commit has acknowledged;
after a failure, the word `failed`, the number of facts it still holds, and what the emergency file took.
"""

import os
import resource
import sys
from pathlib import Path

from neuratrade.store.emergency import EmergencyFile
from neuratrade.store.errors import JournalUnwritable
from neuratrade.store.journal import Journal
from neuratrade.store.keys import Ed25519Signer
from tests.unit.store.sample_facts import ACCOUNT, RUN, marked, run_started, write


def say(*words: object) -> None:
    """A line that is out of this process before anything else happens."""
    os.write(1, (" ".join(str(word) for word in words) + "\n").encode())


def main(path: Path, group: int, disk_bytes: int) -> None:
    """Journals groups of numbered marks without end."""
    signer = Ed25519Signer()
    journal = Journal.open(path, signer=signer, segment_rows=50)
    write(journal, run_started(signer))
    number = journal.head()[0]
    if disk_bytes:
        # From here on no file of this process can grow beyond this size: the write fails like on a full disk.
        resource.setrlimit(resource.RLIMIT_FSIZE, (disk_bytes, resource.RLIM_INFINITY))
    while True:
        for _ in range(group):
            number += 1
            journal.append(marked(number), run_id=RUN, account_id=ACCOUNT)
        try:
            say(journal.commit())
        except JournalUnwritable:
            break
    say("failed", len(journal.buffered()))
    say("rescued", EmergencyFile(path.parent / "emergency.jsonl").take_buffer(journal))
    journal.abandon()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
