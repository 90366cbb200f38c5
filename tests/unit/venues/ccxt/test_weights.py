"""What a request costs of an exchange's budget, where the exchange weighs them."""

import pytest
from yarl import URL

from neuratrade.venues.ccxt.dialects import dialect_of


@pytest.mark.parametrize(
    ("name", "path", "weight"),
    [
        ("binance", "https://api.binance.com/api/v3/openOrders", 80),
        ("binance", "https://api.binance.com/api/v3/account?timestamp=1", 20),
        ("binance", "https://api.binance.com/api/v3/order", 8),
        ("binanceusdm", "https://fapi.binance.com/fapi/v1/openAlgoOrders", 40),
        ("binanceusdm", "https://fapi.binance.com/fapi/v1/order", 1),
        ("kraken", "https://api.kraken.com/0/private/OpenOrders", 1),
    ],
)
def test_requests_weigh_what_the_venue_says_and_orders_never_exceed_their_own_limit(
    name: str, path: str, weight: int
) -> None:
    assert dialect_of(name).weigh("GET", URL(path)) == weight


@pytest.mark.parametrize(("name", "orders"), [("binance", 100), ("binanceusdm", 300)])
def test_no_more_orders_fit_the_budget_than_the_venue_takes_in_ten_seconds(name: str, orders: int) -> None:
    dialect = dialect_of(name)
    assert dialect.budget.seconds == 10
    assert dialect.budget.requests // dialect.weigh("POST", URL("https://host/api/order")) == orders
