"""LlamaIndex' vector store over a space: as_of searches the past. Needs vectorlink[llama-index]."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from typing import Any

from llama_index.core.bridge.pydantic import PrivateAttr
from llama_index.core.schema import BaseNode
from llama_index.core.vector_stores.types import (
    BasePydanticVectorStore,
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
    VectorStoreQueryResult,
)
from llama_index.core.vector_stores.utils import build_metadata_filter_fn, metadata_dict_to_node, node_to_metadata_dict

from . import connect, filters
from ._sync.hub import Hub
from ._sync.space import Space
from .errors import InvalidError, NotFoundError
from .types import Record

REF = "ref_doc_id"
MOST = 1000
"""Is how many nodes one query returns at most."""


class VectorlinkVectorStore(BasePydanticVectorStore):
    """Keeps nodes in a space, which is made with the first. With as_of it reads the past, and is read only."""

    stores_text: bool = True
    is_embedding_query: bool = True
    name: str = "llama_index"
    metric: str = "cosine"
    as_of: str | None = None
    _hub: Hub = PrivateAttr()

    def __init__(self, hub: Hub | str | os.PathLike[str] = "http://127.0.0.1:8080", **settings: Any) -> None:
        """Takes a hub, or what connect takes; and name, metric and as_of."""
        super().__init__(**settings)
        self._hub = hub if isinstance(hub, Hub) else connect(hub)

    @property
    def client(self) -> Hub:
        """Returns the hub."""
        return self._hub

    @property
    def space(self) -> Space:
        """Returns the space, with its history, which is there from the first node on."""
        return Space(self._hub, self._hub._transport, self.name, self.as_of)

    def add(self, nodes: Sequence[BaseNode], **_: Any) -> list[str]:
        """Stores nodes as one commit, each in the place of what has its id, and returns their ids."""
        items = []
        for node in nodes:
            whole = node_to_metadata_dict(node, remove_text=False, flat_metadata=False)
            plain, _rest = filters.split(node.metadata)
            items.append(
                {
                    "key": node.node_id,
                    "vector": node.get_embedding(),
                    "fields": plain | ({REF: node.ref_doc_id} if node.ref_doc_id else {}),
                    "text": json.dumps(whole, ensure_ascii=False),
                }
            )
        if items and self.as_of is None:
            self._hub.create_space(self.name, len(items[0]["vector"]), metric=self.metric)
        if items:
            self.space.multiset(items)
        return [node.node_id for node in nodes]

    def delete(self, ref_doc_id: str, **_: Any) -> None:
        """Removes the nodes of a document."""
        self.delete_nodes(filters=MetadataFilters(filters=[MetadataFilter(key=REF, value=ref_doc_id)]))

    def delete_nodes(self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None, **_: Any) -> None:
        """Removes nodes by their ids, and those of them that filters admit."""
        keys = [r["key"] for r in self._select(node_ids, filters)]
        if keys:
            self.space.multidelete(keys)

    def get_nodes(self, node_ids: list[str] | None = None, filters: MetadataFilters | None = None) -> list[BaseNode]:
        """Returns nodes by their ids, or all, and those of them that filters admit."""
        return [_node(r) for r in self._select(node_ids, filters)]

    def clear(self) -> None:
        """Removes all nodes. Older commits keep them."""
        if self._select(None, None):
            self.space.delete_all()

    def _select(self, ids: list[str] | None, only: MetadataFilters | None) -> list[Record]:
        """Returns the nodes among ids, or all, that LlamaIndex' own reading of a filter admits."""
        try:
            if ids is not None:
                found = list(self.space.records(ids, missing=True))
            else:
                found = list(self.space.all_records(vectors=False))
        except NotFoundError:
            if self.as_of:
                raise
            return []  # nothing was stored yet
        fields = {str(r["key"]): r.get("fields", {}) for r in found}
        admitted = build_metadata_filter_fn(lambda key: fields[key], only)
        return [r for r in found if admitted(str(r["key"]))]

    def query(self, query: VectorStoreQuery, **_: Any) -> VectorStoreQueryResult:
        """Returns the nodes nearest to the query's vector, and their similarities."""
        if query.mode is not VectorStoreQueryMode.DEFAULT or query.query_embedding is None:
            raise InvalidError("a space is queried by a vector, in the mode default")
        among = None if query.node_ids is None else set(query.node_ids)
        n = query.similarity_top_k
        try:
            if among is not None and (n := max(self.space.count(), 1)) > MOST:
                raise InvalidError(f"of a space of more than {MOST} nodes not some of them are queried: use filters")
            hits = self.space.nearest(
                n,
                vector=query.query_embedding,
                filter=expression(query.filters) if query.filters else None,
            )
        except NotFoundError:
            if self.as_of:
                raise
            hits = []
        hits = [h for h in hits if among is None or h["key"] in among][: query.similarity_top_k]
        found = {r["key"]: r for r in self._select([str(h["key"]) for h in hits], None)}
        near: Callable[[float], float] = (
            (lambda d: 1 - 2 * d)
            if self.metric == "cosine"
            else (lambda d: 1 - d)
            if self.metric == "ip"
            else (lambda d: 1 / (1 + d))
        )
        kept = [h for h in hits if h["key"] in found]
        return VectorStoreQueryResult(
            nodes=[_node(found[h["key"]]) for h in kept],
            similarities=[near(h["distance"]) for h in kept],
            ids=[str(h["key"]) for h in kept],
        )


def _node(record: Record) -> BaseNode:
    return metadata_dict_to_node(json.loads(record["text"]))


def expression(of: MetadataFilters) -> str:
    """Returns LlamaIndex' filters as an expression."""
    parts = [expression(f) if isinstance(f, MetadataFilters) else _one(f) for f in of.filters]
    if of.condition is FilterCondition.NOT:
        return f"not ({' or '.join(parts)})"
    return f" {(of.condition or FilterCondition.AND).value} ".join(f"({p})" for p in parts)


def _one(of: MetadataFilter) -> str:
    name, value = filters.name(of.key), filters.value(of.value)
    match of.operator:
        case FilterOperator.IN | FilterOperator.NIN:
            return f"{name} {'in' if of.operator is FilterOperator.IN else 'not in'} {value}"
        case FilterOperator.CONTAINS:
            return f"{value} in {name}"
        case FilterOperator.ANY | FilterOperator.ALL if isinstance(of.value, list):
            joint = " or " if of.operator is FilterOperator.ANY else " and "
            return joint.join(f"{filters.value(v)} in {name}" for v in of.value)
        case FilterOperator.TEXT_MATCH:
            return f"{name} contains {value}"
        case FilterOperator.IS_EMPTY:
            return f"{name} == nil"
        case FilterOperator.TEXT_MATCH_INSENSITIVE:
            raise InvalidError("texts are compared by their letters as they are")
    return f"{name} {of.operator.value} {value}"
