"""Markets of the Binance spot simulator as `exchangeInfo` tells of them: orders they take, and filters."""

from decimal import Decimal

from neuratrade.core.model.instrument import Instrument
from neuratrade.rehearsal.binance_spot_words import NO_STP, Json, symbol_id, text


def symbol_body(contract: Instrument) -> Json:
    """A market in `exchangeInfo`."""
    return {
        "symbol": symbol_id(contract),
        "status": "TRADING",
        "baseAsset": contract.base,
        "baseAssetPrecision": 8,
        "quoteAsset": contract.quote,
        "quotePrecision": 8,
        "quoteAssetPrecision": 8,
        "baseCommissionPrecision": 8,
        "quoteCommissionPrecision": 8,
        "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT"],
        "icebergAllowed": False,
        "ocoAllowed": True,
        "otoAllowed": True,
        "opoAllowed": False,
        "quoteOrderQtyMarketAllowed": False,
        "allowTrailingStop": False,
        "cancelReplaceAllowed": False,
        "amendAllowed": False,
        "isSpotTradingAllowed": True,
        "isMarginTradingAllowed": False,
        "filters": [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": text(contract.tick),
                "maxPrice": text(contract.price_ceiling or Decimal(1_000_000)),
                "tickSize": text(contract.tick),
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": text(contract.min_quantity),
                "maxQty": text(Decimal(9000)),
                "stepSize": text(contract.lot),
            },
            {
                "filterType": "NOTIONAL",
                "minNotional": text(contract.min_notional),
                "applyMinToMarket": True,
                "maxNotional": text(Decimal(9_000_000)),
                "applyMaxToMarket": False,
                "avgPriceMins": 5,
            },
            {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": 200},
            {"filterType": "MAX_NUM_ALGO_ORDERS", "maxNumAlgoOrders": 5},
        ],
        "permissions": [],
        "permissionSets": [["SPOT"]],
        "defaultSelfTradePreventionMode": NO_STP,
        "allowedSelfTradePreventionModes": [NO_STP],
    }
