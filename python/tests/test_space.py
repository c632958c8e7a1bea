"""Spaces: the guide of Embeddinghub call by call, and history, which it has not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import numpy as np
import pytest

import vectorlink
from vectorlink import Hub, Space, errors
from vectorlink.vectors import Key, unpack

ROWS: dict[Key, list[float]] = {"a": [1, 2, 3], "b": [4, 5, 6], "c": [7, 8, 9]}


@pytest.fixture
def space(hub: Hub, name: str) -> Space:
    made = hub.create_space(name, 3)
    made.multiset(ROWS)
    return made


def test_the_guide(hub: Hub, name: str) -> None:
    space = hub.create_space(name, 3)
    space = hub.get_space(name)
    assert hub.create_space(name, 3).name == name
    with pytest.raises(errors.ConflictError):
        hub.create_space(name, 4)

    space.set("key", [1, 2, 3])
    assert space.get("key") == [1, 2, 3]
    space.multiset({"a": [1, 2, 3], "b": [4, 5, 6]})
    assert space.multiget(["a", "b"]) == [[1, 2, 3], [4, 5, 6]]
    assert space.multiget(["b", "a"]) == [[4, 5, 6], [1, 2, 3]]

    space.multiset([("a", [1, 2, 3]), ("b", [4, 5, 6]), ("c", [7, 8, 9])])
    space.multiset(iter([("d", [1, 1, 1.1])]))
    space.multiset((str(n), [n, n, n]) for n in range(3))
    lazily = space.multiget(key for key in ["a", "0", "c"])
    assert not isinstance(lazily, list)
    assert list(lazily) == [[1, 2, 3], [0, 0, 0], [7, 8, 9]]

    assert space.nearest_neighbors(2, key="b")[0] in {"a", "c"}
    assert space.nearest_neighbors(1, vector=[1, 1, 1.1]) == ["d"]
    assert len(space.nearest_neighbors(5, key="a")) == 5
    assert "a" not in space.nearest_neighbors(7, key="a")

    space.delete("a")
    space.delete("a")
    with pytest.raises(KeyError):
        space.get("a")
    assert space.multidelete(["b", "c", "gone"]) >= 2
    space.delete_all()
    assert space.count() == 0
    assert list(space) == []
    hub.delete_space(name)
    with pytest.raises(errors.NotFoundError):
        hub.get_space(name)


def test_snapshots_are_spaces_of_their_own(space: Space, hub: Hub, tmp_path: Path) -> None:
    space.set("new", [1, 2, 2.5], fields={"lang": "fr"})
    file = tmp_path / "space.vlsnap"
    local = space.download_snapshot(file)
    space.delete_all()
    assert dict(local) == ROWS | {"new": [1, 2, 2.5]}
    assert local.record("new")["fields"] == {"lang": "fr"}
    assert local.nearest_neighbors(1, key="a") == ["new"]
    local.set("mine", [0, 0, 0])
    assert local.get("mine") == [0, 0, 0]
    with pytest.raises(KeyError):
        space.get("mine")
    again = hub.fork_space(space.name + "-fork", file)
    assert dict(again) == ROWS | {"new": [1, 2, 2.5]}


def test_get_space_takes_a_snapshot(space: Space, hub: Hub) -> None:
    local = hub.get_space(space.name, download_snapshot=True)
    space.delete("a")
    assert local.get("a") == [1, 2, 3]


def test_keys_are_typed_and_vectors_come_back_to_the_bit(hub: Hub, name: str) -> None:
    space = hub.create_space(name, 4, metric="cosine", normalize=True)
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(2, 4)).astype(np.float32) * 1e-3
    space.set(1, rows[0])
    space.set("1", rows[1])
    space.set(np.int64(2), rows[0])
    assert space.get(1) == rows[0].tolist()
    assert np.array_equal(space.get_array(["1", 1]), rows[[1, 0]])
    assert [k for k, _ in space] == [1, 2, "1"] or {k for k, _ in space} == {1, 2, "1"}
    for key in (True, 1.5, None):
        with pytest.raises(TypeError):
            space.set(key, rows[0])  # type: ignore[arg-type]
    for vector in ([1, 2, 3, float("nan")], [1, 2, 3, float("inf")], [[1, 2, 3, 4]]):
        with pytest.raises(ValueError, match="vector"):
            space.set("x", vector)  # type: ignore[arg-type]


@pytest.mark.parametrize("integers", [True, False])
def test_many_travel_as_arrays(hub: Hub, name: str, integers: bool) -> None:
    space = hub.create_space(name, 8)
    rows = np.random.default_rng(2).normal(size=(500, 8)).astype(np.float32)
    keys: list[Key] = [n if integers else f"k{n:03}ø" for n in range(500)]
    space.multiset(dict(zip(keys, rows, strict=True)))
    assert len(space.log()) == 1
    assert np.array_equal(space.get_array(keys), rows)
    assert np.array_equal(np.float32(space.multiget(keys[:150])), rows[:150])
    assert np.array_equal(np.float32(list(space.multiget(iter(keys)))), rows)
    order, matrix = space.to_numpy()
    assert sorted(order.tolist()) == sorted(keys)
    assert np.array_equal(matrix[order.tolist().index(keys[7])], rows[7])
    with pytest.raises(errors.KeyNotFoundError):
        space.get_array([*keys, "absent"])
    mixed: dict[Key, list[float]] = {**dict.fromkeys(range(200), [0.0] * 8), "text": [1.0] * 8}
    space.multiset(mixed)
    assert space.get("text") == [1.0] * 8
    assert space.get(5) == [0.0] * 8


def test_nothing_of_a_batch_with_a_mistake_is_stored(space: Space) -> None:
    head = space.log()[0]
    with pytest.raises(errors.InvalidError, match="3") as caught:
        space.multiset(iter([("x", [1, 2, 3]), ("y", [1, 2])]))
    assert caught.value.line == 2
    with pytest.raises(errors.InvalidError):
        space.set_arrays(["x", "y"], [[1, 2], [3, 4]])

    def broken() -> Iterator[tuple[Key, list[float]]]:
        yield "x", [1, 2, 3]
        raise RuntimeError("the generator breaks")

    with pytest.raises(RuntimeError):
        space.multiset(broken())
    with pytest.raises(RuntimeError), space.transaction() as t:
        t.set("x", [1, 2, 3])
        raise RuntimeError("the transaction breaks")
    assert dict(space) == ROWS
    assert space.log()[0] == head


def test_fields_texts_and_filters(hub: Hub, name: str) -> None:
    space = hub.create_space(name, 2, metric="ip", fields={"lang": "string", "year": "number", "meta": "json"})
    space.multiset(
        [
            {"key": "en", "vector": [1, 0], "fields": {"lang": "en", "year": 2024}, "text": "a text"},
            {"key": "fr", "vector": [0.9, 0], "fields": {"lang": "fr", "meta": {"deep": [1]}}},
        ]
    )
    assert space.record("en") == {
        "key": "en",
        "vector": [1, 0],
        "fields": {"lang": "en", "year": 2024},
        "text": "a text",
    }
    assert space.record("fr")["fields"]["meta"] == {"deep": [1]}
    hits = space.nearest(2, vector=[1, 0], filter='lang == "fr"', output_fields=["lang"])
    assert [(h["key"], h["fields"]) for h in hits] == [("fr", {"lang": "fr"})]
    assert [h["key"] for h in space.nearest(2, keys=["en", "fr"])] == []
    with pytest.raises(errors.InvalidError, match="lang"):
        space.set("x", [0, 0], fields={"lang": 7})
    with pytest.raises(ValueError, match="one of"):
        space.nearest(1)
    frame = pytest.importorskip("pandas") and space.to_pandas()
    assert frame.loc["en", "year"] == 2024
    assert frame.loc["en", "text"] == "a text"


def test_the_past_branches_and_merges(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    first = space.commit()
    assert first
    space.set("a", [1, 2, 4])
    space.delete("c")
    space.set("d", [0, 0, 0])
    second = space.commit()
    assert [c["commit"] for c in space.log()] == [second, first]
    assert dict(space.at(first)) == ROWS
    assert space.at("main~1").get("a") == [1, 2, 3]
    with pytest.raises(errors.ImmutableError):
        space.at(first).set("a", [0, 0, 0])
    monkeypatch.setattr("vectorlink._sync.space.PAGE", 1)
    diff = space.diff(first)
    assert (diff["added"], diff["removed"], [c["key"] for c in diff["changed"]]) == (["d"], ["c"], ["a"])

    trial = space.branch("try", first)
    trial.set("a", [9, 9, 9])
    trial.set("t", [5, 5, 5])
    trial.commit()
    assert space.get("a") == [1, 2, 4]
    assert {b["branch"] for b in space.branches()} == {"main", "try"}
    merged = space.merge("try")
    assert [c["key"] for c in merged["conflicts"]] == ["a"]
    assert space.get("a") == [9, 9, 9]
    assert space.get("t") == [5, 5, 5]
    space.revert(first)
    assert dict(space) == ROWS


def test_snapshots_keep_the_shape(hub: Hub, name: str, tmp_path: Path) -> None:
    made = hub.create_space(name, 2, metric="cosine", normalize=True, fields={"n": "integer", "j": "json"}, m=8)
    never = made.download_snapshot(to=tmp_path / "empty.vlsnap")  # nothing was ever written to it
    assert never.count() == 0
    never.set("a", [1, 2])
    made.set("a", [1, 2], fields={"n": 1, "j": {"k": [1]}})
    file = tmp_path / "file.vlsnap"
    offline = made.download_snapshot(to=file)
    keep = ("dims", "metric", "normalize", "fields", "m")
    for fork in (
        never,
        offline,
        hub.fork_space(f"{name}-2", file),
        hub.fork_space(f"{name}-3", tmp_path / "empty.vlsnap"),
    ):
        assert {k: fork.info()[k] for k in keep} == {k: made.info()[k] for k in keep}  # type: ignore[literal-required]
        with pytest.raises(errors.InvalidError, match="n"):
            fork.set("b", [1, 2], fields={"n": "one"})
    assert offline.record("a")["fields"] == {"n": 1, "j": {"k": [1]}}


def test_what_is_said_of_commits(space: Space) -> None:
    space.set("d", [1, 1, 1])
    space.commit("one more é by hand", author="Ada")
    ada = space.saying("two", author="Ada")
    ada.multiset({"e": [1, 2, 1], "f": [1, 2, 2]})
    ada.delete("e")
    with space.transaction("all at once") as t:
        t.set("e", [2, 2, 2])
    log = space.log(3)
    assert [c.get("message") for c in log] == ["all at once", None, "two"]
    assert log[2]["author"] == "Ada" and "author" not in log[0]
    assert space.log(4)[3]["message"] == "one more é by hand"
    with pytest.raises(errors.InvalidError, match="4096"):
        space.saying("x" * 4097).delete_all()
    assert space.count() == 6


def test_transactions_are_one_commit(space: Space) -> None:
    before = len(space.log())
    with space.transaction() as t:
        t.set("x", [1, 1, 1], fields={"n": 1})
        t.delete("a")
    assert t.commit == space.log()[0]["commit"]
    assert len(space.log()) == before + 1
    assert dict(space) == {"b": ROWS["b"], "c": ROWS["c"], "x": [1, 1, 1]}


def test_frozen_spaces_refuse(space: Space) -> None:
    space.freeze()
    with pytest.raises(errors.FrozenError):
        space.set("a", [0, 0, 0])
    assert space.get("a") == [1, 2, 3]


def test_names_with_slashes_and_signs(hub: Hub, name: str) -> None:
    full = f"{name}/a b+c"
    space = hub.create_space(full, 1)
    space.set("x", [1])
    first = space.commit()
    space.set("x", [2])
    assert hub.get_space(f"{full}@{first}").get("x") == [1]
    assert full in {s["name"] for s in hub.list_spaces()}


async def test_the_asynchronous_half(async_hub: vectorlink.AsyncHub, name: str) -> None:
    space = await async_hub.create_space(name, 3)

    async def items() -> AsyncIterator[tuple[Key, list[float]]]:
        for item in ROWS.items():
            yield item

    assert await space.multiset(items())
    assert await space.multiget(["c", "a"]) == [ROWS["c"], ROWS["a"]]

    async def keys() -> AsyncIterator[Key]:
        yield "b"

    assert [v async for v in await space.multiget(keys())] == [ROWS["b"]]
    assert {k: v async for k, v in space} == ROWS
    async with space.transaction() as t:
        t.delete("a")
    assert await space.count() == 2
    local = await space.download_snapshot()
    assert await local.nearest_neighbors(1, key="b") == ["c"]


def test_a_part_of_the_items_as_arrays(space: Space) -> None:
    body = space._transport.bytes(
        "GET", space._path("items"), params={"after": '"a"', "limit": 1}, accept="application/x-npy"
    )
    keys, rows = unpack(body, 2)
    assert (keys.tolist(), rows.tolist()) == (["b"], [ROWS["b"]])
    with pytest.raises(errors.InvalidError, match="both kinds"):
        space.set(1, [0, 0, 0])
        space.to_numpy()
    pytest.importorskip("pyarrow")
    assert space.to_arrow()["key"].to_pylist() == ["1", "a", "b", "c"]
    space.delete_all()
    assert space.to_numpy()[1].shape == (0, 3)


def test_a_snapshot_into_a_space_keeps_what_is_newer(space: Space, hub: Hub, name: str, tmp_path: Path) -> None:
    file = tmp_path / "space.vlsnap"
    space.download_snapshot(file)
    other = hub.create_space(f"{name}-other", 3)
    other.set("a", [0, 0, 0])
    hub.fork_space(other.name, file)
    assert dict(other) == ROWS | {"a": [0, 0, 0]}
    broken = tmp_path / "broken.vlsnap"
    broken.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(errors.InvalidError):
        hub.fork_space(f"{name}-broken", broken)
    with pytest.raises(errors.NotFoundError):
        hub.get_space(f"{name}-broken")


def test_lines_end_where_the_server_ends_them(space: Space) -> None:
    odd = 'a\nb\r\u0085\u2028\u2029\x1c"c'
    space.set(odd, [1, 2, 3], text=odd)
    assert next(space.records([odd]))["text"] == odd
    assert {r["key"]: r.get("text") for r in space.all_records()} == {"a": None, "b": None, "c": None, odd: odd}


def test_a_download_that_fails_leaves_no_file(space: Space, hub: Hub, tmp_path: Path) -> None:
    hub.delete_space(space.name)
    with pytest.raises(errors.NotFoundError):
        space.download_snapshot(tmp_path / "space.vlsnap")
    with pytest.raises(errors.NotFoundError):
        space._save(tmp_path / "space.vlsnap")
    assert list(tmp_path.iterdir()) == []
