"""Databases: what the documents of a commit answer, now and as they were."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

import vectorlink
from vectorlink import Database, Hub
from vectorlink.process import binary

NOTES = [
    {"id": "Note/1", "string": "The harbour freezes over.", "fields": {"lang": "en", "year": 2024}},
    {"id": "Note/2", "string": "La mer est gelée.", "fields": {"lang": "fr", "year": 2023}},
    {"id": "Note/3", "string": "The home team wins the cup.", "fields": {"lang": "en", "tags": ["sport"]}},
    {"id": "Note/4", "string": "The home team has won the cup.", "fields": {"lang": "en"}},
]


@pytest.fixture
def notes(hub: Hub, name: str) -> Database:
    db = hub.database(f"me/{name}")
    assert db.push("c1", NOTES)["indexed_documents"] == 4
    changes = [{"id": "Note/1", "string": "The harbour is open."}, {"op": "Deleted", "id": "Note/4"}]
    assert db.push("c2", iter(changes))["status"] == "complete"
    return db


def test_search_now_and_then(notes: Database) -> None:
    assert [h["id"] for h in notes.search("sports championship", count=1)] == ["Note/3"]
    then = notes.at("c1").search("sports championship", count=2, text=True, filter='lang == "en"')
    assert {h["id"] for h in then} == {"Note/3", "Note/4"}
    assert then[0]["text"].startswith("The home team")
    lists = notes.search_many(["harbour", {"q": "cup", "count": 1}], mode="fts")
    assert [[h["id"] for h in hits] for hits in lists] == [["Note/1"], ["Note/3"]]


def test_similar_by_id_text_and_vector(notes: Database) -> None:
    then = notes.at("c1")
    assert then.similar("Note/3", count=1)[0]["id"] == "Note/4"
    assert then.similar(text="The home team wins the cup.", count=1)[0]["distance"] == 0
    ids, rows = then.to_numpy()
    hit = then.similar(vector=rows[ids.index("Note/2")], count=1)[0]
    assert hit["id"] == "Note/2"
    assert hit["distance"] < 1e-6
    assert then.search(vector=rows[0], count=1)[0]["id"] == ids[0]


def test_duplicates_clusters_and_diff(notes: Database) -> None:
    group = notes.at("c1").duplicates()[0]["group"]
    assert {m["id"] for m in group} == {"Note/3", "Note/4"}
    assert notes.at("c1").clusters()["documents"] == 4
    assert dict(notes.at("c1").membership()).keys() == {n["id"] for n in NOTES}
    diff = notes.diff("c1", "main")
    assert (diff["added"], diff["removed"], diff["changed"]) == (0, 1, 1)
    assert {d["id"]: d["change"] for d in diff["documents"]} == {"Note/1": "changed", "Note/4": "removed"}


def test_documents_log_and_tags(notes: Database) -> None:
    assert [d["id"] for d in notes.documents(page=2)] == ["Note/1", "Note/2", "Note/3"]
    assert [d["id"] for d in notes.documents(filter='lang == "fr"')] == ["Note/2"]
    assert notes.get("Note/1")["text"] == "The harbour is open."
    assert [c["commit"] for c in notes.log()] == ["c2", "c1"]
    assert notes.head() == "c2"
    notes.tag("first", "c1")
    assert notes.at("first").get("Note/1")["text"] == "The harbour freezes over."


def test_export(notes: Database) -> None:
    ids, rows = notes.at("c1").to_numpy(filter="year > 2000")
    assert ids == ["Note/1", "Note/2"]
    assert rows.shape == (2, 384)
    assert rows.dtype == np.float32
    table = pytest.importorskip("pyarrow") and notes.at("c1").to_arrow()
    assert table.column_names == ["id", "text", "vector", "lang", "tags", "year"]
    assert table["year"].to_pylist() == [2024, 2023, None, None]
    assert np.array_equal(table["vector"][0].as_py(), rows[0])
    frame = pytest.importorskip("pandas") and notes.at("c1").to_pandas()
    assert frame.loc["Note/2", "text"] == "La mer est gelée."


def test_a_snapshot_is_opened_and_forked(notes: Database, hub: Hub, name: str, tmp_path: Path) -> None:
    file = notes.at("c1").snapshot(tmp_path / "c1.vlsnap")
    with vectorlink.connect(file) as offline:
        at = offline.database(notes.name).at("c1")
        assert at.search("harbour", count=2) == notes.at("c1").search("harbour", count=2)
        with pytest.raises(vectorlink.errors.ReadOnlyError):
            offline.database("me/other").push("c9", NOTES)
    fork = hub.database(f"me/{name}-fork")
    assert fork.restore(file)["imported"] == 4
    assert fork.at("c1").get("Note/4") == notes.at("c1").get("Note/4")


def test_a_push_that_fails_leaves_nothing(notes: Database) -> None:
    with pytest.raises(vectorlink.InvalidError) as caught:
        notes.push("c3", [NOTES[0], {"string": "no id"}])
    assert caught.value.line == 2
    assert notes.head() == "c2"

    def broken() -> object:
        yield NOTES[0]
        raise RuntimeError("the generator breaks")

    with pytest.raises(RuntimeError):
        notes.push("c3", broken())  # type: ignore[arg-type]
    assert notes.head() == "c2"


async def test_the_asynchronous_half(async_hub: vectorlink.AsyncHub, name: str) -> None:
    db = async_hub.database(f"me/{name}")

    async def documents() -> object:
        for note in NOTES:
            yield note

    await db.push("c1", documents())  # type: ignore[arg-type]
    assert (await db.search("sea ice", count=1))[0]["id"] in {"Note/1", "Note/2"}
    assert [d["id"] async for d in db.documents()] == [n["id"] for n in NOTES]
    with pytest.raises(vectorlink.NotFoundError):
        await db.at("c9").search("sea")


def test_commits_are_pulled_from_the_database() -> None:
    """The demo's server has a document database beside it."""
    demo = [binary(), "demo", "--listen", "127.0.0.1:0"]
    with subprocess.Popen(demo, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as child:
        try:
            assert child.stdout is not None
            url = next(line.split()[2] for line in child.stdout if line.startswith("Serving on "))
            with vectorlink.connect(url) as hub:
                db = hub.database("admin/star_wars")
                history = [c for c in db.log("main") if c["branch"] == "main"]
                assert history[-2]["message"] == "Load the catalogue"
                assert {c["author"] for c in history} == {"archivist", "editor"}
                db.delete(purge=True)
                first, load = history[-1], history[-2]
                done = db.index(load["commit"])
                assert (done["status"], done["documents"]) == ("Complete", load["documents"])
                started = db.index(history[-3]["commit"], message="by hand", wait=False)
                assert db.wait(started["task"])["commit"] == history[-3]["commit"]
                assert [c["message"] for c in db.log()] == ["by hand", "Load the catalogue"]
                assert db.log()[0]["committed"] > first["committed"]
                assert "/Planet/" in db.at(load["commit"]).search("a desert planet", count=1)[0]["id"]
                with pytest.raises(vectorlink.VectorlinkError, match="nowhere"):
                    db.index("nowhere")
        finally:
            child.terminate()
