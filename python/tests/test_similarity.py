"""The calls of programs on Milvus, as PEACH's guide has them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from vectorlink import similarity
from vectorlink.errors import InvalidError
from vectorlink.process import Process
from vectorlink.similarity import (
    DataType,
    FieldSchema,
    create_collection,
    get_documents,
    index,
    retrieve_similar,
    translate,
)


@pytest.fixture
def collection(process: Process, name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("VECTORLINK_SERVER", process.url)
    monkeypatch.setenv("VECTORLINK_ADMIN_SECRET", process.secret)
    similarity.connect()
    assert similarity.connect() is similarity.connect()
    for _ in range(2):  # it is made if it is not there
        create_collection(
            name,
            fields=[
                FieldSchema("id", DataType.VARCHAR, max_length=100),
                FieldSchema("vec", DataType.FLOAT_VECTOR, dim=768),
                FieldSchema("publication_date", DataType.INT64),
                FieldSchema("language", DataType.VARCHAR, max_length=2),
                FieldSchema("category", DataType.VARCHAR, max_length=50),
            ],
            indexes={
                "vec": {"metric_type": "IP", "index_type": "HNSW", "params": {"M": 32, "efConstruction": 128}},
                "publication_date": None,
                "language": None,
                "category": None,
            },
        )
    yield name
    similarity.disconnect()


def vector(seed: int) -> list[float]:
    return [float(x) for x in np.random.default_rng(seed).normal(size=768)]


def test_the_guide(collection: str) -> None:
    documents = [
        {
            "id": "my_document_42",
            "vec": vector(42),
            "publication_date": 1709294400,
            "language": "en",
            "category": "sports",
        }
    ] + [
        {"id": f"d{n}", "vec": vector(n), "publication_date": 1704067200 + n, "language": "fr" if n % 2 else "en"}
        for n in range(20)
    ]
    assert index(collection, documents, normalize=True, upsert=True, flush=True) == 21
    assert index(collection, documents[:1], normalize=True, upsert=True, flush=True) == 1

    [found] = get_documents(collection, ["my_document_42"], output_fields=["id", "language", "vec"])
    assert found.keys() == {"id", "language", "vec"}
    assert found["language"] == "en"
    unit = np.asarray(vector(42)) / np.linalg.norm(vector(42))
    assert found["vec"] == unit.astype(np.float32).tolist()
    assert get_documents(collection, ["absent", "d1"], output_fields=["id"]) == [{"id": "d1"}]

    hits = retrieve_similar(
        collection,
        ids=["my_document_42"],
        filter_expr='language == "fr" and publication_date >= 1704067200',
        limit=5,
    )
    assert len(hits) == 5
    assert hits[0].keys() == {"id", "distance"}
    assert [h["distance"] for h in hits] == sorted((h["distance"] for h in hits), reverse=True)
    rows = {d["id"]: np.asarray(d["vec"]) / np.linalg.norm(d["vec"]) for d in documents}
    french = {d["id"] for d in documents if d["language"] == "fr"}
    exact = sorted(french, key=lambda i: -float(rows[i] @ unit))
    assert [h["id"] for h in hits] == exact[:5]
    assert hits[0]["distance"] == pytest.approx(float(rows[exact[0]] @ unit), abs=1e-5)

    mean = (rows["d1"] + rows["d2"]) / 2
    by_ids = retrieve_similar(collection, ids=["d1", "d2"], limit=3)
    by_vector = retrieve_similar(collection, vector=mean, fields=["language"], limit=5)
    assert [h["id"] for h in by_ids] == [h["id"] for h in by_vector if h["id"] not in {"d1", "d2"}][:3]
    assert by_vector[0]["language"] in {"en", "fr"}


def test_insert_refuses_what_is_there(collection: str) -> None:
    one = {"id": 1, "vec": vector(1)}
    index(collection, [one], upsert=False)
    with pytest.raises(InvalidError, match="1 ids"):
        index(collection, [one, {"id": 2, "vec": vector(2)}], upsert=False)
    assert get_documents(collection, [2]) == []
    assert similarity.delete_documents(collection, [1]) == 1
    similarity.drop_collection(collection)
    assert not similarity.has_collection(collection)


@pytest.mark.parametrize(("metric", "distance"), [("COSINE", 0.8), ("IP", 6), ("L2", 5)])
def test_distances_are_those_of_milvus(collection: str, metric: str, distance: float) -> None:
    name = f"{collection}-{metric}"
    fields = [FieldSchema("key", DataType.INT64, is_primary=True), FieldSchema("v", DataType.FLOAT_VECTOR, dim=2)]
    create_collection(name, fields, {"v": {"metric_type": metric}})
    index(name, [{"key": 1, "v": [2, 0]}, {"key": 2, "v": [0, 0.5]}], id="key", vec="v")
    hits = retrieve_similar(name, vector=[3, 4] if metric != "L2" else [3, 2], limit=1, id="key")
    assert (hits[0]["key"], hits[0]["distance"]) == (2 if metric == "COSINE" else 1, pytest.approx(distance))


@pytest.mark.parametrize(
    ("milvus", "ours"),
    [
        ('language == "fr" and publication_date >= 1704067200', 'language == "fr" and publication_date >= 1704067200'),
        ("a IN [1, 2] AND NOT (b == TRUE)", "a in [ 1 , 2 ] and not ( b == true )"),
        ("a not in ['x'] || b != 1.5e3 && c <= -2", "a not in [ 'x' ] || b != 1.5e3 && c <= - 2"),
        ('t like "ab%"', 't startsWith "ab"'),
        ('t LIKE "%ab"', 't endsWith "ab"'),
        ('t like "%ab%"', 't contains "ab"'),
        ('t like "ab"', 't == "ab"'),
        ("t is null or u IS NOT NULL", "t == nil or u != nil"),
        ("exists t", "t != nil"),
        ('array_contains(tags, "sport")', '( "sport" in tags )'),
        ('t == "AND \\" like %"', 't == "AND \\" like %"'),
    ],
)
def test_expressions_of_milvus(milvus: str, ours: str) -> None:
    assert translate(milvus) == ours


def test_a_pattern_without_a_counterpart_is_refused() -> None:
    with pytest.raises(InvalidError, match="like"):
        translate('t like "a%b"')
