"""Tables of what was exported, by pyarrow and pandas, which are asked for when they are used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa


def arrow(
    name: str,
    keys: Sequence[Any],
    vectors: Any,
    fields: Sequence[dict[str, Any]],
    texts: Sequence[str | None],
) -> pa.Table:
    """Returns a table of a row for each key. Fields of names that are taken stand as field_NAME."""
    import pyarrow as pa

    matrix = np.ascontiguousarray(vectors, dtype=np.float32).reshape(len(keys), -1)
    dims = max(matrix.shape[1], 1)
    mixed = len({type(k) for k in keys}) > 1
    columns: dict[str, Any] = {
        name: pa.array([str(k) for k in keys] if mixed else list(keys)),
        "text": pa.array(list(texts), pa.string()),
        "vector": pa.FixedSizeListArray.from_arrays(pa.array(matrix.ravel(), pa.float32()), dims),
    }
    for field in sorted({f for have in fields for f in have}):
        values = [have.get(field) for have in fields]
        try:
            column = pa.array(values)
        except (pa.ArrowInvalid, pa.ArrowTypeError):  # kinds that no column holds together
            column = pa.array([None if v is None else str(v) for v in values])
        columns[f"field_{field}" if field in columns else field] = column
    return pa.table(columns)


def pandas(table: pa.Table, name: str) -> pd.DataFrame:
    """Returns the table as a frame, with the named column as its index."""
    frame: pd.DataFrame = table.to_pandas().set_index(name)
    return frame
