"""LangChain's own tests of vector stores, and the past."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

pytest.importorskip("langchain_tests")

from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.vectorstores import VectorStore
from langchain_tests.integration_tests import VectorStoreIntegrationTests

from vectorlink import Hub, errors
from vectorlink.langchain import VectorlinkVectorStore


class TestStandard(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self, hub: Hub, name: str) -> Iterator[VectorStore]:  # type: ignore[override]
        yield VectorlinkVectorStore(self.get_embeddings(), hub, name)


def test_the_past_metadata_and_filters(hub: Hub, name: str) -> None:
    store = VectorlinkVectorStore(DeterministicFakeEmbedding(size=8), hub, name)
    metadata = {"lang": "en", "n": 1, "deep": {"a": [1, {"b": None}]}, "nothing": None, "in": "x", "tags": ["a"]}
    store.add_documents([Document(id="1", page_content="one", metadata=metadata)])
    first = store.space.log()[0]["commit"]
    store.add_texts(["uno", "two"], [{"lang": "es"}, {"lang": "en"}], ids=["1", "2"])
    assert store.get_by_ids(["1"])[0].page_content == "uno"
    assert store.get_by_ids(["1"], as_of=first)[0] == Document(id="1", page_content="one", metadata=metadata)
    then = VectorlinkVectorStore(DeterministicFakeEmbedding(size=8), hub, name, as_of=first)
    assert [d.page_content for d in then.similarity_search("one", k=3)] == ["one"]
    assert [d.page_content for d in store.similarity_search("one", k=3, as_of=first)] == ["one"]
    with pytest.raises(errors.ImmutableError):
        then.add_texts(["new"])
    assert [d.id for d in store.similarity_search("two", k=3, filter={"lang": "es"})] == ["1"]
    assert [d.id for d in store.similarity_search("x", k=3, filter='lang == "en"')] == ["2"]
    assert [d.id for d in then.similarity_search("x", k=3, filter={"in": "x"})] == ["1"]
    found, distance = store.similarity_search_with_score("two", k=1)[0]
    assert (found.id, distance) == ("2", pytest.approx(0, abs=1e-6))
    assert store.similarity_search_with_relevance_scores("two", k=1)[0][1] == pytest.approx(1, abs=1e-6)
    assert {d.id for d in store.max_marginal_relevance_search("two", k=2)} == {"1", "2"}
