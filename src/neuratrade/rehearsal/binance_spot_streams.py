"""The user data stream of the Binance spot simulator, over its WebSocket API: executions, balances, lists."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from aiohttp import web

from neuratrade.rehearsal import binance_spot_words as words
from neuratrade.rehearsal.binance_spot_account import Account
from neuratrade.rehearsal.binance_spot_door import Door, check_key, check_signature, encode
from neuratrade.rehearsal.binance_spot_lists import OrderLists
from neuratrade.rehearsal.binance_spot_words import Json, Refusal, millis
from neuratrade.rehearsal.matching import MatchingEngine
from neuratrade.rehearsal.orders import Change
from neuratrade.rehearsal.server import Frame, Hub


class UserStream:
    """What is told of one account."""

    def __init__(
        self,
        engine: MatchingEngine,
        hub: Hub,
        door: Door,
        account: Account,
        lists: OrderLists,
        now_ns: Callable[[], int],
    ) -> None:
        self._engine = engine
        self._hub = hub
        self._door = door
        self._account = account
        self._lists = lists
        self._now_ns = now_ns
        engine.listen(self._on_change)
        lists.on_change.append(self._tell)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """`/ws-api/v3`."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        subscribed: list[str] = []
        await self._hub.serve(socket, lambda said: self._hear(said, subscribed), lambda: bool(subscribed))
        return socket

    def _on_change(self, change: Change) -> None:
        contract = self._engine.contracts[change.order.ticket.symbol]
        lists = self._lists
        number, reason = lists.number_of(change.order), lists.reason(change)
        self._tell(words.execution_report(change, contract, number, reason))
        touched = (contract.base, contract.quote)
        self._tell(
            {
                "e": "outboundAccountPosition",
                "E": millis(self._now_ns()),
                "u": millis(self._now_ns()),
                "B": [
                    {"a": asset, "f": words.text(free), "l": words.text(locked)}
                    for asset, (free, locked) in self._account.balances().items()
                    if asset in touched
                ],
            }
        )

    def _tell(self, event: Json) -> None:
        self._hub.tell(encode({"subscriptionId": 0, "event": event}))

    def _hear(self, said: Frame, subscribed: list[str]) -> Frame:
        asked = msgspec.json.decode(said)
        number, params = asked.get("id"), asked.get("params") or {}
        try:
            result = self._called(str(asked.get("method")), params, subscribed)
        except Refusal as refusal:
            return encode({"id": number, "status": refusal.status, "error": refusal.body})
        return encode({"id": number, "status": 200, "result": result})

    def _called(self, method: str, params: Mapping[str, Any], subscribed: list[str]) -> Json:
        match method:
            case "ping":
                return {}
            case "time":
                return {"serverTime": millis(self._now_ns())}
            case "userDataStream.subscribe.signature":
                told = {name: str(value) for name, value in params.items()}
                signature = told.pop("signature", "")
                payload = "&".join(f"{name}={told[name]}" for name in sorted(told))
                check_key(told.get("apiKey"))
                check_signature(payload, signature)
                self._door.check_clock(told.get("timestamp"), told.get("recvWindow", "5000"))
                subscribed.append(method)
                return {"subscriptionId": 0}
            case "userDataStream.unsubscribe":
                subscribed.clear()
                return {}
            case _:
                raise Refusal(400, -1000, f"Unknown method '{method}'.")
