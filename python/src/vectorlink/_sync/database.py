"""Databases: documents of a commit, searched by meaning and by words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from .. import tables
from .._streams import each, sleep
from ..types import Clusters, Commit, Diff, Document, Duplicate, Hit, Indexed
from ..vectors import Floats, Vector, line, row, safetensors
from .transport import Transport

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

POLL_SECONDS = 0.05
POLL_AT_MOST = 2.0


class Database:
    """Is a database at a commit, or at the last commit of a branch: main, until at or on says otherwise."""

    def __init__(self, transport: Transport, name: str, where: Mapping[str, str] | None = None) -> None:
        self._transport = transport
        self.name = name
        self._where: dict[str, str] = dict(where or {"branch": "main"})

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, {self._where})"

    def at(self, commit: str) -> Database:
        """Returns the database as it was at a commit, or at a tag."""
        return Database(self._transport, self.name, {"commit": commit})

    def on(self, branch: str) -> Database:
        """Returns the database as it is at the last indexed commit of a branch."""
        return Database(self._transport, self.name, {"branch": branch})

    def _ask(self, **more: Any) -> dict[str, Any]:
        return {"domain": self.name, **self._where} | {k: v for k, v in more.items() if v is not None}

    def index(self, commit: str, *, branch: str = "main", wait: bool = True, **options: Any) -> Indexed:
        """Has the server pull a commit from the document database. Returns when it can be searched, with wait."""
        params = {"domain": self.name, "commit": commit, "branch": branch, **options}
        task = (self._transport.bytes("POST", "/index", params=params)).decode().strip()
        return self.wait(task) if wait else {"status": "Pending", "task": task}

    def wait(self, task: str) -> Indexed:
        """Returns when a task has ended. Raises AnswerError where it failed."""
        pause = POLL_SECONDS
        while True:
            state = self._transport.json("GET", "/check", params={"task_id": task})
            if state["status"] == "Complete":
                return cast(Indexed, state)
            sleep(pause)
            pause = min(2 * pause, POLL_AT_MOST)

    def push(
        self,
        commit: str,
        documents: Iterable[Mapping[str, Any]] | Iterable[Mapping[str, Any]],
        *,
        branch: str = "main",
        parent: str | None = None,
        **settings: Any,
    ) -> Indexed:
        """Makes a commit of documents, which are streamed: {"id", "string", "fields", "vector"} each.

        An object with "op" is an operation as it stands. Returns when the commit is durable and can be searched.
        """

        def operations() -> Iterator[bytes]:
            for document in each(documents):
                yield line({"op": "Inserted", **document})

        params = {"domain": self.name, "target_commit": commit, "branch": branch, "strict": True}
        return cast(
            Indexed,
            self._transport.json(
                "POST",
                "/push",
                params={**params, "parent_commit": parent, **settings},
                content=operations(),
                kind="application/x-ndjson",
            ),
        )

    def search(
        self, q: str | None = None, *, vector: Vector | None = None, count: int = 10, **options: Any
    ) -> list[Hit]:
        """Returns the documents that say what q does, the best first.

        Options are those of the endpoint: mode, filter, output_fields, text, snippet, max_distance, start, ….
        """
        body = self._ask(q=q, vector=None if vector is None else row(vector), count=count, **options)
        return cast(list[Hit], self._transport.json("POST", "/search", body=body))

    def search_many(self, queries: Iterable[str | Mapping[str, Any]], **options: Any) -> list[list[Hit]]:
        """Returns the hits of each query, all from one commit. There are 100 queries at most."""
        body = self._ask(queries=list(queries), **options)
        return cast(list[list[Hit]], self._transport.json("POST", "/search", body=body))

    def similar(
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
        return cast(list[Hit], self._transport.json("POST", "/similar", body=body))

    def duplicates(self, **options: Any) -> list[Duplicate]:
        """Returns groups of documents that are one and the same, or nearly so, the surest first."""
        return cast(list[Duplicate], self._transport.json("GET", "/duplicates", params=self._ask(**options)))

    def clusters(self, **options: Any) -> Clusters:
        """Returns groups of documents that are alike, the largest first."""
        return cast(Clusters, self._transport.json("GET", "/clusters", params=self._ask(**options)))

    def membership(self, **options: Any) -> Iterator[tuple[str, str | None]]:
        """Yields each document's id and the id of its cluster, or None where it is in none."""
        for member in self._transport.lines("GET", "/clusters", params=self._ask(**options)):
            yield member["id"], member["cluster"]

    def diff(self, since: str, to: str, **options: Any) -> Diff:
        """Returns the documents that differ between two commits or branches."""
        params = {"domain": self.name, "from": since, "to": to, **options}
        return cast(Diff, self._transport.json("GET", "/diff", params=params))

    def get(self, id: str) -> Document:  # noqa: A002
        """Returns a document as it stands here."""
        return cast(Document, self._transport.json("GET", "/document", params=self._ask(id=id)))

    def documents(self, *, page: int = 1000, **options: Any) -> Iterator[Document]:
        """Yields the documents by ascending id, with filter those that it admits. A page is asked for at a time."""
        start = 0
        while True:
            params = self._ask(start=start, count=page, **options)
            found = (self._transport.json("GET", "/documents", params=params))["documents"]
            for document in found:
                yield cast(Document, document)
            start += len(found)
            if len(found) < page:
                return

    def log(self, branch: str | None = None) -> list[Commit]:
        """Returns the indexed commits, newest first."""
        params = {"domain": self.name, "branch": branch}
        return cast(list[Commit], self._transport.json("GET", "/commits", params=params))

    def head(self, branch: str = "main") -> str | None:
        """Returns the last indexed commit of a branch, or None where there is none."""
        answer = self._transport.json("GET", "/last-indexed", params={"domain": self.name, "branch": branch})
        return cast("str | None", answer["commit"])

    def tag(self, tag: str, commit: str) -> None:
        """Gives a commit a name that keeps it."""
        self._transport.json("POST", "/tags", params={"domain": self.name, "name": tag, "commit": commit})

    def delete(self, *, purge: bool = False) -> None:
        """Removes all commits of the database, and with purge its vectors."""
        self._transport.json("DELETE", "/domain", params={"domain": self.name, "purge": purge})

    def snapshot(self, to: str | Path) -> Path:
        """Writes the commit as one file that needs no server, and returns its path."""
        path = Path(to)
        self._transport.save(path, "/snapshot", params=self._ask())
        return path

    def restore(self, file: str | Path, **options: Any) -> dict[str, Any]:
        """Takes in a snapshot file: as a fork where the database is empty, else as one commit more."""
        return cast(
            dict[str, Any],
            self._transport.send(
                Path(file),
                "/snapshot",
                params={"domain": self.name, **options},
                kind="application/vnd.vectorlink.snapshot",
            ),
        )

    def to_numpy(self, **options: Any) -> tuple[list[str], Floats]:
        """Returns the ids of the documents and a matrix with a vector for each, in their order."""
        params = self._ask(format="safetensors", **options)
        metadata, rows = safetensors(self._transport.bytes("GET", "/embeddings", params=params))
        return json.loads(metadata["ids"]), rows

    def to_arrow(self, **options: Any) -> pa.Table:
        """Returns the documents as an Arrow table: id, text, vector, and a column for each field."""
        ids, texts, vectors, fields = [], [], [], []
        params = self._ask(texts=True, output_fields="*", **options)
        for member in self._transport.lines("GET", "/embeddings", params=params):
            ids.append(member["doc_id"])
            texts.append(member.get("text"))
            vectors.append(member["embedding"])
            fields.append(member.get("fields", {}))
        return tables.arrow("id", ids, vectors, fields, texts)

    def to_pandas(self, **options: Any) -> pd.DataFrame:
        """Returns the documents as a frame indexed by id: text, vector, and a column for each field."""
        return tables.pandas(self.to_arrow(**options), "id")
