"""What differs between the two halves of the package: waiting, and going through what may be asynchronous."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


async def each_async(items: Iterable[T] | AsyncIterable[T]) -> AsyncIterator[T]:
    """Yields what items do, whichever kind they are."""
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield item
    else:
        for item in items:
            yield item


def each(items: Iterable[T]) -> Iterator[T]:
    """Yields what items do."""
    yield from items


async def sleep_async(seconds: float) -> None:
    """Waits without keeping others from running."""
    await asyncio.sleep(seconds)


def sleep(seconds: float) -> None:
    """Waits."""
    time.sleep(seconds)
