"""Which library computes indicators: ours by default, TA-Lib for its breadth or for who trusts it more."""

from collections.abc import Sequence
from enum import StrEnum

from neuratrade.core.indicators.native import NativeProvider
from neuratrade.core.indicators.provider import IndicatorProvider
from neuratrade.core.indicators.spec import IndicatorSpec
from neuratrade.core.model.errors import UsageError


class Library(StrEnum):
    """A provider by name."""

    NATIVE = "native"
    TALIB = "talib"


def provider_of(library: Library, wanted: Sequence[IndicatorSpec]) -> IndicatorProvider:
    """The provider of a library that can compute all that is wanted.

    Raises UsageError where it is not installed, or lacks one of them.
    """
    if library is Library.NATIVE:
        return NativeProvider()
    from neuratrade.core.indicators.ta_lib import TaLibProvider

    try:
        provider = TaLibProvider()
        for spec in wanted:
            provider.definition(spec)
    except ValueError as error:
        raise UsageError(f"indicators: talib: {error}") from None
    return provider
