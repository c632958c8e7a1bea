"""The hub: a connection to a server, and through it spaces and databases."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, cast

from ..process import Process, serve
from ..types import SpaceInfo
from .database import Database
from .space import Space
from .transport import Transport

SNAPSHOT = "application/vnd.vectorlink.snapshot"


class Hub:
    """Is a connection to a server. It ends a server that was started for it when it is closed."""

    def __init__(self, transport: Transport, process: Process | None = None) -> None:
        self._transport = transport
        self._process = process
        self._kept: list[tempfile.TemporaryDirectory[str]] = []
        self._copies: list[Hub] = []

    @property
    def url(self) -> str:
        """Returns the address of the server."""
        return self._transport.url

    def __enter__(self) -> Hub:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection, and ends what was started for it: the server of a path, and of snapshots."""
        for copy in self._copies:
            copy.close()
        self._transport.close()
        if self._process is not None:
            self._process.stop()
        for directory in self._kept:
            directory.cleanup()
        self._copies, self._kept = [], []

    def ready(self) -> bool:
        """Reports whether indexing and searching are possible."""
        return bool((self._transport.json("GET", "/health/ready"))["ready"])

    # Spaces.

    def create_space(
        self,
        name: str,
        dims: int,
        *,
        metric: str = "l2",
        normalize: bool = False,
        fields: Mapping[str, str] | None = None,
        m: int | None = None,
        ef_construction: int | None = None,
    ) -> Space:
        """Returns the space of a name, which it makes if it is not there. One of another shape is a conflict.

        The metric is l2, cosine or ip, fields are names and types: string, number, bool, json, ….
        """
        shape: dict[str, Any] = {
            "name": name,
            "dims": dims,
            "metric": metric,
            "normalize": normalize,
            "fields": None if fields is None else dict(fields),
            "m": m,
            "ef_construction": ef_construction,
        }
        self._transport.json("POST", "/spaces", body={k: v for k, v in shape.items() if v is not None})
        return Space(self, self._transport, name)

    def get_space(self, name: str, download_snapshot: bool = False) -> Space:
        """Returns a space that is there, or with download_snapshot a copy that needs no server.

        A name may be NAME@REF. Raises NotFoundError where there is none.
        """
        at, _, ref = name.partition("@")
        space = Space(self, self._transport, at, ref or None)
        space.info()
        return space.download_snapshot() if download_snapshot else space

    def list_spaces(self) -> list[SpaceInfo]:
        """Returns the spaces, by name."""
        return cast(list[SpaceInfo], (self._transport.json("GET", "/spaces"))["spaces"])

    def delete_space(self, name: str) -> None:
        """Removes a space with all its commits. Raises NotFoundError where there is none."""
        self._transport.json("DELETE", Space(self, self._transport, name)._path())

    def freeze_space(self, name: str) -> None:
        """Refuses all later writes to a space."""
        Space(self, self._transport, name).freeze()

    def fork_space(self, name: str, snapshot: str | Path) -> Space:
        """Makes a space of a snapshot file."""
        space = Space(self, self._transport, name)
        self._transport.send(Path(snapshot), space._path("snapshot"), kind=SNAPSHOT)
        return space

    def _offline(self, space: Space, file: Path | None) -> Space:
        """Returns a fork of the space in a server of its own, which ends with this hub."""
        directory = tempfile.TemporaryDirectory(prefix="vectorlink-")
        self._kept.append(directory)
        path = file or Path(directory.name) / "space.vlsnap"
        space._save(path)
        copy = over(serve(Path(directory.name) / "data"))
        self._copies.append(copy)
        return copy.fork_space(space.name, path)

    # Databases.

    def database(self, name: str) -> Database:
        """Returns the database of a name, as it is at the last indexed commit of main."""
        return Database(self._transport, name)

    def list_databases(self) -> list[dict[str, Any]]:
        """Returns the databases of which something is indexed, by name."""
        return cast(list[dict[str, Any]], self._transport.json("GET", "/domains"))

    def embed(self, texts: list[str]) -> list[list[float]]:
        """Returns a vector of each text, by the server's model."""
        model = (self._transport.json("GET", "/v1/models"))["data"][0]["id"]
        answer = self._transport.json("POST", "/v1/embeddings", body={"model": model, "input": texts})
        return [d["embedding"] for d in answer["data"]]


def over(process: Process, timeout: float = 300) -> Hub:
    """Returns a hub on a server that was started here, and ends with it."""
    return Hub(Transport(process.url, user="admin", secret=process.secret, timeout=timeout), process)
