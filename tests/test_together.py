"""Work side by side: nothing is left running when one piece fails."""

import asyncio

import pytest

from asi_arch.together import together


async def number(value: int) -> int:
    await asyncio.sleep(0)
    return value


async def failing() -> int:
    await asyncio.sleep(0)
    raise OSError("no room")


def test_results_come_in_order() -> None:
    assert asyncio.run(together(number(n) for n in range(3))) == [0, 1, 2]


def test_when_one_fails_the_others_have_ended_before_it_is_heard_of() -> None:
    ended = []

    async def endless() -> int:
        try:
            return await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            ended.append(True)

    async def all_of_them() -> None:
        with pytest.raises(OSError, match="no room"):
            await together([endless(), failing(), endless()])
        assert ended == [True, True]

    asyncio.run(all_of_them())
