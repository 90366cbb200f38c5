"""A file's name says what it holds where it keeps one of the usual habits, and nothing otherwise."""

from pathlib import Path

import pytest

from neuratrade.research.file_names import guess_market


@pytest.mark.parametrize(
    ("name", "market"),
    [
        ("binance_BTCUSDT_1m.parquet", ("BTC/USDT", "binance")),
        ("binance_BTCUSDT_1h_2017-2024.parquet", ("BTC/USDT", "binance")),
        ("binanceusdm_1000PEPEUSDT_1m.parquet", ("1000PEPE/USDT", "binanceusdm")),
        ("BTCUSDT_1m.parquet", ("BTC/USDT", "file")),
        ("BTC_USDT-1m.feather", ("BTC/USDT", "file")),
        ("BTC-USDT.csv", ("BTC/USDT", "file")),
        ("kraken_ETH-EUR_4h.csv", ("ETH/EUR", "kraken")),
        ("ftx_BTC-PERP_1m_20211231-20220201.parquet", ("BTC-PERP", "ftx")),
        ("us_AAPL_1m.parquet", ("AAPL", "us")),
        ("binance_SOLUSDT_trades.csv", ("SOL/USDT", "binance")),
        ("bars.csv", None),
        ("my data.csv", None),
        ("2025-03.parquet", None),
        ("export (1).csv", None),
        ("12345_1m.csv", None),
    ],
)
def test_the_usual_names_are_read(name: str, market: tuple[str, str] | None) -> None:
    assert guess_market(Path("folder") / name) == market
