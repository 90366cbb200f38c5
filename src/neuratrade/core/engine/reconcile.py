"""The reconciler: compares our books with what a venue says it has, and never invents a fill.

It holds no sending tool: what it finds becomes venue events that are really the venue's (adopted), facts
that write down what cannot be explained (quarantined), looks again, and guards that go through the same
door as everything else.
"""

from neuratrade.core.engine.markets import Markets
from neuratrade.core.engine.turn import Turn
from neuratrade.core.model.events import VenueSnapshot


class Reconciler:
    """Remembers what differed at the last look, since one look proves nothing. Volatile."""

    def compare(self, turn: Turn, snapshot: VenueSnapshot, markets: Markets) -> None:
        """Compares one account. What differs once is looked at again; what differs twice is acted upon."""
        # Not compared yet.
