"""History comes through an unmodified ccxt from a server that speaks Binance's protocol, and never twice."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from random import Random

import polars as pl
import pytest

from neuratrade.core.model.errors import NeuraTradeError, Retryable, Terminal, UsageError
from neuratrade.core.model.instrument import InstrumentKind
from neuratrade.core.model.market import Bar
from neuratrade.feeds.catalogue import Catalogue
from neuratrade.feeds.download import Download, DownloadReport, Wanted
from neuratrade.feeds.exchange import ATTEMPTS, Exchange
from neuratrade.feeds.times import time_of
from tests.loopback.exchange import PAGE, Fault, LoopbackExchange, bar, loopback_exchange

MINUTE = 60_000
DAY = 86_400_000
MARCH_MS = time_of("2025-03-01") // 1_000_000


@pytest.fixture(scope="module")
def listening() -> Iterator[LoopbackExchange]:
    with loopback_exchange() as exchange:
        yield exchange


@pytest.fixture(scope="module")
def opened(listening: LoopbackExchange) -> Iterator[tuple[Exchange, list[float]]]:
    waited: list[float] = []
    with closing(Exchange("binance", listening.url, waited.append, Random(1))) as made:
        made._client.rateLimit = 1
        yield made, waited


@pytest.fixture
def venue(listening: LoopbackExchange) -> LoopbackExchange:
    listening.begin_anew()
    return listening


@pytest.fixture
def client(opened: tuple[Exchange, list[float]], venue: LoopbackExchange) -> Exchange:
    return opened[0]


@pytest.fixture
def waited(opened: tuple[Exchange, list[float]]) -> list[float]:
    opened[1].clear()
    return opened[1]


@pytest.fixture
def catalogue(tmp_path: Path) -> Catalogue:
    return Catalogue(tmp_path / "data")


def wanted(since: str, until: str, symbol: str = "BTC/USDT", timeframe: str = "1m") -> Wanted:
    return Wanted(symbol, timeframe, time_of(since), time_of(until))


def download(client: Exchange, catalogue: Catalogue, since: str, until: str) -> DownloadReport:
    return Download(client, catalogue, wanted(since, until)).run()


def openings(catalogue: Catalogue) -> list[int]:
    (series,) = catalogue.open("imported").series
    return [event.open_ns // 1_000_000 for event in series.events() if isinstance(event, Bar)]


def test_a_range_comes_in_page_by_page_and_holds_every_bar(
    client: Exchange, venue: LoopbackExchange, catalogue: Catalogue
) -> None:
    seen: list[tuple[int, int]] = []
    report = Download(
        client, catalogue, wanted("2025-02-27", "2025-03-03"), lambda done, total: seen.append((done, total))
    ).run()
    assert (report.ok, report.added, report.rows, report.pages) == (True, 5_760, 5_760, 6)
    assert openings(catalogue) == [MARCH_MS - 2 * DAY + MINUTE * place for place in range(5_760)]
    (series,) = catalogue.open("imported").series
    first = next(iter(series.events()))
    assert isinstance(first, Bar)
    _, *numbers = bar(MARCH_MS - 2 * DAY, MINUTE)
    assert (first.open, first.high, first.low, first.close, first.volume) == tuple(map(Decimal, numbers[:5]))
    assert [part.rows for part in series.parts] == [2_880, 2_880]
    assert (seen[0], seen[-1], seen == sorted(seen)) == ((0, 5_760), (5_760, 5_760), True)


def test_the_same_download_again_asks_for_no_bar(
    client: Exchange, venue: LoopbackExchange, catalogue: Catalogue
) -> None:
    download(client, catalogue, "2025-03-01", "2025-03-03")
    venue.asked.clear()
    report = download(client, catalogue, "2025-03-01", "2025-03-03")
    assert (report.added, report.rows, report.pages, venue.asked) == (0, 2_880, 0, [])


def test_a_longer_range_asks_only_for_what_is_before_and_after(
    client: Exchange, venue: LoopbackExchange, catalogue: Catalogue
) -> None:
    download(client, catalogue, "2025-03-02", "2025-03-03")
    venue.asked.clear()
    report = download(client, catalogue, "2025-03-01", "2025-03-04")
    assert (report.added, report.rows) == (2_880, 4_320)
    assert [since for since, _ in venue.asked] == [
        MARCH_MS,
        MARCH_MS + PAGE * MINUTE,
        MARCH_MS + 2 * DAY,
        MARCH_MS + 2 * DAY + PAGE * MINUTE,
    ]


def test_terms_are_those_the_exchange_states(client: Exchange, catalogue: Catalogue) -> None:
    download(client, catalogue, "2025-03-01", "2025-03-02")
    (terms,) = catalogue.open("imported").instruments
    assert (terms.key, terms.kind, terms.tick, terms.lot) == (
        "BTC/USDT@binance",
        InstrumentKind.SPOT,
        Decimal("0.01"),
        Decimal("0.0001"),
    )
    assert [terms.min_quantity, terms.min_notional, terms.taker_fee_bps] == [Decimal("0.0001"), 5, 10]
    assert terms.fee_in_base


def test_a_perpetual_has_its_own_terms_and_may_be_kept_under_another_name(
    client: Exchange, catalogue: Catalogue
) -> None:
    asked = Wanted("BTC/USDT:USDT", "1h", time_of("2025-03-01"), time_of("2025-03-02"), "perps", "BTC/USDT")
    report = Download(client, catalogue, asked).run()
    (terms,) = catalogue.open("perps").instruments
    assert (report.rows, terms.key, terms.kind) == (24, "BTC/USDT@binance", InstrumentKind.PERPETUAL)
    assert [terms.tick, terms.lot, terms.min_notional] == [Decimal("0.1"), Decimal("0.001"), 100]
    assert [terms.maker_fee_bps, terms.taker_fee_bps, terms.multiplier, terms.fee_in_base] == [2, 5, 1, False]
    assert "no leverage assumed" in report.notes[0]


def test_terms_an_operator_corrected_stay_and_are_told_apart(client: Exchange, catalogue: Catalogue) -> None:
    download(client, catalogue, "2025-03-01", "2025-03-02")
    path = catalogue.root / "imported" / "instruments.json"
    path.write_text(path.read_text().replace('"tick": "0.01"', '"tick": "0.05"'))
    report = download(client, catalogue, "2025-03-01", "2025-03-03")
    assert catalogue.open("imported").instruments[0].tick == Decimal("0.05")
    assert report.notes == [
        "BTC/USDT@binance: tick is 0.05 in instruments.json of dataset imported, and 0.01 at the exchange; "
        "yours was kept"
    ]


def test_a_bar_still_forming_is_never_kept(
    client: Exchange, venue: LoopbackExchange, catalogue: Catalogue
) -> None:
    venue.now_ms = MARCH_MS + 10 * MINUTE + 59_000
    report = download(client, catalogue, "2025-03-01", "2025-03-02")
    assert (report.rows, report.until) == (10, "2025-03-01T00:10:00Z")
    assert openings(catalogue)[-1] == MARCH_MS + 9 * MINUTE
    venue.now_ms += 3 * MINUTE
    assert download(client, catalogue, "2025-03-01", "2025-03-02").added == 3


def test_a_bar_that_closed_this_moment_may_still_be_corrected_and_waits(
    client: Exchange, venue: LoopbackExchange, catalogue: Catalogue
) -> None:
    venue.now_ms = MARCH_MS + 10 * MINUTE + 9_000
    assert download(client, catalogue, "2025-03-01", "2025-03-02").rows == 9


def test_a_bar_that_the_exchange_lists_late_is_asked_for_again(
    client: Exchange, venue: LoopbackExchange, catalogue: Catalogue
) -> None:
    venue.now_ms = MARCH_MS + 30 * MINUTE + 30_000
    venue.holes = [(MARCH_MS + 25 * MINUTE, MARCH_MS + DAY)]
    assert download(client, catalogue, "2025-03-01", "2025-03-02").rows == 25
    venue.holes.clear()
    assert download(client, catalogue, "2025-03-01", "2025-03-02").rows == 30


def test_a_halt_is_crossed_noted_and_never_asked_for_again(
    client: Exchange, venue: LoopbackExchange, catalogue: Catalogue
) -> None:
    venue.holes = [(MARCH_MS + 100 * MINUTE, MARCH_MS + DAY + 100 * MINUTE)]
    report = download(client, catalogue, "2025-03-01", "2025-03-03")
    assert (report.rows, report.notes) == (
        1_440,
        [
            "BTC/USDT@binance: 1,440 of the bars asked for are not there: before its listing, in a halt, or "
            "without a trade"
        ],
    )
    venue.asked.clear()
    download(client, catalogue, "2025-03-01", "2025-03-03")
    assert venue.asked == []


def test_years_before_a_listing_cost_a_handful_of_questions(
    client: Exchange, venue: LoopbackExchange, catalogue: Catalogue
) -> None:
    venue.listed_ms = MARCH_MS + DAY
    report = download(client, catalogue, "2021-01-01", "2025-03-03")
    assert report.rows == 1_440
    assert openings(catalogue)[0] == venue.listed_ms
    assert len(venue.asked) < 100
    venue.asked.clear()
    download(client, catalogue, "2021-01-01", "2025-03-03")
    assert venue.asked == []


def test_a_range_without_any_bar_ends_well_and_says_so(
    client: Exchange, venue: LoopbackExchange, catalogue: Catalogue
) -> None:
    venue.listed_ms = MARCH_MS + 100 * DAY
    report = download(client, catalogue, "2025-03-01", "2025-03-02")
    assert (report.ok, report.added, report.rows) == (True, 0, 0)
    assert "1,440 of the bars asked for are not there" in report.notes[0]
    assert not (catalogue.root / "imported" / "dataset.json").exists()


def test_too_many_requests_are_waited_out_as_long_as_the_exchange_says(
    client: Exchange, venue: LoopbackExchange, catalogue: Catalogue, waited: list[float]
) -> None:
    venue.faults = [Fault(429, '{"code":-1003,"msg":"Too many requests."}', Retry_After="7")]
    assert download(client, catalogue, "2025-03-01", "2025-03-02").rows == 1_440
    assert len(waited) == 1
    assert 8 <= waited[0] <= 9


@pytest.mark.parametrize("fault", [Fault(500, "oops"), Fault(503, "{}"), Fault(0), Fault(504, "")])
def test_trouble_is_asked_again_each_time_later(
    fault: Fault, client: Exchange, venue: LoopbackExchange, catalogue: Catalogue, waited: list[float]
) -> None:
    venue.faults = [fault] * 3
    assert download(client, catalogue, "2025-03-01", "2025-03-02").rows == 1_440
    assert [1 <= waited[0] <= 2, 2 <= waited[1] <= 4, 4 <= waited[2] <= 8] == [True] * 3


def test_lasting_trouble_ends_the_download_keeps_what_came_and_says_how_to_go_on(
    client: Exchange, venue: LoopbackExchange, catalogue: Catalogue, waited: list[float]
) -> None:
    venue.after = lambda pages: venue.faults.extend([Fault(502)] * 50) if pages == 2 else None
    with pytest.raises(
        Retryable,
        match=r"exchange binance: did not answer the question for bars of BTC/USDT in 6 attempts .*502.*; "
        r"run the same command again later",
    ):
        download(client, catalogue, "2025-03-01", "2025-03-03")
    assert len(waited) == ATTEMPTS - 1
    assert len(openings(catalogue)) == 2 * PAGE
    venue.faults.clear()
    venue.asked.clear()
    assert download(client, catalogue, "2025-03-01", "2025-03-03").rows == 2_880
    assert [since for since, _ in venue.asked] == [MARCH_MS + 2 * PAGE * MINUTE]


def test_an_interrupted_download_keeps_what_it_read_and_goes_on_there(
    client: Exchange, venue: LoopbackExchange, catalogue: Catalogue
) -> None:
    def interrupt(done: int, total: int) -> None:
        if done >= 2 * PAGE:
            raise KeyboardInterrupt

    stopped = Download(client, catalogue, wanted("2025-03-01", "2025-03-04"), interrupt)
    with pytest.raises(KeyboardInterrupt):
        stopped.run()
    assert stopped.kept_until_ns == (MARCH_MS + 2 * PAGE * MINUTE) * 1_000_000
    assert len(openings(catalogue)) == 2 * PAGE
    read = len(venue.asked)
    assert download(client, catalogue, "2025-03-01", "2025-03-04").rows == 4_320
    assert min(since for since, _ in venue.asked[read:]) == MARCH_MS + 2 * PAGE * MINUTE


KILLED_IN_THE_SECOND_MONTH = """
import os, sys
from pathlib import Path
from neuratrade.feeds.catalogue import Catalogue
from neuratrade.feeds.download import Download, Wanted
from neuratrade.feeds.exchange import Exchange
from neuratrade.feeds.times import time_of

wanted = Wanted("BTC/USDT", "1m", time_of("2025-02-28"), time_of("2025-03-03"))
kill = lambda done, total: os._exit(9) if done > 2 * 1440 else None
Download(Exchange("binance", sys.argv[1]), Catalogue(Path(sys.argv[2])), wanted, kill).run()
"""


def test_a_killed_download_keeps_the_months_it_had_finished(
    client: Exchange, venue: LoopbackExchange, catalogue: Catalogue
) -> None:
    words = [sys.executable, "-c", KILLED_IN_THE_SECOND_MONTH, venue.url, str(catalogue.root)]
    assert subprocess.run(words, check=False).returncode == 9
    assert len(openings(catalogue)) == 1_440
    venue.asked.clear()
    assert download(client, catalogue, "2025-02-28", "2025-03-03").rows == 3 * 1_440
    assert min(since for since, _ in venue.asked) == MARCH_MS


def broken(opening: int, place: int, cell: object) -> list[object]:
    row = bar(opening, MINUTE)
    row[place] = cell
    return row


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (broken(MARCH_MS + 1_005 * MINUTE, 2, "1.00"), r"2025-03-01T16:45:00Z: high: 1.0 is below low"),
        (broken(MARCH_MS + 1_005 * MINUTE, 4, None), r"2025-03-01T16:45:00Z: close: is missing or no number"),
        (broken(MARCH_MS + 1_005 * MINUTE, 4, "twelve"), r"T16:45:00Z: close: is missing or no number"),
        (broken(MARCH_MS + 1_005 * MINUTE, 1, "-3"), r"T16:45:00Z: open: -3.0 is not above zero"),
        (broken(MARCH_MS + 1_005 * MINUTE, 1, "NaN"), r"T16:45:00Z: open: nan is not a finite number"),
        (broken(MARCH_MS + 1_005 * MINUTE, 5, "-1"), r"T16:45:00Z: volume: -1.0 is below zero"),
        (broken(MARCH_MS + 1_005 * MINUTE, 1, "9999"), r"T16:45:00Z: open: 9999.0 is outside the bar's low"),
        (
            broken(MARCH_MS + 1_005 * MINUTE, 0, MARCH_MS + 1_005 * MINUTE + 1),
            r"ts: 2025-03-01T16:45:00.001000Z is no opening time of a 1m bar",
        ),
        (
            broken(MARCH_MS + 1_005 * MINUTE, 0, MARCH_MS + 1_004 * MINUTE),
            r"ts: 2025-03-01T16:44:00Z stands twice",
        ),
        ([], r"exchange binance: answered the question for bars of BTC/USDT with something else than bars"),
    ],
)
def test_a_bar_that_cannot_be_stops_it_by_name_and_what_came_before_is_kept(
    row: list[object], said: str, client: Exchange, venue: LoopbackExchange, catalogue: Catalogue
) -> None:
    venue.changed[MARCH_MS + 1_005 * MINUTE] = row
    with pytest.raises(Terminal, match=said):
        download(client, catalogue, "2025-03-01", "2025-03-03")
    assert len(openings(catalogue)) == PAGE
    venue.changed.clear()
    assert download(client, catalogue, "2025-03-01", "2025-03-03").rows == 2_880


@pytest.mark.parametrize(
    ("fault", "kind", "said"),
    [
        (Fault(451, '{"code":0,"msg":"Service unavailable"}'), Terminal, "refused bars of BTC/USDT"),
        (Fault(403, "<html>forbidden</html>"), Terminal, "it does not let this address in"),
        (Fault(404, "nothing here"), Terminal, "it has no such address"),
        (Fault(400, '{"code":-1121,"msg":"Invalid symbol."}'), Terminal, "Invalid symbol"),
        (
            Fault(418, '{"code":-1003,"msg":"banned"}', Retry_After="3600"),
            Retryable,
            "asks to be left alone for 3600 s; run the same command after that",
        ),
        (Fault(200, "<html>log in to the hotel's network</html>"), NeuraTradeError, "exchange binance: "),
        (Fault(200, '{"serverTime":1}'), NeuraTradeError, "exchange binance: "),
        (Fault(200, "[1,2,3]"), NeuraTradeError, "exchange binance: "),
        (Fault(200, '[["x","y"]]'), NeuraTradeError, "exchange binance: "),
        (Fault(200, "[[174"), NeuraTradeError, "exchange binance: "),
    ],
)
def test_an_answer_that_says_no_or_cannot_be_read_is_told_in_a_sentence(
    fault: Fault,
    kind: type[Exception],
    said: str,
    client: Exchange,
    venue: LoopbackExchange,
    catalogue: Catalogue,
    waited: list[float],
) -> None:
    venue.faults = [fault]
    with pytest.raises(kind, match=said):
        download(client, catalogue, "2025-03-01", "2025-03-02")
    assert waited == []
    assert not (catalogue.root / "imported" / "dataset.json").exists()


def test_bars_that_contradict_those_imported_are_refused_by_time_and_field(
    client: Exchange, venue: LoopbackExchange, catalogue: Catalogue, tmp_path: Path
) -> None:
    file = tmp_path / "other.csv"
    rows = [bar(MARCH_MS + place * MINUTE, MINUTE)[:6] for place in range(3)]
    rows[1][5] = "99.0"
    pl.DataFrame(rows, ["ts", "open", "high", "low", "close", "volume"], orient="row").write_csv(file)
    assert catalogue.import_file(file, "BTC/USDT", "binance").ok
    with pytest.raises(UsageError, match=r"volume: .* at 2025-03-01T00:01:00Z, where the catalogue has 99.0"):
        download(client, catalogue, "2025-03-01", "2025-03-02")
    assert len(openings(catalogue)) == 3


def test_an_exchange_that_only_has_its_newest_bars_is_not_taken_to_have_none_before(
    client: Exchange, venue: LoopbackExchange, catalogue: Catalogue
) -> None:
    venue.now_ms = MARCH_MS + 10 * DAY
    venue.keeps_newest_only = True
    with pytest.raises(Terminal, match=r"gives out its last 1000 bars of 1m only, from 2025-03-10T07:21:00Z"):
        download(client, catalogue, "2025-03-01", "2025-03-11")
    assert not (catalogue.root / "imported" / "dataset.json").exists()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (
            wanted("2025-03-01", "2025-03-02", "BTC/USDC"),
            r"has no market 'BTC/USDC'; did you mean 'BTC/USDT'\?",
        ),
        (
            wanted("2025-03-01", "2025-03-02", "btc/usdt"),
            r"has no market 'btc/usdt'; did you mean 'BTC/USDT'\?",
        ),
        (wanted("2025-03-01", "2025-03-02", "BTC/USD:BTC"), r"settles in its base \(BTC\), which no ledger"),
        (wanted("2025-03-01", "2025-03-02", timeframe="7m"), r"has no bars of '7m'; it has 1s, 1m, 3m"),
        (
            wanted("2025-03-01", "2025-03-02", timeframe="1M"),
            r"timeframe '1M': write a count and one of s, m",
        ),
        (wanted("2025-03-02", "2025-03-01"), r"is no time: the end must lie after the beginning"),
        (wanted("2025-03-01", "2025-03-01"), r"is no time: the end must lie after the beginning"),
        (wanted("2090-03-01", "2091-03-01"), r"no 1m bar is complete between 2090-03-01T00:00:00Z and"),
        (wanted("2025-03-01T00:00:01Z", "2025-03-01T00:00:30Z"), r"no 1m bar is complete between"),
        (Wanted("BTC/USDT", "1m", 0, 1, "shipped"), r"'shipped' comes with the package"),
        (Wanted("BTC/USDT", "1m", 0, 1, "../x"), r"dataset '../x': use letters"),
        (Wanted("../../etc", "1m", 0, 1), r"asset '../../etc': write it as BTC/USDT"),
    ],
)
def test_what_cannot_be_downloaded_is_told_before_any_bar_is_asked_for(
    asked: Wanted, said: str, client: Exchange, venue: LoopbackExchange, catalogue: Catalogue
) -> None:
    with pytest.raises(UsageError, match=said):
        Download(client, catalogue, asked).run()
    assert venue.asked == []
    assert not catalogue.root.exists()


@pytest.mark.parametrize(
    ("name", "url", "said"),
    [
        ("binanse", "", r"exchange 'binanse': there is none of that name; did you mean 'binance'\?"),
        ("Kraken", "", r"there is none of that name; did you mean 'kraken'\?"),
        ("qqqqqq", "", r"there is none of that name; ccxt knows \d+, such as binance"),
        ("../binance", "", r"there is none of that name"),
        ("base", "", r"there is none of that name"),
        ("binance", "ftp://127.0.0.1", r"url 'ftp://127.0.0.1': write it as https://host"),
        ("binance", "127.0.0.1:80", r"write it as https://host or http://host:port"),
    ],
)
def test_what_is_no_exchange_is_told_with_the_nearest(name: str, url: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Exchange(name, url)


def test_only_the_module_of_the_exchange_is_imported_and_a_later_import_gets_the_whole_package() -> None:
    program = """
import json, sys
from neuratrade.feeds.exchange import Exchange
Exchange("binance")
alone = [name for name in sys.modules if name in ("ccxt", "ccxt.kraken", "ccxt.pro", "ccxt.async_support")]
import ccxt
print(json.dumps([alone, ccxt.kraken.__name__, ccxt.binance.__name__]))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert json.loads(done.stdout) == [[], "kraken", "binance"]


def test_without_ccxt_the_command_says_what_to_install() -> None:
    program = """
import sys
from importlib.machinery import PathFinder
find = PathFinder.find_spec
PathFinder.find_spec = classmethod(lambda cls, name, *more: None if name == "ccxt" else find(name, *more))
from neuratrade.interfaces.cli.main import main
sys.argv = ["neuratrade", "data", "download", "binance", "BTC/USDT", "--from", "2025-03-01"]
main()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert (done.returncode, done.stderr.decode()) == (
        2,
        "error: downloading needs ccxt: pip install 'neuratrade[ccxt]'\n",
    )
