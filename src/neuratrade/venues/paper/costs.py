"""What trading costs on paper, and how unkind the paper venue is. All of it is printed by a run."""

from decimal import Decimal

import msgspec

from neuratrade.core.model.decimals import ZERO


class PaperCosts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Costs and faults of the simulated venue.

    latency_ms: there and back; half each way. spread_fraction: of the price, where only bars are known.
    slippage_bps: what taking moves the price against us, basis points. impact_bps: what taking all of a bar's
    volume, or of a quote's size, would move it on top; a part of it in proportion. participation_fraction:
    how much of a bar's volume our orders of one side may take; of a quote they may take its size. through:
    a resting limit fills only when the price goes through it, not when it merely touches. reject_fraction:
    share of entries refused, drawn from seed and order id, so the same run always meets the same fate. lends:
    whether what is not owned may be sold short (spot, equities), for the instrument's initial margin.
    """

    latency_ms: int = 50
    spread_fraction: Decimal = Decimal("0.0002")
    slippage_bps: Decimal = Decimal(1)
    impact_bps: Decimal = ZERO
    participation_fraction: Decimal = Decimal("0.1")
    through: bool = True
    reject_fraction: Decimal = ZERO
    seed: int = 0
    lends: bool = False
