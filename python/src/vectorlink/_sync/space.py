"""Spaces: a vector under each key, written one by one, with every version kept."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast, overload
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from .. import tables
from .._streams import each
from ..errors import KeyNotFoundError
from ..types import BranchInfo, Neighbor, Record, SpaceCommit, SpaceDiff, SpaceInfo
from ..vectors import MANY, Floats, Key, Vector, key_of, line, lines, pack, row, uniform, unpack
from .transport import Transport

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from .hub import Hub

Item: TypeAlias = tuple[Key, Vector] | Mapping[str, Any]
NPY = "application/x-npy"
PAGE = 10_000
NDJSON = "application/x-ndjson"
# The calls that make a commit, of which something can be said.
SAYING = {"commit", "delete_all", "merge", "multidelete", "multiset", "revert", "transaction"}


def _write(key: Key, vector: Vector, fields: Mapping[str, Any] | None = None, text: str | None = None) -> Any:
    """Returns a set as it is sent."""
    out: dict[str, Any] = {"key": key_of(key), "vector": row(vector)}
    if fields is not None:
        out["fields"] = dict(fields)
    if text is not None:
        out["text"] = text
    return out


def _item(item: Item) -> Any:
    """Returns what is to be set of a pair, or of a mapping with key, vector, fields and text."""
    return _write(**item) if isinstance(item, Mapping) else _write(*item)


class Space:
    """Is a space, at its newest or as it was: at(ref) reads a commit, a tag, a branch or BRANCH~N."""

    def __init__(self, hub: Hub, transport: Transport, name: str, ref: str | None = None) -> None:
        self._hub = hub
        self._transport = transport
        self.name = name
        self.ref = ref
        self._said: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name if self.ref is None else f'{self.name}@{self.ref}'!r})"

    def _path(self, call: str = "") -> str:
        name = self.name if self.ref is None else f"{self.name}@{self.ref}"
        return f"/spaces/{quote(name, safe='@~')}" + (f"/{call}" if call else "")

    def _post(self, call: str, **content: Any) -> Any:
        said = self._said if call in SAYING else None
        return self._transport.json("POST", self._path(call), params=said, **content)

    def _call(self, call: str, body: Any) -> Any:
        return self._post(call, body=body)

    def saying(self, message: str | None = None, *, author: str | None = None) -> Space:
        """Returns the space with what the log tells of the commits that are made through it."""
        space = self.at(self.ref)
        space._said = {"message": message, "author": author}
        return space

    def info(self) -> SpaceInfo:
        """Returns the shape of the space, and how many keys it has."""
        return cast(SpaceInfo, self._transport.json("GET", self._path()))

    def count(self) -> int:
        """Returns the number of keys."""
        return (self.info())["keys"]

    # Writing. A write is answered when it is durable as the server's setting says.

    def set(
        self, key: Key, vector: Vector, *, fields: Mapping[str, Any] | None = None, text: str | None = None
    ) -> None:
        """Puts a vector under a key, in the place of what was there."""
        self._call("set", _write(key, vector, fields, text))

    def multiset(self, items: Mapping[Key, Vector] | Iterable[Item] | Iterable[Item]) -> str | None:
        """Sets all items or, where one is wrong, none, and returns the commit that they became.

        Items are a mapping, or anything that yields pairs of key and vector, or mappings with key, vector, fields
        and text. What yields is streamed: nothing more than a line of it is held.
        """
        if isinstance(items, Mapping):
            items = list(items.items())
        if isinstance(items, Sequence) and len(items) > MANY:
            pairs = [i for i in items if isinstance(i, tuple)]
            keys = [key_of(p[0]) for p in pairs]
            if len(pairs) == len(items) and uniform(keys):
                return self.set_arrays(keys, np.asarray([p[1] for p in pairs], dtype=np.float32))

        def sent(items: Iterable[Item] | Iterable[Item]) -> Iterator[bytes]:
            for item in each(items):
                yield line(_item(item))

        return self._stream("multiset", sent(items), NDJSON)

    def set_arrays(self, keys: Sequence[Key] | npt.NDArray[Any], vectors: npt.ArrayLike) -> str | None:
        """Sets a row of a matrix under each key, as one commit. It is the fastest way for many."""
        return self._stream("multiset", pack(keys, vectors), NPY)

    def _stream(self, call: str, content: bytes | Iterable[bytes], kind: str) -> str | None:
        answer = self._post(call, content=content, kind=kind)
        return cast("str | None", answer.get("commit"))

    def delete(self, key: Key) -> None:
        """Removes a key, if it is there."""
        self._call("delete", {"key": key_of(key)})

    def multidelete(self, keys: Iterable[Key] | Iterable[Key]) -> int:
        """Removes keys as one commit, and returns how many there were."""

        def sent() -> Iterator[bytes]:
            for key in each(keys):
                yield line({"key": key_of(key)})

        answer = self._post("multidelete", content=sent(), kind=NDJSON)
        return int(answer["deleted"])

    def delete_all(self) -> int:
        """Removes all keys as one commit, and returns how many there were. Older commits keep them."""
        return int((self._post("delete_all"))["deleted"])

    def freeze(self) -> None:
        """Refuses all later writes to the space."""
        self._post("freeze")

    def commit(self, message: str | None = None, *, author: str | None = None) -> str | None:
        """Makes a commit of the writes since the last one and returns its name, or that of the last one."""
        space = self.saying(message, author=author) if message or author else self
        return cast("str | None", (space._call("commit", {}))["commit"])

    def transaction(self, message: str | None = None, *, author: str | None = None) -> Transaction:
        """Returns a context whose writes become one commit at its end, or none of them if it ends by an error."""
        return Transaction(self.saying(message, author=author) if message or author else self)

    # Reading.

    def get(self, key: Key) -> list[float]:
        """Returns the vector under a key. Raises KeyNotFoundError, a KeyError, where there is none."""
        return (self.record(key))["vector"]

    def record(self, key: Key) -> Record:
        """Returns all that is under a key: vector, fields and text."""
        return _exact(self._call("get", {"key": key_of(key)}))

    @overload
    def multiget(  # type: ignore[overload-overlap,unused-ignore]
        self, keys: Sequence[Key]
    ) -> list[list[float]]: ...
    @overload
    def multiget(self, keys: Iterator[Key] | Iterable[Key]) -> Iterator[list[float]]: ...

    def multiget(
        self, keys: Sequence[Key] | Iterable[Key] | Iterable[Key]
    ) -> list[list[float]] | Iterator[list[float]]:
        """Returns the vectors under keys in their order: a list, and of a generator of keys an iterator.

        The iterator asks for a hundred at a time while it is read.
        """
        if isinstance(keys, Sequence):
            rows: list[list[float]] = (self.get_array(keys)).tolist()
            return rows
        return self._lazily(keys)

    def _lazily(self, keys: Iterable[Key] | Iterable[Key]) -> Iterator[list[float]]:
        some: list[Key] = []
        for key in each(keys):
            some.append(key)
            if len(some) == MANY:
                for vector in (self.get_array(some)).tolist():
                    yield vector
                some = []
        for vector in (self.get_array(some)).tolist():
            yield vector

    def get_array(self, keys: Sequence[Key]) -> Floats:
        """Returns a matrix with the vector of each key. Raises KeyNotFoundError if one has none."""
        wanted = [key_of(k) for k in keys]
        if len(wanted) > MANY:
            content = lines([{"keys": wanted, "vectors": True}])
            body = self._transport.bytes(
                "POST", self._path("multiget"), content=content, kind="application/json", accept=NPY
            )
            return cast(Floats, unpack(body, 1)[0])
        found = [r["vector"] for r in self.records(wanted)]
        return np.asarray(found, dtype=np.float32)

    def records(self, keys: Sequence[Key], *, missing: bool = False) -> Iterator[Record]:
        """Yields what is under each key, in order. Keys without anything are left out with missing, else raise."""
        wanted = [key_of(k) for k in keys]
        for start in range(0, len(wanted), MANY):
            body = {"keys": wanted[start : start + MANY], "vectors": True}
            for found in self._transport.lines("POST", self._path("multiget"), body=body):
                if not found.get("missing"):
                    yield _exact(found)
                elif not missing:
                    raise KeyNotFoundError(
                        f"space {self.name} has no key {found['key']!r}", status=404, code="key_not_found"
                    )

    def nearest(
        self,
        n: int = 10,
        *,
        key: Key | None = None,
        keys: Sequence[Key] | None = None,
        vector: Vector | None = None,
        filter: str | None = None,  # noqa: A002
        output_fields: Sequence[str] | None = None,
        ef: int | None = None,
    ) -> list[Neighbor]:
        """Returns the n keys nearest to that of a key, to the mean of several keys', or to a vector."""
        if (key is not None) + (keys is not None) + (vector is not None) != 1:
            raise ValueError("nearest takes one of key, keys and vector")
        body = {
            "key": None if key is None else key_of(key),
            "keys": None if keys is None else [key_of(k) for k in keys],
            "vector": None if vector is None else row(vector),
            "n": n,
            "filter": filter,
            "output_fields": None if output_fields is None else list(output_fields),
            "ef": ef,
        }
        answer = self._call("nearest", {k: v for k, v in body.items() if v is not None})
        return cast(list[Neighbor], answer["hits"])

    def nearest_neighbors(
        self,
        num: int,
        key: Key | None = None,
        vector: Vector | None = None,
        *,
        filter: str | None = None,  # noqa: A002
    ) -> list[Key]:
        """Returns the num keys nearest to that of a key, which is left out, or to a vector."""
        return [hit["key"] for hit in self.nearest(num, key=key, vector=vector, filter=filter)]

    def items(self) -> Iterator[tuple[Key, list[float]]]:
        """Yields keys and vectors in the order of keys, as they were at one moment, while they come."""
        for record in self.all_records():
            yield record["key"], record["vector"]

    def all_records(self, *, vectors: bool = True) -> Iterator[Record]:
        """Yields all that the space holds in the order of keys, as it was at one moment, while it comes."""
        for record in self._transport.lines("GET", self._path("items"), params={"vectors": vectors}):
            yield _exact(record)

    def __iter__(self) -> Iterator[tuple[Key, list[float]]]:
        """Yields what items does."""
        for item in self.items():
            yield item

    def to_numpy(self) -> tuple[npt.NDArray[Any], Floats]:
        """Returns all keys in order, all strings or all integers, and a matrix with a vector for each."""
        body = self._transport.bytes("GET", self._path("items"), params={"vectors": True}, accept=NPY)
        keys, rows = unpack(body, 2)
        return keys, cast(Floats, rows)

    def to_arrow(self) -> pa.Table:
        """Returns the space as an Arrow table: key, text, vector, and a column for each field."""
        all_of = [record for record in self.all_records()]
        return tables.arrow(
            "key",
            [r["key"] for r in all_of],
            [r["vector"] for r in all_of],
            [r.get("fields", {}) for r in all_of],
            [r.get("text") for r in all_of],
        )

    def to_pandas(self) -> pd.DataFrame:
        """Returns the space as a frame indexed by key: text, vector, and a column for each field."""
        return tables.pandas(self.to_arrow(), "key")

    # History.

    def at(self, ref: str | None) -> Space:
        """Returns the space as it was at a commit, a tag or BRANCH~N, which only reads, or the branch of that name."""
        return Space(self._hub, self._transport, self.name, ref)

    def log(self, limit: int | None = None) -> list[SpaceCommit]:
        """Returns the commits, newest first."""
        answer = self._transport.json("GET", self._path("log"), params={"limit": limit})
        return cast(list[SpaceCommit], answer["commits"])

    def diff(self, since: str, to: str | None = None) -> SpaceDiff:
        """Returns the keys that differ between two commits, or between one and what is committed here."""
        params: dict[str, Any] = {"from": since, "to": to or self.ref or "main", "limit": PAGE}
        whole: SpaceDiff = {"added": [], "removed": [], "changed": []}
        while True:
            page = self._transport.json("GET", self.at(None)._path("diff"), params=params)
            whole["added"] += page["added"]
            whole["removed"] += page["removed"]
            whole["changed"] += page["changed"]
            if page.get("next") is None:
                return whole
            params["after"] = json.dumps(page["next"])

    def branch(self, name: str, since: str | None = None) -> Space:
        """Makes a branch, of what is here or of a commit, and returns the space on it."""
        self._call("branch", {"branch": name} | ({"from": since} if since or self.ref else {}))
        return self.at(name)

    def branches(self) -> list[BranchInfo]:
        """Returns the branches."""
        return cast(list[BranchInfo], (self._transport.json("GET", self._path("branch")))["branches"])

    def merge(self, branch: str) -> dict[str, Any]:
        """Takes in what another branch has written, the last writer of a key winning.

        Returns the commit, and as conflicts the keys that both had written.
        """
        body = {"from": branch} | ({"into": self.ref} if self.ref else {})
        space = self.at(None)
        space._said = self._said
        return cast(dict[str, Any], space._call("merge", body))

    def revert(self, to: str) -> str:
        """Makes a commit with what an older one holds, and returns its name."""
        return str((self._call("revert", {"to": to}))["commit"])

    def download_snapshot(self, to: str | Path | None = None) -> Space:
        """Returns a space of its own with what is here: it needs no server, and its writes reach none.

        It is of one moment. A vectorlink of its own serves it until the hub is closed. With to, the file stays.
        """
        return self._hub._offline(self, None if to is None else Path(to))

    def _save(self, to: Path) -> None:
        self._transport.save(to, self._path("snapshot"))


class Transaction:
    """Is writes that become one commit, or none: what is set and deleted here is sent at the end."""

    def __init__(self, space: Space) -> None:
        self._space = space
        self._writes: list[dict[str, Any]] = []
        self.commit: str | None = None

    def set(
        self, key: Key, vector: Vector, *, fields: Mapping[str, Any] | None = None, text: str | None = None
    ) -> None:
        """Notes that a vector is to be under a key."""
        self._writes.append({"set": _write(key, vector, fields, text)})

    def delete(self, key: Key) -> None:
        """Notes that a key is to go."""
        self._writes.append({"delete": key_of(key)})

    def __enter__(self) -> Transaction:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None and self._writes:
            self.commit = (self._space._call("transaction", {"writes": self._writes}))["commit"]


def _exact(record: Any) -> Record:
    """Returns the record with its vector as the float32 that it is, however few digits JSON had."""
    if "vector" in record:
        record["vector"] = np.asarray(record["vector"], dtype=np.float32).tolist()
    return cast(Record, record)
