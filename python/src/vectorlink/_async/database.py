"""Databases: documents of a commit, searched by meaning and by words."""

from __future__ import annotations

import json
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from .. import tables
from .._streams import each_async, sleep_async
from ..types import Clusters, Commit, Diff, Document, Duplicate, Hit, Indexed
from ..vectors import Floats, Vector, line, row, safetensors
from .transport import AsyncTransport

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

POLL_SECONDS = 0.05
POLL_AT_MOST = 2.0


class AsyncDatabase:
    """Is a database at a commit, or at the last commit of a branch: main, until at or on says otherwise."""

    def __init__(self, transport: AsyncTransport, name: str, where: Mapping[str, str] | None = None) -> None:
        self._transport = transport
        self.name = name
        self._where: dict[str, str] = dict(where or {"branch": "main"})

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {self._where})"

    def at(self, commit: str) -> AsyncDatabase:
        """Returns the database as it was at a commit, or at a tag."""
        return AsyncDatabase(self._transport, self.name, {"commit": commit})

    def on(self, branch: str) -> AsyncDatabase:
        """Returns the database as it is at the last indexed commit of a branch."""
        return AsyncDatabase(self._transport, self.name, {"branch": branch})

    def _ask(self, **more: Any) -> dict[str, Any]:
        return {"domain": self.name, **self._where} | {k: v for k, v in more.items() if v is not None}

    async def index(self, commit: str, *, branch: str = "main", wait: bool = True, **options: Any) -> Indexed:
        """Has the server pull a commit from the document database. Returns when it can be searched, with wait."""
        params = {"domain": self.name, "commit": commit, "branch": branch, **options}
        task = (await self._transport.bytes("POST", "/index", params=params)).decode().strip()
        return await self.wait(task) if wait else {"status": "Pending", "task": task}

    async def wait(self, task: str) -> Indexed:
        """Returns when a task has ended. Raises AnswerError where it failed."""
        pause = POLL_SECONDS
        while True:
            state = await self._transport.json("GET", "/check", params={"task_id": task})
            if state["status"] == "Complete":
                return cast(Indexed, state)
            await sleep_async(pause)
            pause = min(2 * pause, POLL_AT_MOST)

    async def push(
        self,
        commit: str,
        documents: Iterable[Mapping[str, Any]] | AsyncIterable[Mapping[str, Any]],
        *,
        branch: str = "main",
        parent: str | None = None,
        **settings: Any,
    ) -> Indexed:
        """Makes a commit of documents, which are streamed: {"id", "string", "fields", "vector"} each.

        An object with "op" is an operation as it stands. Returns when the commit is durable and can be searched.
        """

        async def operations() -> AsyncIterator[bytes]:
            async for document in each_async(documents):
                yield line({"op": "Inserted", **document})

        params = {"domain": self.name, "target_commit": commit, "branch": branch, "strict": True}
        return cast(
            Indexed,
            await self._transport.json(
                "POST",
                "/push",
                params={**params, "parent_commit": parent, **settings},
                content=operations(),
                kind="application/x-ndjson",
            ),
        )

    async def search(
        self, q: str | None = None, *, vector: Vector | None = None, count: int = 10, **options: Any
    ) -> list[Hit]:
        """Returns the documents that say what q does, the best first.

        Options are those of the endpoint: mode, filter, output_fields, text, snippet, max_distance, start, ….
        """
        body = self._ask(q=q, vector=None if vector is None else row(vector), count=count, **options)
        return cast(list[Hit], await self._transport.json("POST", "/search", body=body))

    async def search_many(self, queries: Iterable[str | Mapping[str, Any]], **options: Any) -> list[list[Hit]]:
        """Returns the hits of each query, all from one commit. There are 100 queries at most."""
        body = self._ask(queries=list(queries), **options)
        return cast(list[list[Hit]], await self._transport.json("POST", "/search", body=body))

    async def similar(
        self,
        id: str | None = None,  # noqa: A002
        *,
        ids: Iterable[str] | None = None,
        text: str | None = None,
        vector: Vector | None = None,
        count: int = 10,
        **options: Any,
    ) -> list[Hit]:
        """Returns the documents near one of the commit, near several, near a text, or near a vector."""
        body = self._ask(
            id=id,
            ids=None if ids is None else list(ids),
            text=text,
            vector=None if vector is None else row(vector),
            count=count,
            **options,
        )
        return cast(list[Hit], await self._transport.json("POST", "/similar", body=body))

    async def duplicates(self, **options: Any) -> list[Duplicate]:
        """Returns groups of documents that are one and the same, or nearly so, the surest first."""
        return cast(list[Duplicate], await self._transport.json("GET", "/duplicates", params=self._ask(**options)))

    async def clusters(self, **options: Any) -> Clusters:
        """Returns groups of documents that are alike, the largest first."""
        return cast(Clusters, await self._transport.json("GET", "/clusters", params=self._ask(**options)))

    async def membership(self, **options: Any) -> AsyncIterator[tuple[str, str | None]]:
        """Yields each document's id and the id of its cluster, or None where it is in none."""
        async for member in self._transport.lines("GET", "/clusters", params=self._ask(**options)):
            yield member["id"], member["cluster"]

    async def diff(self, since: str, to: str, **options: Any) -> Diff:
        """Returns the documents that differ between two commits or branches."""
        params = {"domain": self.name, "from": since, "to": to, **options}
        return cast(Diff, await self._transport.json("GET", "/diff", params=params))

    async def get(self, id: str) -> Document:  # noqa: A002
        """Returns a document as it stands here."""
        return cast(Document, await self._transport.json("GET", "/document", params=self._ask(id=id)))

    async def documents(self, *, page: int = 1000, **options: Any) -> AsyncIterator[Document]:
        """Yields the documents by ascending id, with filter those that it admits. A page is asked for at a time."""
        start = 0
        while True:
            params = self._ask(start=start, count=page, **options)
            found = (await self._transport.json("GET", "/documents", params=params))["documents"]
            for document in found:
                yield cast(Document, document)
            start += len(found)
            if len(found) < page:
                return

    async def log(self, branch: str | None = None) -> list[Commit]:
        """Returns the indexed commits, newest first."""
        params = {"domain": self.name, "branch": branch}
        return cast(list[Commit], await self._transport.json("GET", "/commits", params=params))

    async def head(self, branch: str = "main") -> str | None:
        """Returns the last indexed commit of a branch, or None where there is none."""
        answer = await self._transport.json("GET", "/last-indexed", params={"domain": self.name, "branch": branch})
        return cast("str | None", answer["commit"])

    async def tag(self, tag: str, commit: str) -> None:
        """Gives a commit a name that keeps it."""
        await self._transport.json("POST", "/tags", params={"domain": self.name, "name": tag, "commit": commit})

    async def delete(self, *, purge: bool = False) -> None:
        """Removes all commits of the database, and with purge its vectors."""
        await self._transport.json("DELETE", "/domain", params={"domain": self.name, "purge": purge})

    async def snapshot(self, to: str | Path) -> Path:
        """Writes the commit as one file that needs no server, and returns its path."""
        path = Path(to)
        await self._transport.save(path, "/snapshot", params=self._ask())
        return path

    async def restore(self, file: str | Path, **options: Any) -> dict[str, Any]:
        """Takes in a snapshot file: as a fork where the database is empty, else as one commit more."""
        return cast(
            dict[str, Any],
            await self._transport.send(
                Path(file),
                "/snapshot",
                params={"domain": self.name, **options},
                kind="application/vnd.vectorlink.snapshot",
            ),
        )

    async def to_numpy(self, **options: Any) -> tuple[list[str], Floats]:
        """Returns the ids of the documents and a matrix with a vector for each, in their order."""
        params = self._ask(format="safetensors", **options)
        metadata, rows = safetensors(await self._transport.bytes("GET", "/embeddings", params=params))
        return json.loads(metadata["ids"]), rows

    async def to_arrow(self, **options: Any) -> pa.Table:
        """Returns the documents as an Arrow table: id, text, vector, and a column for each field."""
        ids, texts, vectors, fields = [], [], [], []
        params = self._ask(texts=True, output_fields="*", **options)
        async for member in self._transport.lines("GET", "/embeddings", params=params):
            ids.append(member["doc_id"])
            texts.append(member.get("text"))
            vectors.append(member["embedding"])
            fields.append(member.get("fields", {}))
        return tables.arrow("id", ids, vectors, fields, texts)

    async def to_pandas(self, **options: Any) -> pd.DataFrame:
        """Returns the documents as a frame indexed by id: text, vector, and a column for each field."""
        return tables.pandas(await self.to_arrow(**options), "id")
