"""Stops and targets that OKX ties: `attachAlgoOrds` of an order, and the algo order `oco` for a position.

One algo order has both, in the matching engine it is a stop and a target that end each other. An attached one
is placed once the order is filled whole, or once its rest was cancelled, for what was filled: so OKX says
since July 2026 (announcement on order placement for attached TP/SL of 1 July; its API reference still speaks
of the whole fill alone). Nothing works for a part while the rest of the order rests. That the fee is left out
of the quantity is not said, so it is not: a purchase that paid its fee in coins has a stop for more than is
there, which fails when it is reached. Refused here though OKX has it: split and limit targets, ratios,
trailing.
"""

from collections.abc import Callable
from decimal import Decimal

import msgspec

from neuratrade.core.model.instrument import Instrument
from neuratrade.core.model.orders import OrderType
from neuratrade.rehearsal import okx_words as words
from neuratrade.rehearsal.attached import Attachments, Exit, Family, Leg, Opens, Tie
from neuratrade.rehearsal.matching import MatchingEngine
from neuratrade.rehearsal.okx_asked import Asked, client_id_of, decimal_of
from neuratrade.rehearsal.okx_market import OkxError
from neuratrade.rehearsal.orders import Change, ChangeKind, Rejected, SimOrder, Ticket
from neuratrade.rehearsal.tape import plain

KNOWN = {"attachAlgoClOrdId", "slTriggerPx", "slOrdPx", "slTriggerPxType", "tpTriggerPx", "tpOrdPx"}
KNOWN |= {"tpTriggerPxType", "tpOrdKind"}
FIRST_ATTACHED = 3 * 10**18


class OkxAttached:
    """The attached orders of one account. attachments: their legs."""

    def __init__(self, engine: MatchingEngine) -> None:
        self._engine = engine
        self.attachments = Attachments(engine)

    def exit_of(self, asked: object, contract: Instrument) -> Exit:
        """What an order wants attached. Raises OkxError."""
        if not isinstance(asked, list) or len(asked) != 1 or not isinstance(asked[0], dict):
            raise OkxError("51000", "Parameter attachAlgoOrds error")
        said: Asked = asked[0]
        types = {said.get("slTriggerPxType", "last"), said.get("tpTriggerPxType", "last")}
        if set(said) - KNOWN or types != {"last"} or said.get("tpOrdKind", "condition") != "condition":
            raise OkxError("51000", "Parameter attachAlgoOrds error")
        name = client_id_of(said, "attachAlgoClOrdId")
        legs = [
            _leg(stop, limit, "" if gains and said.get("slTriggerPx") else name, gains=gains)
            for kind, gains in (("sl", False), ("tp", True))
            if (stop := decimal_of(said, f"{kind}TriggerPx")) is not None
            and (limit := decimal_of(said, f"{kind}OrdPx")) is not None
        ]
        if not legs:
            raise OkxError("50014", "Parameter slTriggerPx can not be empty")
        tie = Tie.CANCELS if len(legs) > 1 else Tie.NONE
        return Exit(tuple(legs), Opens.FULL_FILL_OR_END, tie, reduces_only=contract.is_derivative)

    def place_pair(self, asked: Asked, ticket: Ticket, hand_over: Callable[[Ticket], SimOrder]) -> SimOrder:
        """Takes a stop and a target for a position, as one algo order. Raises Rejected or OkxError."""
        said = {name: asked[name] for name in KNOWN if name in asked}
        said["attachAlgoClOrdId"] = asked.get("algoClOrdId")
        legs = self.exit_of([said], self._engine.contracts[ticket.symbol]).legs
        if len(legs) < 2:
            raise OkxError("50014", "Parameter tpTriggerPx can not be empty")
        tickets = [
            msgspec.structs.replace(
                ticket,
                client_id=leg.client_id or f"~{self._engine.next_number()}",
                order_type=leg.order_type,
                limit_price=leg.limit_price,
                stop_price=leg.stop_price,
                takes_profit=leg.takes_profit,
            )
            for leg in legs
        ]
        family = self.attachments.place_tied(tickets, Tie.CANCELS, hand_over)
        return self.attachments.legs(family)[0]

    def legs(self, order: SimOrder) -> list[SimOrder]:
        """The stop and the target that an order is one of; empty for one that is tied to nothing."""
        family = self.attachments.family(order.order_id)
        if family is None or not words.is_algo(order):
            return []
        known = self.attachments.legs(family)
        # The stream hears of a leg before its family does.
        return known if order.order_id in family.leg_ids else [*known, order]

    def face(self, order: SimOrder) -> SimOrder:
        """The one of a stop and its target that gives the algo order its ids."""
        return next(iter(self.legs(order)), order)

    def lead(self, order: SimOrder) -> SimOrder:
        """The one of a stop and its target that tells what became of the algo order."""
        legs = self.legs(order)
        return next((leg for leg in legs if leg.triggered), next(iter(legs), order))

    def kind(self, order: SimOrder) -> str:
        """`oco` for both, `conditional` for one."""
        family = self.attachments.family(order.order_id)
        return "oco" if family is not None and family.tie is Tie.CANCELS else "conditional"

    def is_told(self, change: Change) -> bool:
        """Whether the stream has a frame for a change of an algo order, and not for its counterpart only."""
        order, legs = change.order, self.legs(change.order)
        if not order.was_placed:
            return False
        if change.kind is ChangeKind.ACCEPTED and legs:
            is_whole = len(legs) == (2 if self.kind(order) == "oco" else 1)
            return is_whole and order.order_id == legs[-1].order_id
        if change.kind in (ChangeKind.CANCELLED, ChangeKind.EXPIRED):
            return order.order_id == self.lead(order).order_id
        return True

    def both(self, row: words.Row, order: SimOrder) -> words.Row:
        """The row of an algo order with the terms of its stop and of its target."""
        legs = self.legs(order)
        if not legs:
            return row
        for leg in legs:
            row |= _terms(leg.ticket.takes_profit, leg.stop_price, leg.limit_price)
        if order.triggered:
            row["actualSide"] = "tp" if order.ticket.takes_profit else "sl"
        face = self.face(order)
        return row | {"algoId": words.algo_id(face), "algoClOrdId": words.client_id(face)}

    def rows(self, order: SimOrder) -> list[words.Row]:
        """`attachAlgoOrds` of a plain order."""
        family = self.attachments.family(order.order_id)
        if family is None or family.exit is None or order.order_id != family.entry_id:
            return []
        row: words.Row = {
            "amendPxOnTriggerType": "0",
            "attachAlgoClOrdId": family.exit.legs[0].client_id,
            "attachAlgoId": str(FIRST_ATTACHED + order.order_id),
            "callbackRatio": "",
            "callbackSpread": "",
            "sz": "",
            "tpOrdKind": "condition",
        }
        for gains in (False, True):
            row |= _terms(gains, None, None)
        for leg in family.exit.legs:
            row |= _terms(leg.takes_profit, leg.stop_price, leg.limit_price)
        return [row | self._failure(family)]

    def _failure(self, family: Family) -> words.Row:
        reason = next(iter(family.refused.values()), None)
        code, words_ = words.refusal(Rejected(reason)) if reason else ("", "")
        return {"failCode": code, "failReason": words_}


def _leg(stop: Decimal, limit: Decimal, name: str, *, gains: bool) -> Leg:
    at_market = limit < 0
    return Leg(
        OrderType.STOP if at_market else OrderType.STOP_LIMIT,
        stop,
        None if at_market else limit,
        name,
        takes_profit=gains,
    )


def _terms(gains: bool, stop: Decimal | None, limit: Decimal | None) -> words.Row:
    kind = "tp" if gains else "sl"
    if stop is None:
        return {f"{kind}OrdPx": "", f"{kind}TriggerPx": "", f"{kind}TriggerPxType": ""}
    price = words.MARKET_PRICE if limit is None else plain(limit)
    return {f"{kind}OrdPx": price, f"{kind}TriggerPx": plain(stop), f"{kind}TriggerPxType": "last"}
