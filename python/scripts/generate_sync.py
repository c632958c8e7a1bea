"""Writes the package's synchronous half from its asynchronous one; with --check, tells whether it is as written."""

import subprocess
import sys
import tempfile
from pathlib import Path

import unasync

PACKAGE = Path(__file__).parent.parent / "src" / "vectorlink"
NAMES = {
    "AsyncClient": "Client",
    "AsyncHTTPTransport": "HTTPTransport",
    "AsyncIterator": "Iterator",
    "AsyncIterable": "Iterable",
    "AsyncHub": "Hub",
    "AsyncSpace": "Space",
    "AsyncTransaction": "Transaction",
    "AsyncDatabase": "Database",
    "AsyncTransport": "Transport",
    "aclose": "close",
    "aread": "read",
    "aiter_lines": "iter_lines",
    "aiter_bytes": "iter_bytes",
    "asynchronous": "synchronous",
    "each_async": "each",
    "sleep_async": "sleep",
    "connect_async": "connect",
}


def write(to: Path) -> None:
    """Writes the generated modules below to."""
    source = PACKAGE / "_async"
    rule = unasync.Rule(fromdir=f"{source}/", todir=f"{to}/", additional_replacements=NAMES)
    unasync.unasync_files([str(p) for p in sorted(source.glob("*.py"))], [rule])
    config = PACKAGE.parent.parent / "pyproject.toml"
    for command in (["check", "--fix", "--exit-zero", "--select", "I,F401"], ["format"]):
        subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--config", str(config), "--quiet", str(to)], check=True
        )


def main() -> int:
    committed = PACKAGE / "_sync"
    if "--check" not in sys.argv:
        write(committed)
        return 0
    with tempfile.TemporaryDirectory() as directory:
        write(Path(directory))
        stale = [
            p.name
            for p in Path(directory).glob("*.py")
            if not (committed / p.name).exists() or p.read_text() != (committed / p.name).read_text()
        ]
    if stale:
        print(f"run python scripts/generate_sync.py: {', '.join(stale)} of _sync is not what _async says")
    return len(stale)


if __name__ == "__main__":
    sys.exit(main())
