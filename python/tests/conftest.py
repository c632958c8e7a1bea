"""A server of the built binary for all tests, and a hub on it."""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

import vectorlink
from vectorlink.process import Process, serve

BINARY = Path(__file__).parents[2] / "bin" / "vectorlink"
os.environ.setdefault("VECTORLINK_BINARY", str(BINARY))
_numbers = itertools.count()


@pytest.fixture(scope="session")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """Is a server that all tests share, each with names of its own."""
    started = serve(tmp_path_factory.mktemp("data"))
    yield started
    started.stop()


@pytest.fixture
def hub(process: Process) -> Iterator[vectorlink.Hub]:
    with vectorlink.connect(process.url, secret=process.secret) as hub:
        yield hub


@pytest.fixture
async def async_hub(process: Process) -> AsyncIterator[vectorlink.AsyncHub]:
    async with await vectorlink.connect_async(process.url, secret=process.secret) as hub:
        yield hub


@pytest.fixture
def name() -> str:
    """Is a name that no other test has."""
    return f"test{next(_numbers)}"
