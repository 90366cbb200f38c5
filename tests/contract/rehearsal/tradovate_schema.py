"""What Tradovate's OpenAPI document says an entity is: each frame of the simulator is held against it.

Fields by type as the document has them (snapshot of 2026-08-21 of partner.tradovate.com/openapi.json); those
that must be there have an exclamation mark, a field it does not name is refused.
"""

import re
from decimal import Decimal
from typing import Any


def _table(text: str) -> dict[str, str]:
    """Names at the start of a line to what follows, over the lines that are indented."""
    rows = (row.split(None, 1) for row in re.sub(r"\n +", " ", text).strip().splitlines())
    return {name: " ".join(rest.split()) for name, rest in rows}


ENUMS = _table(
    """
STATUS Canceled Completed Expired Filled PendingCancel PendingNew PendingReplace Rejected Suspended
    Unknown Working
COMMAND AtExecution ExecutionRejected ExecutionStopped ExecutionSuspended OnHold Pending
    PendingExecution Replaced RiskPassed RiskRejected
REASON AccountClosed AdvancedTrailingStopUnsupported AnotherCommandPending BackMonthProhibited
    ExecutionProviderNotConfigured ExecutionProviderUnavailable InvalidContract InvalidPrice
    KeyInformationDocumentRequired LiquidationOnly LiquidationOnlyBeforeExpiration
    MaxOrderQtyIsNotSpecified MaxOrderQtyLimitReached MaxPosLimitMisconfigured MaxPosLimitReached
    MaxTotalPosLimitReached MultipleAccountPlanRequired NoQuote NotEnoughLiquidity
    OtherExecutionRelated ParentRejected RiskCheckTimeout SSFRiskDisclosureAcknowledgmentRequired
    SessionClosed Success TooLate TradingLocked TrailingStopNonOrderQtyModify Unauthorized
    UnknownReason Unsupported
TYPE Limit LimitIfTouched MIT Market QTS Stop StopLimit TrailingStop TrailingStopLimit
EXECUTION Canceled Completed DoneForDay Expired New OrderStatus PendingCancel PendingNew
    PendingReplace Rejected Replaced Stopped Suspended Trade TradeCancel TradeCorrect
SIDE Buy Sell
FORCE Day FOK GTC GTD IOC
KIND Cancel Modify New
USER Active Closed Initiated TemporaryLocked UnconfirmedEmail
OWNER Customer Employee Giveup House Omnibus Wash
MARGIN Hedger Speculator
LEGAL Corporation GP IRA Individual Joint LLC LLP LP PTR Trust
ADMIN AgreedOnLiqOnlyModeByAutoLiq AgreedOnLiquidationByAutoLiq DisableAutoLiq LiquidateImmediately
    LiquidateOnlyModeImmediately LockTradingImmediately Normal PlaceAutoLiqOnHold
PRODUCT CommonStock Continuous Cryptocurrency Futures MarketInternals Options Spread Swap
STATE Inactive Locked ReadyForContracts ReadyToTrade Verified
FORMAT Decimal Fractional
MODE EOD RealTime
"""
)

ENTITIES = _table(
    """
user id:int name:str! timestamp:time! email:str! status:USER! professional:bool! organizationId:int
    introducingPartnerId:int
account id:int name:str! userId:int! accountType:OWNER! restricted:bool closed:bool
    clearingHouseId:int! riskCategoryId:int! autoLiqProfileId:int! marginAccountType:MARGIN!
    legalStatus:LEGAL! timestamp:time! evaluationSize:num readonly:bool ccEmail:str
    futuresDisabled:bool swapEnabled:bool spotMarginEnabled:bool
accountRiskStatus id:int adminAction:ADMIN adminTimestamp:time liquidateOnly:time
    userTriggeredLiqOnly:bool maxNetLiq:num minNetLiq:num
marginSnapshot id:int timestamp:time! riskTimePeriodId:int! initialMargin:num!
    maintenanceMargin:num! autoLiqLevel:num liqOnlyLevel:num totalUsedMargin:num!
    fullInitialMargin:num! positionMargin:num! totalUsedFullMargin:num! openCollateralReq:num
userAccountAutoLiq id:int changesLocked:bool marginPercentageAlert:num dailyLossPercentageAlert:num
    dailyLossAlert:num marginPercentageLiqOnly:num dailyLossPercentageLiqOnly:num
    dailyLossLiqOnly:num marginPercentageAutoLiq:num dailyLossPercentageAutoLiq:num
    dailyLossAutoLiq:num weeklyLossAutoLiq:num flattenTimestamp:time trailingMaxDrawdown:num
    trailingMaxDrawdownLimit:num trailingMaxDrawdownMode:MODE dailyProfitAutoLiq:num
    weeklyProfitAutoLiq:num doNotUnlock:bool
cashBalance id:int accountId:int! timestamp:time! tradeDate:date! currencyId:int! amount:num!
    realizedPnL:num weekRealizedPnL:num amountSOD:num
currency id:int name:str! symbol:str
exchange id:int name:str! micCode:str
position id:int accountId:int! contractId:int! timestamp:time! tradeDate:date! netPos:int!
    netPrice:num bought:int! boughtValue:num! sold:int! soldValue:num! prevPos:int! prevPrice:num
order id:int accountId:int! contractId:int spreadDefinitionId:int timestamp:time! action:SIDE!
    ordStatus:STATUS! executionProviderId:int ocoId:int parentId:int linkedId:int admin:bool!
contract id:int name:str! contractMaturityId:int! timestamp:time!
contractMaturity id:int productId:int! expirationMonth:int! expirationDate:time!
    firstIntentDate:time underlyingId:int isFront:bool!
product id:int name:str! currencyId:int! productType:PRODUCT! description:str! exchangeId:int!
    contractGroupId:int! riskDiscountContractGroupId:int status:STATE! months:str isSecured:bool
    valuePerPoint:num! priceFormatType:FORMAT! priceFormat:int! tickSize:num!
command id:int orderId:int! timestamp:time! clOrdId:str commandType:KIND! commandStatus:COMMAND!
    senderId:int userSessionId:int activationTime:time customTag50:str isAutomated:bool
commandReport id:int commandId:int! timestamp:time! commandStatus:COMMAND! rejectReason:REASON
    text:str ordStatus:STATUS
executionReport id:int commandId:int! name:str! accountId:int! contractId:int! timestamp:time!
    tradeDate:date orderId:int! execType:EXECUTION! execRefId:str ordStatus:STATUS action:SIDE!
    cumQty:int avgPx:num lastQty:int lastPx:num rejectReason:REASON text:str exchangeOrderId:str
orderVersion id:int orderId:int! orderQty:int! orderType:TYPE! price:num stopPrice:num
    limitIfTouchedPrice:num maxShow:int pegDifference:num timeInForce:FORCE expireTime:time text:str
fill id:int orderId:int! contractId:int! timestamp:time! tradeDate:date! action:SIDE! qty:int!
    price:num! active:bool! finallyPaired:int!
fillFee id:int commission:num commissionCurrencyId:int clearingFee:num clearingCurrencyId:int
    exchangeFee:num exchangeCurrencyId:int nfaFee:num nfaCurrencyId:int brokerageFee:num
    brokerageCurrencyId:int ipFee:num ipCurrencyId:int orderRoutingFee:num
    orderRoutingCurrencyId:int
"""
)
"""Entity types the simulator sends."""

SHAPES = _table(
    """
PlaceOrderResult failureReason:REASON failureText:str orderId:int
PlaceOsoResult failureReason:REASON failureText:str orderId:int oso1Id:int oso2Id:int
PlaceOcoResult failureReason:REASON failureText:str orderId:int ocoId:int
CommandResult failureReason:REASON failureText:str commandId:int
CashBalanceSnapshot errorText:str totalCashValue:num totalPnL:num initialMargin:num
    maintenanceMargin:num netLiq:num openPnL:num realizedPnL:num weekRealizedPnL:num
RiskEvaluationDetails beforeInitialMarginReq:num! beforeInitialFullMarginReq:num!
    beforeOpenCollateralReq:num! beforeNetPos:int! isExitOrder:bool! initialMarginReq:num!
    initialFullMarginReq:num! openCollateralReq:num! totalCash:num! futuresOpenPnL:num!
    optionsOpenPnL:num! riskCredit:num! netLiqValue:num! futureCommAndFees:num!
    totalCashRequired:num! excess:num! hypoLongPos:int! hypoShortPos:int!
"""
)
"""Answers of operations."""

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?Z")


def check(name: str, row: dict[str, Any]) -> None:
    """Whether a row is what the document says. Raises AssertionError."""
    fields = dict(field.split(":") for field in (ENTITIES.get(name) or SHAPES[name]).split())
    strange = sorted(set(row) - set(fields))
    assert not strange, f"{name} has no {strange}"
    for field, kind in fields.items():
        if field not in row:
            assert not kind.endswith("!"), f"{name} lacks {field}: {row}"
            continue
        assert _fits(row[field], kind.rstrip("!")), f"{name}.{field} is {row[field]!r}, not {kind}"


def _fits(value: Any, kind: str) -> bool:
    match kind:
        case "int":
            return isinstance(value, int) and not isinstance(value, bool)
        case "num":
            return isinstance(value, int | float | Decimal) and not isinstance(value, bool)
        case "bool":
            return isinstance(value, bool)
        case "str":
            return isinstance(value, str)
        case "time":
            return isinstance(value, str) and TIME.fullmatch(value) is not None
        case "date":
            return isinstance(value, dict) and list(value) == ["year", "month", "day"]
        case _:
            return value in ENUMS[kind].split()
