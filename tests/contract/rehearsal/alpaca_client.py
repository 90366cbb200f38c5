"""The vendor's own client of Alpaca, unmodified, imported in one place."""

import warnings

with warnings.catch_warnings():
    # It uses a part of its own dependency that is to be removed.
    warnings.simplefilter("ignore", DeprecationWarning)
    from alpaca.common.exceptions import APIError
    from alpaca.trading import enums
    from alpaca.trading.client import TradingClient
    from alpaca.trading.models import Order, TradeUpdate
    from alpaca.trading.requests import (
        GetCalendarRequest,
        GetOrderByIdRequest,
        GetOrdersRequest,
        LimitOrderRequest,
        MarketOrderRequest,
        ReplaceOrderRequest,
        StopLimitOrderRequest,
        StopLossRequest,
        StopOrderRequest,
        TakeProfitRequest,
    )
    from alpaca.trading.stream import TradingStream

__all__ = [
    "APIError",
    "GetCalendarRequest",
    "GetOrderByIdRequest",
    "GetOrdersRequest",
    "LimitOrderRequest",
    "MarketOrderRequest",
    "Order",
    "ReplaceOrderRequest",
    "StopLimitOrderRequest",
    "StopLossRequest",
    "StopOrderRequest",
    "TakeProfitRequest",
    "TradeUpdate",
    "TradingClient",
    "TradingStream",
    "enums",
]
