"""Vectors with every version of them, searched as they are or as they were.

connect returns a hub on a server, or on a directory that a vectorlink of its own then serves. Its spaces hold
vectors under keys, its databases documents by commit.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from . import errors, types
from ._async import hub as _async_hub
from ._async.database import AsyncDatabase
from ._async.hub import AsyncHub
from ._async.space import AsyncSpace
from ._async.transport import AsyncTransport
from ._sync import hub as _sync_hub
from ._sync.database import Database
from ._sync.hub import Hub
from ._sync.space import Space
from ._sync.transport import Transport
from .errors import (
    AnswerError,
    ConflictError,
    FrozenError,
    ImmutableError,
    InvalidError,
    KeyNotFoundError,
    NotFoundError,
    ServerError,
    VectorlinkError,
)
from .process import Process, is_url

__version__ = "0.1.0"

__all__ = [
    "AnswerError",
    "AsyncDatabase",
    "AsyncHub",
    "AsyncSpace",
    "ConflictError",
    "Database",
    "FrozenError",
    "Hub",
    "ImmutableError",
    "InvalidError",
    "KeyNotFoundError",
    "NotFoundError",
    "ServerError",
    "Space",
    "VectorlinkError",
    "connect",
    "connect_async",
    "errors",
    "types",
]


def _start(target: str | os.PathLike[str]) -> Process:
    path = Path(target)
    return Process("open", str(path)) if path.is_file() else Process("serve", "--data-dir", str(path))


def connect(
    target: str | os.PathLike[str] = "http://127.0.0.1:8080",
    *,
    user: str = "admin",
    secret: str | None = None,
    timeout: float = 300,
) -> Hub:
    """Returns a hub on the server at a URL, or on a vectorlink that is started for a path.

    A path is a data directory, which is made if it is not there, or a snapshot file. The secret is that of
    VECTORLINK_ADMIN_SECRET where none is given; a server that is started here has one of its own.
    """
    if is_url(target):
        secret = secret or os.environ.get("VECTORLINK_ADMIN_SECRET")
        return Hub(Transport(str(target), user=user, secret=secret, timeout=timeout))
    return _sync_hub.over(_start(target), timeout)


async def connect_async(
    target: str | os.PathLike[str] = "http://127.0.0.1:8080",
    *,
    user: str = "admin",
    secret: str | None = None,
    timeout: float = 300,
) -> AsyncHub:
    """Returns what connect does, with methods to be awaited."""
    if is_url(target):
        secret = secret or os.environ.get("VECTORLINK_ADMIN_SECRET")
        return AsyncHub(AsyncTransport(str(target), user=user, secret=secret, timeout=timeout))
    return _async_hub.over(await asyncio.to_thread(_start, target), timeout)
