"""Fold of corporate actions and rolls: quantities and levels of what is held are rewritten."""

from neuratrade.core.engine.state import DeskState
from neuratrade.core.model import facts as f


def corporate_acted(state: DeskState, fact: f.CorporateActed) -> None:
    """Rewrites holdings, brackets and levels of an instrument."""
    raise NotImplementedError(fact.kind)
