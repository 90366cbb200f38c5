"""What Kraken tells of an account: balances, what the key may do, and a token for the private streams."""

from collections.abc import Callable
from decimal import Decimal

from neuratrade.core.model.market import NS_PER_SECOND
from neuratrade.rehearsal import kraken_words as words
from neuratrade.rehearsal.kraken_market import Params
from neuratrade.rehearsal.matching import MatchingEngine
from neuratrade.rehearsal.server import Credentials

TOKEN_LIFE_S = 900
BALANCE_DIGITS = 10


class KrakenAccount:
    """The private methods that are not about orders, by name. tokens: until when each holds, nanoseconds."""

    def __init__(self, engine: MatchingEngine, credentials: Credentials, now_ns: Callable[[], int]) -> None:
        self._engine = engine
        self._credentials = credentials
        self._now_ns = now_ns
        self.tokens: dict[str, int] = {}
        self.methods: dict[str, Callable[[Params], object]] = {
            "Balance": self._balance,
            "BalanceEx": self._balance_extended,
            "GetWebSocketsToken": self._token,
            "GetApiKeyInfo": self._key_info,
        }

    def _balance(self, _: Params) -> object:
        return {words.asset_code(name): words.cost(value, BALANCE_DIGITS) for name, value in self._balances()}

    def _balance_extended(self, _: Params) -> object:
        return {
            words.asset_code(name): {
                "balance": words.cost(value, BALANCE_DIGITS),
                "hold_trade": words.cost(value - self._engine.free(name), BALANCE_DIGITS),
            }
            for name, value in self._balances()
        }

    def _balances(self) -> list[tuple[str, Decimal]]:
        return [(name, value) for name, value in self._engine.account.balances.items() if value]

    def _token(self, _: Params) -> object:
        token = f"token-{self._engine.next_number()}"
        self.tokens[token] = self._now_ns() + TOKEN_LIFE_S * NS_PER_SECOND
        return {"token": token, "expires": TOKEN_LIFE_S}

    def _key_info(self, _: Params) -> object:
        granted = ["query-funds", "query-open-trades", "query-closed-trades", "modify-trades", "close-trades"]
        return {
            "api_key_name": "rehearsal",
            "api_key": self._credentials.key,
            "nonce": "0",
            "nonce_window": 0,
            "permissions": granted + ["withdraw-funds"] * self._credentials.may_withdraw,
            "iban": "",
            "valid_until": "0",
            "query_from": "0",
            "query_to": "0",
            "created_time": "0",
            "modified_time": "0",
            "ip_allowlist": [],
            "last_used": str(self._now_ns() // NS_PER_SECOND),
        }
