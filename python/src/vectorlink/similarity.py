"""Collections of documents with a vector and fields, searched by documents, vectors and expressions.

The functions are those of programs that keep their embeddings in Milvus: their names, arguments and answers, with
expressions in that dialect. A collection is a space, so that it has every version, under NAME@REF.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

from . import connect as _connect
from ._sync.hub import Hub
from ._sync.space import Space
from .errors import InvalidError, NotFoundError
from .vectors import Key, Vector, key_of

_hub: Hub | None = None


class DataType(Enum):
    """Is the type of a field."""

    BOOL = "bool"
    INT8 = INT16 = INT32 = INT64 = "integer"
    FLOAT = DOUBLE = "number"
    VARCHAR = "string"
    ARRAY = "list"
    JSON = "json"
    FLOAT_VECTOR = "vector"


@dataclass(frozen=True)
class FieldSchema:
    """Is a field of a collection: its name and type, of a vector its dim, and whether it is the key."""

    name: str
    dtype: DataType
    is_primary: bool = False
    dim: int = 0
    max_length: int = 0
    description: str = ""


def connect(url: str | None = None, *, user: str | None = None, password: str | None = None) -> Hub:
    """Connects the functions of this module to a server or a path, once: a second call returns the same hub.

    What is not given is that of VECTORLINK_SERVER, VECTORLINK_ADMIN_USER and VECTORLINK_ADMIN_SECRET.
    """
    global _hub
    if _hub is None:
        _hub = _connect(
            url or os.environ.get("VECTORLINK_SERVER", "http://127.0.0.1:8080"),
            user=user or os.environ.get("VECTORLINK_ADMIN_USER", "admin"),
            secret=password,
        )
    return _hub


def disconnect() -> None:
    """Closes the connection."""
    global _hub
    if _hub is not None:
        _hub.close()
        _hub = None


def _space(name: str) -> Space:
    at, _, ref = name.partition("@")
    hub = connect()
    return Space(hub, hub._transport, at, ref or None)


def create_collection(
    name: str, fields: Sequence[FieldSchema], indexes: Mapping[str, Mapping[str, Any] | None] | None = None
) -> None:
    """Makes a collection if it is not there. Fields need no index: an index of none, None, is taken and ignored.

    The field named id is the key, or that with is_primary. Of the vector's index the metric and HNSW's M and
    efConstruction count.
    """
    vectors = [f for f in fields if f.dtype is DataType.FLOAT_VECTOR]
    if len(vectors) != 1 or not vectors[0].dim:
        raise InvalidError("a collection has one vector field, with dim")
    index = dict((indexes or {}).get(vectors[0].name) or {})
    params = index.get("params") or {}
    types = {f.name: f.dtype.value for f in fields if f.dtype is not DataType.FLOAT_VECTOR}
    types = {n: t for n, t in types.items() if n != _key(fields)}
    connect().create_space(
        name,
        vectors[0].dim,
        metric={"IP": "ip", "L2": "l2", "COSINE": "cosine"}[str(index.get("metric_type", "COSINE")).upper()],
        fields=types,
        m=params.get("M"),
        ef_construction=params.get("efConstruction"),
    )


def _key(fields: Sequence[FieldSchema]) -> str:
    return next((f.name for f in fields if f.is_primary), "id")


def has_collection(name: str) -> bool:
    """Reports whether there is a collection of that name."""
    try:
        _space(name).info()
    except NotFoundError:
        return False
    return True


def drop_collection(name: str) -> None:
    """Removes a collection, if it is there."""
    if has_collection(name):
        connect().delete_space(name)


def index(
    name: str,
    documents: Iterable[Mapping[str, Any]],
    normalize: bool = False,
    upsert: bool = True,
    flush: bool = False,
    *,
    id: str = "id",  # noqa: A002
    vec: str = "vec",
) -> int:
    """Stores documents, each in the place of what has its id, and returns how many. All are stored, or none.

    What is stored can be searched at once, flush or not. With normalize vectors are stored at unit length.
    Without upsert an id that is there is a mistake.
    """
    space = _space(name)
    rows: dict[Key, dict[str, Any]] = {}
    for document in documents:
        vector = np.asarray(document[vec], dtype=np.float64)
        length = float(np.linalg.norm(vector))
        if normalize and length > 0:
            vector = vector / length
        fields = {k: v for k, v in document.items() if k not in (id, vec) and v is not None}
        key = key_of(document[id])
        rows[key] = {"key": key, "vector": vector.astype(np.float32), "fields": fields}
    if not upsert:
        taken = [r["key"] for r in space.records(list(rows), missing=True)]
        if taken:
            raise InvalidError(f"{len(taken)} ids are there already, {taken[0]!r} among them: index with upsert=True")
    space.multiset(rows.values())
    if flush:
        space.commit()
    return len(rows)


def get_documents(
    name: str,
    ids: Sequence[Key],
    output_fields: Sequence[str] | None = None,
    *,
    id: str = "id",  # noqa: A002
    vec: str = "vec",
) -> list[dict[str, Any]]:
    """Returns documents in the order of ids, those that are not there left out, with the fields that are named."""
    found = []
    for record in _space(name).records(list(ids), missing=True):
        whole = {id: record["key"], vec: record["vector"], **record.get("fields", {})}
        found.append({f: whole.get(f) for f in output_fields} if output_fields else whole)
    return found


def delete_documents(name: str, ids: Sequence[Key]) -> int:
    """Removes documents, and returns how many there were."""
    return _space(name).multidelete(ids)


def retrieve_similar(
    name: str,
    ids: Sequence[Key] | None = None,
    vector: Vector | None = None,
    filter_expr: str | None = None,
    fields: Sequence[str] | None = None,
    limit: int = 10,
    *,
    id: str = "id",  # noqa: A002
) -> list[dict[str, Any]]:
    """Returns the documents nearest to the mean of some, which are left out, or to a vector, the best first.

    Each has id, distance and the fields that are named. The distance is Milvus': the inner product or the cosine,
    the greatest first, or the squared Euclidean distance, the least first.
    """
    if (ids is None) == (vector is None):
        raise InvalidError("retrieve_similar takes ids or a vector")
    space = _space(name)
    metric = space.info()["metric"]
    hits = space.nearest(
        limit,
        keys=ids,
        vector=vector,
        filter=translate(filter_expr) if filter_expr else None,
        output_fields=list(fields) if fields else None,
    )
    return [
        {id: h["key"], "distance": _distance(metric, h["distance"])}
        | {f: h.get("fields", {}).get(f) for f in fields or ()}
        for h in hits
    ]


def _distance(metric: str, distance: float) -> float:
    return {"ip": 1 - distance, "cosine": 1 - 2 * distance}.get(metric, distance)


_TOKEN = re.compile(
    r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|(?P<word>[A-Za-z_$][\w$]*)"""
    r"""|(?P<number>\d[\w.]*)|(?P<sign>==|!=|<=|>=|&&|\|\||.))""",
    re.DOTALL,
)
_WORDS = {"and", "or", "not", "in", "is", "null", "like", "exists", "true", "false"}
_MEMBERS = {"array_contains", "json_contains"}


def _tokens(expression: str) -> list[str]:
    out, at = [], 0
    expression = expression.strip()
    while at < len(expression):
        match = _TOKEN.match(expression, at)
        if match is None:
            break
        token = match[0].strip()
        out.append(token.lower() if match["word"] and token.lower() in _WORDS | _MEMBERS else token)
        at = match.end()
    return out


def translate(expression: str) -> str:
    """Returns an expression of Milvus' dialect as a filter of vectorlink.

    Words may have any case; like takes % at either end; is null, exists, and array_contains are known. What has no
    counterpart is sent as it is, and refused by the server, which says where.
    """
    left = _tokens(expression)
    out: list[str] = []
    while left:
        word = left.pop(0)
        if left[:1] == ["is"]:
            negated = left[1:2] == ["not"]
            if left[1 + negated : 2 + negated] == ["null"]:
                del left[: 2 + negated]
                out += [word, "!=" if negated else "==", "nil"]
                continue
        if word == "exists" and left:
            out += [left.pop(0), "!=", "nil"]
        elif word == "like" and left:
            out += _like(left.pop(0))
        elif word in _MEMBERS and left[:1] == ["("] and left[2:3] == [","] and left[4:5] == [")"]:
            out += ["(", left[3], "in", left[1], ")"]
            del left[:5]
        else:
            out.append(word)
    return " ".join(out)


def _like(pattern: str) -> list[str]:
    quote, inner = pattern[0], pattern[1:-1]
    first, last = inner.startswith("%"), len(inner) > 1 and inner.endswith("%")
    text = inner[first : len(inner) - last]
    if "%" in text or "_" in text or quote not in "\"'":
        raise InvalidError("like takes a text with % at its beginning or end")
    operator = {(False, False): "==", (True, False): "endsWith", (False, True): "startsWith"}.get((first, last))
    return [operator or "contains", quote + text + quote]
