"""The desk's configuration: one small YAML file in the home folder, every key optional.

A mistyped key is an error at start, with file, line and the nearest valid key; a limit may be tightened here
but never loosened, since loosening is an operator's act with a reason, not an edit of a file.
"""

import re
from decimal import Decimal
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, PlainValidator, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from neuratrade.app.dna_values import nearest, number, refusal, shown, whole, word
from neuratrade.app.strict_yaml import Document, Place, dotted, read_document, where
from neuratrade.app.trading_day import time_of_day, zone_name
from neuratrade.core.indicators.choice import Library
from neuratrade.core.model.account import AccountKind
from neuratrade.core.model.errors import UsageError
from neuratrade.core.risk.limits import (
    CEILING_NAMES,
    DEFAULTS,
    TIGHTER_WHEN_HIGHER,
    Limits,
    limits_of,
    parse_limit,
)
from neuratrade.core.risk.posture import Phase, Posture, Profile
from neuratrade.feeds.market_history import MarketHistory
from neuratrade.venues.paper.costs import PaperCosts

FILE_NAME = "neuratrade.yaml"
LIMITS = "limits"
NAME = re.compile(r"[a-z][a-z0-9]{1,30}")
SYMBOL = re.compile(r"[A-Z0-9][A-Za-z0-9./:_-]{0,60}")
LOOPBACK = re.compile(r"127\.0\.0\.1:[0-9]{1,5}")


def _text(found: object) -> str:
    if not isinstance(found, str) or not found or len(found) > 200:
        raise refusal(found, "allowed is a text of 1 to 200 characters")
    return found


def _name(found: object) -> str:
    if not isinstance(found, str) or not NAME.fullmatch(found):
        raise refusal(found, "allowed is the name of a venue in small letters, such as kraken")
    return found


def _symbols(found: object) -> tuple[str, ...]:
    try:
        return symbols_of(_text(found))
    except UsageError as error:
        raise refusal(found, str(error)) from None


def _loopback(found: object) -> str:
    if not isinstance(found, str) or not LOOPBACK.fullmatch(found):
        raise refusal(found, "allowed is a simulator on this machine, 127.0.0.1:PORT")
    return found


def symbols_of(text: str) -> tuple[str, ...]:
    """Symbols that are separated by commas. Raises UsageError for what is no symbol."""
    symbols = tuple(part.strip() for part in text.split(",") if part.strip())
    wrong = [symbol for symbol in symbols if not SYMBOL.fullmatch(symbol)]
    if wrong or not symbols:
        raise UsageError(
            f"{shown(wrong[0] if wrong else text)} is no symbol; allowed are symbols separated by commas, "
            "such as BTC/USDT,ETH/USDT"
        )
    return symbols


def _limits(found: object) -> dict[str, str]:
    if not isinstance(found, dict):
        raise refusal(found, "allowed is a block of `limit: value` lines")
    faults = {key: why for key, value in found.items() if (why := _objection(str(key), value))}
    if faults:
        raise PydanticCustomError(LIMITS, "limits that cannot be used", {"faults": faults})
    return {str(name): str(value) for name, value in found.items()}


def _objection(name: str, value: object) -> str:
    """What is wrong with a limit of the file; empty when it can be used."""
    if not isinstance(value, Decimal | int | str) or isinstance(value, bool):
        return f"found {shown(value)}; allowed is a number"
    try:
        wanted = parse_limit(name, str(value))
    except UsageError as error:
        return str(error)
    default = getattr(DEFAULTS, name)
    looser = wanted < default if name in TIGHTER_WHEN_HIGHER else wanted > default
    if not looser:
        return ""
    if name in CEILING_NAMES:
        return (
            f"{value} is looser than {default}, a hard ceiling that nobody can loosen; lower it or leave it"
        )
    return (
        f"{value} is looser than the default {default}; a file may only tighten. An operator loosens a "
        f"default of a running desk: neuratrade limit {name} {value} --reason ..."
    )


Text = Annotated[str, PlainValidator(_text)]


class Block(BaseModel):
    """A block of keys: unknown ones are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AccountBlock(Block):
    """The account the desk trades. cash: what a fresh paper account starts with, in `currency`."""

    account_id: Text = "paper"
    currency: Text = "USDT"
    cash: Annotated[Decimal, number("10", "1000000000", "account currency")] = Decimal(10_000)
    kind: Annotated[str, word(*AccountKind)] = AccountKind.TRADING.value


class PaperBlock(Block):
    """Costs and faults of the paper venue; see `PaperCosts`."""

    latency_ms: Annotated[int, whole(0, 60_000, "milliseconds")] = 50
    spread_fraction: Annotated[Decimal, number("0", "0.1", "fraction of the price")] = Decimal("0.0002")
    slippage_bps: Annotated[Decimal, number("0", "500", "basis points")] = Decimal(1)
    participation_fraction: Annotated[Decimal, number("0.0001", "1", "fraction of volume")] = Decimal("0.1")
    reject_fraction: Annotated[Decimal, number("0", "1", "fraction of entries")] = Decimal(0)
    seed: Annotated[int, whole(0, 2**31, "any whole number")] = 0

    def costs(self) -> PaperCosts:
        """As the venue takes them."""
        return PaperCosts(**self.model_dump())


class DayBlock(Block):
    """When the trading day begins: when the clocks of `zone` show `begins`."""

    zone: Annotated[str, PlainValidator(zone_name)] = "UTC"
    begins: Annotated[str, PlainValidator(time_of_day)] = "00:00"


class RiskBlock(Block):
    """How much of its limits the desk may use; see `core/risk/posture.py`.

    profile: how much risk is wanted at all. boldest: the posture a drawdown steps down from. phase: how much
    evidence there is of this desk. Limits hold whatever is chosen here.
    """

    profile: Annotated[str, word(*Profile)] = Profile.MEDIUM.value
    boldest: Annotated[str, word(*Posture)] = Posture.BALANCED.value
    phase: Annotated[str, word(*Phase)] = Phase.MATURE.value


class MarketBlock(Block):
    """A live market to trade on paper instead of recorded data. symbols: separated by commas. host: of a
    simulator on this machine, `127.0.0.1:PORT`, instead of the venue.
    """

    venue: Annotated[str, PlainValidator(_name)] = ""
    symbols: Annotated[tuple[str, ...], PlainValidator(_symbols)] = ()
    host: Annotated[str, PlainValidator(_loopback)] = ""


class HistoryBlock(Block):
    """How long recorded candles are kept near at hand, days; see `feeds/market_history.py`."""

    hot_days: Annotated[int, whole(1, 36_500, "days")] = MarketHistory().hot_days
    warm_days: Annotated[int, whole(1, 36_500, "days")] = MarketHistory().warm_days
    cold_days: Annotated[int, whole(0, 36_500, "days")] = MarketHistory().cold_days

    def policy(self) -> MarketHistory:
        """The policy. Raises UsageError for windows that do not follow each other."""
        return MarketHistory(self.hot_days, self.warm_days, self.cold_days)


class Config(Block):
    """Everything a desk can be told in its file. dna: path of a DNA file, the shipped one by default.
    indicators: the library that computes them.
    """

    operator_id: Text = "operator"
    account: AccountBlock = AccountBlock()
    data: Text = "shipped"
    market: MarketBlock = MarketBlock()
    dna: Text | None = None
    limits: Annotated[dict[str, str], PlainValidator(_limits)] = {}
    risk: RiskBlock = RiskBlock()
    day: DayBlock = DayBlock()
    paper: PaperBlock = PaperBlock()
    indicators: Annotated[str, word(*Library)] = Library.NATIVE.value
    market_history: HistoryBlock = HistoryBlock()

    def tightened(self) -> Limits:
        """The default limits with this file's tighter ones."""
        return limits_of(self.limits)


def load_config(path: Path) -> Config:
    """The configuration at `path`; all defaults when there is no such file.

    Raises UsageError naming file, line, column and key of every problem.
    """
    if not path.exists():
        _refuse_misplaced(path)
        return Config()
    if path.is_file() and _says_nothing(path):
        return Config()
    document = read_document(path)
    try:
        config = Config.model_validate(document.root)
        config.market_history.policy()
    except ValidationError as error:
        lines = [line for detail in error.errors() for line in _lines(document, detail)]
        raise UsageError("\n".join(lines)) from None
    return config


def _refuse_misplaced(path: Path) -> None:
    """A file that nobody reads would leave its limits out without a word."""
    for other in (
        path.with_suffix(".yml"),
        path.parent.parent / path.name,
        path.parent.parent / "config.yaml",
    ):
        if other.is_file():
            raise UsageError(f"{other}: is not read; the desk's file is {path}: move it there, or away")


def _says_nothing(path: Path) -> bool:
    """Whether a file holds nothing but comments: then all defaults hold, as without it."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
    return all(not line.strip() or line.lstrip().startswith(b"#") for line in lines)


def _lines(document: Document, detail: ErrorDetails) -> list[str]:
    kind, place = detail["type"], detail["loc"]
    if kind == LIMITS:
        faults = detail["ctx"]["faults"]
        places = {(*place, name): why for name, why in faults.items()}
        return [
            f"{where(document.path, document.key_mark(at))}: {dotted(at)}: {why}"
            for at, why in places.items()
        ]
    return [_line(document, kind, place, detail)]


def _line(document: Document, kind: str, place: Place, detail: ErrorDetails) -> str:
    found, what = detail["input"], detail["msg"]
    mark = document.key_mark(place) if kind == "extra_forbidden" else document.value_mark(place)
    if kind == "extra_forbidden":
        keys = _keys_at(place[:-1])
        what = f"unknown key{nearest(place[-1], keys) or '; allowed are ' + ', '.join(keys)}"
    elif kind in ("model_type", "model_attributes_type"):
        what = f"found {shown(found)}; allowed is a block of keys: {', '.join(_keys_at(place))}"
    return f"{where(document.path, mark)}: {dotted(place)}: {what}"


def _keys_at(place: Place) -> tuple[str, ...]:
    block: type[BaseModel] = Config
    for part in place:
        inner = block.model_fields[str(part)].annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            block = inner
    return tuple(block.model_fields)
