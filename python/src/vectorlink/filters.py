"""Filter expressions, made of what other libraries have in their place."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_NAME = re.compile(r"[A-Za-z_]\w*\Z")
_TAKEN = {"and", "or", "not", "in", "nil", "true", "false", "contains", "startsWith", "endsWith", "matches", "let"}


def name(field: str) -> str:
    """Returns a field's name as an expression has it, whatever is in it."""
    return field if _NAME.match(field) and field not in _TAKEN else f"$env[{json.dumps(field)}]"


def value(of: Any) -> str:
    """Returns a value as an expression has it."""
    return json.dumps(of, ensure_ascii=False)


def equal(fields: Mapping[str, Any]) -> str:
    """Returns the expression that admits what has all these values."""
    return " and ".join(f"{name(f)} == {value(v)}" for f, v in fields.items())


def split(metadata: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns what can be filtered by, texts, numbers, booleans and lists of them, and what else there is."""
    plain: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    for field, of in metadata.items():
        if of and isinstance(of, list):
            fits = all(isinstance(v, str | int | float) for v in of)
        else:
            fits = isinstance(of, str | int | float)
        (plain if fits else rest)[field] = of
    return plain, rest
