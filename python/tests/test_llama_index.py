"""LlamaIndex' vector store: nodes, filters, and the past."""

from __future__ import annotations

import pytest

pytest.importorskip("llama_index.core")

from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores.types import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
)

from vectorlink import Hub, errors
from vectorlink.llama_index import VectorlinkVectorStore


def node(at: int, vector: list[float], **metadata: object) -> TextNode:
    made = TextNode(id_=f"n{at}", text=f"text {at}", embedding=vector, metadata=metadata)
    made.relationships[NodeRelationship.SOURCE] = RelatedNodeInfo(node_id=f"doc{at % 2}")
    return made


NODES = [
    node(0, [1, 0], lang="en", year=2020, tags=["a", "b"]),
    node(1, [0.9, 0.1], lang="fr", year=2024, deep={"x": 1}),
    node(2, [0, 1], lang="en", year=2022, tags=["b"]),
]


@pytest.fixture
def store(hub: Hub, name: str) -> VectorlinkVectorStore:
    made = VectorlinkVectorStore(hub, name=name)
    assert made.query(VectorStoreQuery(query_embedding=[1, 0])).ids == []
    assert made.add(NODES) == ["n0", "n1", "n2"]
    return made


def test_nodes_come_back_whole(store: VectorlinkVectorStore) -> None:
    result = store.query(VectorStoreQuery(query_embedding=[1, 0], similarity_top_k=2))
    assert result.ids == ["n0", "n1"]
    assert result.similarities == pytest.approx([1, 0.9939], abs=1e-3)
    assert result.nodes
    assert result.nodes[1].get_content() == "text 1"
    assert result.nodes[1].metadata == {"lang": "fr", "year": 2024, "deep": {"x": 1}}
    assert result.nodes[1].ref_doc_id == "doc1"
    assert [n.node_id for n in store.get_nodes()] == ["n0", "n1", "n2"]
    among = store.query(VectorStoreQuery(query_embedding=[1, 0], similarity_top_k=1, node_ids=["n1", "n2"]))
    assert among.ids == ["n1"]


@pytest.mark.parametrize(
    ("operator", "key", "value", "admitted"),
    [
        (FilterOperator.EQ, "lang", "en", {"n0", "n2"}),
        (FilterOperator.NE, "lang", "en", {"n1"}),
        (FilterOperator.GT, "year", 2021, {"n1", "n2"}),
        (FilterOperator.IN, "lang", ["fr", "de"], {"n1"}),
        (FilterOperator.NIN, "lang", ["fr", "de"], {"n0", "n2"}),
        (FilterOperator.CONTAINS, "tags", "a", {"n0"}),
        (FilterOperator.ANY, "tags", ["a", "b"], {"n0", "n2"}),
        (FilterOperator.ALL, "tags", ["a", "b"], {"n0"}),
        (FilterOperator.TEXT_MATCH, "lang", "r", {"n1"}),
        (FilterOperator.IS_EMPTY, "tags", None, {"n1"}),
    ],
)
def test_filters(
    store: VectorlinkVectorStore, operator: FilterOperator, key: str, value: object, admitted: set[str]
) -> None:
    only = MetadataFilters(filters=[MetadataFilter(key=key, value=value, operator=operator)])  # type: ignore[arg-type]
    assert (
        set(store.query(VectorStoreQuery(query_embedding=[1, 0], similarity_top_k=9, filters=only)).ids or [])
        == admitted
    )
    assert {n.node_id for n in store.get_nodes(filters=only)} == admitted


def test_filters_together(store: VectorlinkVectorStore) -> None:
    english = MetadataFilter(key="lang", value="en")
    old = MetadataFilter(key="year", value=2021, operator=FilterOperator.LT)
    for condition, admitted in (
        (FilterCondition.AND, {"n0"}),
        (FilterCondition.OR, {"n0", "n2"}),
        (FilterCondition.NOT, {"n1"}),
    ):
        only = MetadataFilters(filters=[english, old], condition=condition)
        assert {n.node_id for n in store.get_nodes(filters=only)} == admitted


def test_deletion_and_the_past(store: VectorlinkVectorStore, hub: Hub) -> None:
    first = store.space.log()[0]["commit"]
    store.delete("doc0")
    assert [n.node_id for n in store.get_nodes()] == ["n1"]
    store.delete_nodes(["n1"])
    assert store.get_nodes() == []
    store.clear()
    then = VectorlinkVectorStore(hub, name=store.name, as_of=first)
    assert len(then.get_nodes()) == 3
    with pytest.raises(errors.ImmutableError):
        then.add(NODES)
