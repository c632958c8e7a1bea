"""LangChain's vector store over a space: ids are kept, and as_of searches the past. Needs vectorlink[langchain]."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore
from langchain_core.vectorstores.utils import maximal_marginal_relevance

from . import connect, filters
from ._sync.hub import Hub
from ._sync.space import Space
from .errors import NotFoundError
from .types import Record

REST = "_json"
"""Is the field of metadata that cannot be filtered by, as JSON."""


class VectorlinkVectorStore(VectorStore):
    """Keeps documents in a space, which is made with the first. With as_of it reads the past, and is read only."""

    def __init__(
        self,
        embedding: Embeddings,
        hub: Hub | str | os.PathLike[str] = "http://127.0.0.1:8080",
        name: str = "langchain",
        *,
        metric: str = "cosine",
        as_of: str | None = None,
    ) -> None:
        """Takes a hub, or what connect takes."""
        self._embedding = embedding
        self._hub = hub if isinstance(hub, Hub) else connect(hub)
        self._name = name
        self._metric = metric
        self._as_of = as_of

    @property
    def embeddings(self) -> Embeddings:
        """Returns what embeds texts."""
        return self._embedding

    @property
    def space(self) -> Space:
        """Returns the space, with its history, which is there from the first document on."""
        return self._at(None)

    def _at(self, as_of: str | None) -> Space:
        return Space(self._hub, self._hub._transport, self._name, as_of or self._as_of)

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        **_: Any,
    ) -> list[str]:
        """Stores texts as one commit, each in the place of what has its id, and returns their ids."""
        texts = list(texts)
        if not texts:
            return []
        vectors = self._embedding.embed_documents(texts)
        keys = [i or str(uuid.uuid4()) for i in ids or [""] * len(texts)]
        items = []
        for key, text, vector, metadata in zip(keys, texts, vectors, metadatas or [{}] * len(texts), strict=True):
            plain, rest = filters.split(metadata)
            fields = plain | ({REST: rest} if rest else {})
            items.append({"key": key, "vector": vector, "fields": fields, "text": text})
        if self._as_of is None:
            self._hub.create_space(self._name, len(vectors[0]), metric=self._metric, fields={REST: "json"})
        self._at(None).multiset(items)
        return keys

    def delete(self, ids: list[str] | None = None, **_: Any) -> bool:
        """Removes documents by their ids, or all."""
        try:
            if ids is None:
                self.space.delete_all()
            else:
                self.space.multidelete(ids)
        except NotFoundError:
            if self._as_of is not None:
                raise
        return True

    def get_by_ids(self, ids: Sequence[str], /, *, as_of: str | None = None) -> list[Document]:
        """Returns documents in the order of ids, those that are not there left out."""
        return [_document(r) for r in self._records(ids, as_of)]

    def _records(self, ids: Sequence[str], as_of: str | None) -> list[Record]:
        try:
            return list(self._at(as_of).records(ids, missing=True))
        except NotFoundError:
            if as_of or self._as_of:
                raise
            return []  # nothing was stored yet

    def similarity_search(self, query: str, k: int = 4, **options: Any) -> list[Document]:
        """Returns the k documents nearest to a text. Options: filter, as_of, ef."""
        return [d for d, _ in self.similarity_search_with_score(query, k, **options)]

    def similarity_search_by_vector(self, embedding: list[float], k: int = 4, **options: Any) -> list[Document]:
        """Returns the k documents nearest to a vector."""
        return [d for d, _ in self._near(embedding, k, **options)]

    def similarity_search_with_score(self, query: str, k: int = 4, **options: Any) -> list[tuple[Document, float]]:
        """Returns the k documents nearest to a text, and their distances."""
        return self._near(self._embedding.embed_query(query), k, **options)

    def _near(
        self,
        vector: Sequence[float],
        k: int,
        *,
        filter: str | Mapping[str, Any] | None = None,  # noqa: A002
        as_of: str | None = None,
        ef: int | None = None,
    ) -> list[tuple[Document, float]]:
        expression = filters.equal(filter) if isinstance(filter, Mapping) else filter
        try:
            hits = self._at(as_of).nearest(k, vector=vector, filter=expression or None, ef=ef)
        except NotFoundError:
            if as_of or self._as_of:
                raise
            return []
        found = {r["key"]: r for r in self._records([str(h["key"]) for h in hits], as_of)}
        return [(_document(found[h["key"]]), h["distance"]) for h in hits if h["key"] in found]

    def max_marginal_relevance_search_by_vector(
        self, embedding: list[float], k: int = 4, fetch_k: int = 20, lambda_mult: float = 0.5, **options: Any
    ) -> list[Document]:
        """Returns k of the fetch_k documents nearest to a vector, such that they are unlike each other."""
        near = self._near(embedding, fetch_k, **options)
        records = self._records([str(d.id) for d, _ in near], options.get("as_of"))
        vectors = [r["vector"] for r in records]
        chosen = maximal_marginal_relevance(np.asarray(embedding), vectors, lambda_mult, k)
        return [_document(records[i]) for i in chosen]

    def max_marginal_relevance_search(
        self, query: str, k: int = 4, fetch_k: int = 20, lambda_mult: float = 0.5, **options: Any
    ) -> list[Document]:
        """Returns k of the fetch_k documents nearest to a text, such that they are unlike each other."""
        vector = self._embedding.embed_query(query)
        return self.max_marginal_relevance_search_by_vector(vector, k, fetch_k, lambda_mult, **options)

    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        if self._metric == "cosine":
            return lambda distance: 1 - distance
        return lambda distance: 1 / (1 + max(distance, 0))

    @classmethod
    def from_texts(
        cls,
        texts: list[str],
        embedding: Embeddings,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        **options: Any,
    ) -> VectorlinkVectorStore:
        """Returns a store with texts. Options are those of the class."""
        store = cls(embedding, **options)
        store.add_texts(texts, metadatas, ids=ids)
        return store


def _document(record: Record) -> Document:
    metadata = dict(record.get("fields", {}))
    metadata |= metadata.pop(REST, {})
    return Document(id=str(record["key"]), page_content=record.get("text", ""), metadata=metadata)
