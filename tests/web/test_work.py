"""A lane: one job after another, a bounded queue, and work that ends when nobody waits for it."""

import asyncio
import time
from collections.abc import Callable, Iterator

import pytest

from langmodel.web import work
from langmodel.web.work import Lane, Overloaded, TooLong


def endless(check: Callable[[], None]) -> Iterator[int]:
    number = 0
    while True:
        check()
        time.sleep(0.002)
        number += 1
        if number % 5 == 0:
            yield number


def test_work_that_takes_too_long_is_stopped(monkeypatch):
    monkeypatch.setattr(work, "MAX_SECONDS", 0.1)

    async def main() -> None:
        with pytest.raises(TooLong, match="ask for less"):
            _ = [result async for result in Lane("test", 4).results(endless)]

    begun = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - begun < 2


def test_no_more_than_so_many_wait_and_what_is_left_makes_room(monkeypatch):
    async def main() -> None:
        lane = Lane("test", 2)
        running = [lane.results(endless) for _ in range(3)]
        first = [asyncio.create_task(anext(one)) for one in running]
        assert await first[0] == 5
        with pytest.raises(Overloaded, match="try again"):
            await anext(lane.results(endless))
        await running[0].aclose()  # its client has gone: the next one's turn
        assert await asyncio.wait_for(first[1], 2) == 5
        await running[1].aclose()
        assert await asyncio.wait_for(first[2], 2) == 5
        await running[2].aclose()
        lane.close()

    asyncio.run(main())


def test_what_the_work_raises_reaches_who_asked():
    def broken(check: Callable[[], None]) -> Iterator[int]:
        yield 1
        raise Overloaded("as it is")

    async def main() -> None:
        results = Lane("test", 2).results(broken)
        assert await anext(results) == 1
        with pytest.raises(Overloaded, match="as it is"):
            await anext(results)

    asyncio.run(main())
