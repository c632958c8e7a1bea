"""The snippets of docs/python.md, one after another."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

DOC = Path(__file__).parents[2] / "docs" / "python.md"


def test_the_snippets_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("langchain_core")
    pytest.importorskip("pandas")
    monkeypatch.chdir(tmp_path)
    text = DOC.read_text()
    names: dict[str, Any] = {}
    found = list(re.finditer(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE))
    assert len(found) > 8
    for snippet in found:
        above = "\n" * text.count("\n", 0, snippet.start(1))
        exec(compile(above + snippet[1], str(DOC), "exec"), names)  # noqa: S102
