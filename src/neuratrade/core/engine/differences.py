"""What an account's books explain, held against what its venue says it holds: compared, nothing concluded.

A venue tells one signed number an instrument, however many brackets share it. On a NET account that number
is all there is, so our sum and what is foreign account for it exactly. On a HEDGE account, where long and
short stand side by side, it is only their difference: while we hold both sides, no part of a difference
can be given to either of them.
"""

from collections.abc import Collection, Iterator, Mapping
from decimal import Context, Decimal
from typing import NamedTuple

from neuratrade.core.engine.state import AccountState, DeskState, instrument_of_position
from neuratrade.core.model.account import PositionMode
from neuratrade.core.model.decimals import ZERO
from neuratrade.core.model.facts import QuarantineKind

LONGEST_REFERENCE = 96
AVERAGE_STEP = Decimal("0.001")
"""Of a tick, how far an average that a venue tells may be rounded."""
_ALL_DIGITS = Context(prec=100)
_PLAIN_EXPONENT = 30


class Difference(NamedTuple):
    """One thing that venue and books disagree on. amount: venue less books, signed.

    reference: names it in quarantine. about: the words after it, the same as long as the difference is.
    """

    kind: QuarantineKind
    reference: str
    instrument: str
    amount: Decimal
    about: str
    detail: str

    @property
    def subject(self) -> str:
        """What it is about: kind and reference."""
        return f"{self.kind.value} {self.reference}"

    @property
    def sentence(self) -> str:
        """How it stands in `Reconciled.differences`."""
        return f"{self.subject}: {self.about}"


class Holding(NamedTuple):
    """One instrument, signed units. ours: brackets and dust. both_sides: long and short side by side."""

    instrument: str
    ours: Decimal
    foreign: Decimal
    venue: Decimal
    both_sides: bool

    @property
    def rest(self) -> Decimal:
        """What the venue holds that is not ours."""
        return self.venue - self.ours

    @property
    def unexplained(self) -> Decimal:
        """What neither we nor what is known as foreign accounts for."""
        return self.rest - self.foreign

    @property
    def lacks_ours(self) -> bool:
        """Whether it may be something of ours that is not there."""
        if not self.unexplained or not self.ours:
            return self.both_sides and bool(self.unexplained)
        more = self.unexplained * self.ours > 0
        whole = self.rest * self.ours >= 0
        return self.both_sides or not (more or whole)


def holdings(state: DeskState, account: AccountState, positions: Mapping[str, Decimal]) -> Iterator[Holding]:
    """Every instrument that the venue or our books know of; numbers that are none are left out."""
    account_id = account.account.account_id
    ours = dict(account.dust)
    sides: dict[str, set[int]] = {}
    for bracket in state.brackets.values():
        key = bracket.intent.instrument
        if bracket.intent.account_id == account_id and bracket.held:
            ours[key] = ours.get(key, ZERO) + bracket.held_signed
            sides.setdefault(key, set()).add(bracket.intent.direction.sign)
    hedged = account.account.mode is PositionMode.HEDGE
    known = state.instruments.keys() | ours.keys() | account.foreign.keys() | positions.keys()
    for key in sorted(known):
        venue = positions.get(key, ZERO)
        if venue.is_finite():
            both = hedged and len(sides.get(key, ())) > 1
            yield Holding(key, ours.get(key, ZERO), account.foreign.get(key, ZERO), venue, both)


def position_difference(state: DeskState, account: AccountState, holding: Holding) -> Difference:
    """A holding that does not add up, in words."""
    return Difference(
        QuarantineKind.POSITION,
        reference_of(state, account, QuarantineKind.POSITION, holding.instrument),
        holding.instrument,
        holding.unexplained,
        f"the venue holds {_by_how_much(holding.unexplained)} than is explained",
        f"the venue holds {exact(holding.venue)}, ours are {exact(holding.ours)}, "
        f"foreign {exact(holding.foreign)}",
    )


def balances_compared(
    state: DeskState,
    account: AccountState,
    balances: Mapping[str, Decimal],
    agreed: Collection[str],
    tolerance_fraction: Decimal,
    costs: Mapping[str, Decimal] | None = None,
) -> Iterator[tuple[str, Difference | None]]:
    """(subject, how it differs) for every currency our books have; None where it does not.

    While a derivative is held, cash depends on which of its lots were closed: first in, first out here, by
    average elsewhere. Cash less what the rest was entered at does not, so that is compared where the venue
    tells it (`costs`).

    Units of an owned instrument are its position: their currency is compared only where the positions of all
    its instruments are in `agreed`, foreign units included. tolerance_fraction: of the greater amount.
    """
    venue_name = account.account.venue
    for currency in sorted(account.balances.keys() | {account.account.currency}):
        owned = [
            item.key
            for item in state.instruments.values()
            if item.base == currency and item.venue == venue_name and not item.is_derivative
        ]
        there = balances.get(currency, ZERO)
        if not there.is_finite() or not all(key in agreed for key in owned):
            continue
        foreign = sum((account.foreign.get(key, ZERO) for key in owned), ZERO)
        books = account.balances.get(currency, ZERO) + foreign
        entered, slack = _entered_at(state, account, currency, agreed, costs)
        apart = there - books - entered
        difference = Difference(
            QuarantineKind.BALANCE,
            reference_of(state, account, QuarantineKind.BALANCE, currency),
            "",
            apart,
            f"the venue has {_by_how_much(apart)} than the books",
            f"the venue has {exact(there)} {currency}, the books {exact(books)}",
        )
        alike = abs(apart) <= tolerance_fraction * max(abs(there), abs(books)) + slack
        yield difference.subject, None if alike else difference


def _entered_at(
    state: DeskState,
    account: AccountState,
    currency: str,
    agreed: Collection[str],
    costs: Mapping[str, Decimal] | None,
) -> tuple[Decimal, Decimal]:
    """By how much the venue says that derivatives were entered dearer than in our books, and how exactly.

    Nothing where it does not say, or holds something of the kind that is not ours.
    """
    held = [
        item
        for item in state.instruments.values()
        if item.quote == currency and item.venue == account.account.venue and item.is_derivative
    ]
    if costs is None or not all(item.key in agreed and not account.foreign.get(item.key) for item in held):
        return ZERO, ZERO
    dearer = slack = ZERO
    for item in held:
        for key, position in account.positions.items():
            if instrument_of_position(key) == item.key and position.quantity:
                dearer -= sum((lot.quantity * lot.price for lot in position.lots), ZERO) * item.multiplier
                # Venues round their averages.
                slack += abs(position.quantity) * item.tick_value * AVERAGE_STEP
        dearer += costs.get(item.key, ZERO)
    return dearer, slack


def reference_of(state: DeskState, account: AccountState, kind: QuarantineKind, name: str) -> str:
    """The name under which something is in quarantine: short, printable, and one thing's alone."""
    plain = name if name.isprintable() else ascii(name)[1:-1]
    if len(state.accounts) > 1:
        plain = f"{account.account.account_id}:{plain}"
    other = state.quarantine.get(plain[:LONGEST_REFERENCE])
    if other is not None and other.kind is not kind:
        plain = f"{kind.value} {plain}"
    return plain[:LONGEST_REFERENCE]


def _by_how_much(amount: Decimal) -> str:
    return f"{exact(abs(amount))} {'more' if amount > 0 else 'less'}"


def exact(value: Decimal) -> str:
    """A number to the last digit and without idle zeros; an exponent only where it is huge or tiny."""
    plain = value.normalize(_ALL_DIGITS)
    return format(plain, "f") if abs(plain.adjusted()) <= _PLAIN_EXPONENT else str(plain)
