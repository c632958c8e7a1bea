"""Vectors and keys as they travel: .npy, safetensors and JSON."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Key: TypeAlias = str | int
"""Is a key of a space: a string or an integer of 64 bits, of which 1 and "1" are two."""

Vector: TypeAlias = Sequence[float] | npt.NDArray[Any]
"""Is what is taken as a vector: numbers in a row."""

Floats: TypeAlias = npt.NDArray[np.float32]
"""Is an array as vectors come back: float32, to the bit as they were set."""

MANY = 100
"""Is the number of vectors above which they travel as .npy and not as JSON."""


def key_of(key: Any) -> Key:
    """Returns key as it is sent. Raises TypeError where it is neither a string nor an integer."""
    if isinstance(key, str):
        return str(key)
    if isinstance(key, int | np.integer) and not isinstance(key, bool):
        return int(key)
    raise TypeError(f"a key is a string or an integer, not {type(key).__name__}")


def row(vector: Vector) -> list[float]:
    """Returns a vector as JSON has it. Raises ValueError where it is not a row of finite numbers."""
    array = np.asarray(vector, dtype=np.float32)
    if array.ndim != 1:
        raise ValueError(f"a vector has one dimension, not {array.ndim}")
    if not np.isfinite(array).all():
        raise ValueError("a vector has NaN or Inf")
    values: list[float] = array.tolist()
    return values


def pack(keys: Sequence[Key] | npt.NDArray[Any], vectors: npt.ArrayLike) -> bytes:
    """Returns keys and vectors as two .npy arrays, one after the other."""
    names = np.asarray(keys)
    rows = np.ascontiguousarray(vectors, dtype="<f4")
    if names.ndim != 1 or names.dtype.kind not in "iuU":
        raise TypeError("keys are all strings or all integers")
    if rows.ndim != 2 or len(rows) != len(names):
        raise ValueError(f"{len(names)} keys and vectors of shape {rows.shape}")
    out = io.BytesIO()
    np.lib.format.write_array(out, names if names.dtype.kind == "U" else names.astype("<i8"), allow_pickle=False)
    np.lib.format.write_array(out, rows, allow_pickle=False)
    return out.getvalue()


def unpack(body: bytes, arrays: int) -> list[npt.NDArray[Any]]:
    """Returns so many .npy arrays of a body, one after the other."""
    stream = io.BytesIO(body)
    return [np.lib.format.read_array(stream, allow_pickle=False) for _ in range(arrays)]


def safetensors(body: bytes) -> tuple[dict[str, str], Floats]:
    """Returns the metadata of a safetensors file and its tensor named embeddings."""
    size = int.from_bytes(body[:8], "little")
    header: dict[str, Any] = json.loads(body[8 : 8 + size])
    tensor = header["embeddings"]
    begin, end = (8 + size + n for n in tensor["data_offsets"])
    rows = np.frombuffer(body[begin:end], dtype="<f4").reshape(tensor["shape"])
    return header.get("__metadata__", {}), rows


def uniform(keys: Iterable[Key]) -> bool:
    """Reports whether keys are all of one kind, and can stand in one array unharmed."""
    kinds = {type(k) for k in keys}
    return len(kinds) == 1


def lines(objects: Iterable[Any]) -> bytes:
    """Returns objects as JSON, one a line."""
    return b"".join(line(o) for o in objects)


def line(value: Any) -> bytes:
    """Returns one line of JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode() + b"\n"
