"""What is not seen proves nothing while an earlier process may have sent it a moment ago."""

import asyncio
from collections.abc import Sequence

from neuratrade.core.model import facts as f
from neuratrade.hands.outbox import Answer, Call, Outbox, Rank
from neuratrade.rehearsal.warp import run_warped

DOUBT_S = 7.0


def test_an_order_of_the_life_before_counts_as_missed_only_once_it_cannot_come_any_more() -> None:
    async def main() -> tuple[list[float], int]:
        loop = asyncio.get_running_loop()
        told: list[float] = []
        asked = 0

        async def look_up() -> Sequence[Answer]:
            nonlocal asked
            asked += 1
            return [f.OrderNotFound(1, "order")]

        outbox = Outbox(lambda _: told.append(loop.time()), lambda _: None)
        begun = loop.time()
        outbox.doubt("order", DOUBT_S)
        outbox.put(Call("order", Rank.ASK, look_up, 5.0))
        await asyncio.sleep(DOUBT_S + 1)
        outbox.put(Call("order", Rank.ASK, look_up, 5.0))
        await asyncio.sleep(1)
        await outbox.close()
        return [at - begun for at in told], asked

    (first, second), asked = run_warped(main())
    assert first >= DOUBT_S
    assert second > first
    assert asked == 3, "asked at once, when it cannot come any more, and when somebody wants to know"


def test_an_order_that_may_still_be_taken_in_is_not_looked_for_all_the_time() -> None:
    async def main() -> tuple[int, list[float]]:
        loop = asyncio.get_running_loop()
        told: list[float] = []
        asked = 0

        async def times_out() -> Sequence[Answer]:
            raise ConnectionError

        async def look_up() -> Sequence[Answer]:
            nonlocal asked
            asked += 1
            return [f.OrderNotFound(1, "order")]

        def tell(answer: Answer) -> None:
            if isinstance(answer, f.OrderNotFound):
                told.append(loop.time())

        outbox = Outbox(tell, lambda _: None, settle_s=10.0)
        outbox.put(
            Call(
                "order",
                Rank.PROTECT,
                times_out,
                5.0,
                unknown=lambda reason: f.OrderUnknown(1, "order", reason),
            )
        )
        for _ in range(11):
            await asyncio.sleep(1.0)
            outbox.put(Call("order", Rank.ASK, look_up, 5.0))
        await outbox.close()
        return asked, told

    asked, told = run_warped(main())
    assert asked <= 5, "every four seconds, and once it cannot come any more"
    assert told
    assert told[0] >= 10.0
