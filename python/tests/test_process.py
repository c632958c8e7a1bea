"""A path starts a vectorlink of one's own, which ends with its hub."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import time
from pathlib import Path

import httpx
import pytest

import vectorlink
from vectorlink import Hub


def test_a_path_is_served_and_what_it_holds_stays(tmp_path: Path) -> None:
    with vectorlink.connect(tmp_path / "data") as hub:
        assert hub.ready()
        hub.database("me/notes").push("c1", [{"id": "a", "string": "a text"}])
        url = hub.url
        assert httpx.get(f"{url}/domains").status_code == 401  # nobody else is let in
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/health/live")
    with vectorlink.connect(tmp_path / "data") as hub:
        assert hub.database("me/notes").head() == "c1"


def test_an_interpreter_that_ends_takes_its_server_along(tmp_path: Path) -> None:
    script = f"""
        import vectorlink
        hub = vectorlink.connect({str(tmp_path / "data")!r})
        print(hub.url)
        raise SystemExit(3)
    """
    ran = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False)
    assert ran.returncode == 3, ran.stderr
    with pytest.raises(httpx.ConnectError):
        httpx.get(ran.stdout.strip() + "/health/live")


def test_an_interpreter_that_is_killed_takes_its_server_along(tmp_path: Path) -> None:
    script = f"""
        import time, vectorlink
        hub = vectorlink.connect({str(tmp_path / "data")!r})
        hub.create_space("s", 2).set("a", [1, 2])
        print(hub.url, flush=True)
        time.sleep(600)
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        url = child.stdout.readline().strip()
        assert httpx.get(url + "/health/live").status_code == 200
        child.kill()
    for _ in range(600):
        try:
            httpx.get(url + "/health/live")
        except httpx.TransportError:
            break
        time.sleep(0.05)
    else:
        pytest.fail("the server goes on")
    with vectorlink.connect(tmp_path / "data") as hub:  # nobody holds the directory
        assert hub.get_space("s").get("a") == [1, 2]


def test_a_start_that_fails_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "broken.vlsnap"
    file.write_bytes(b"no snapshot")
    with pytest.raises(vectorlink.ServerError, match="did not start"):
        vectorlink.connect(file)
    monkeypatch.setenv("VECTORLINK_BINARY", str(tmp_path / "absent"))
    with pytest.raises(vectorlink.ServerError, match="cannot be started"):
        vectorlink.connect(tmp_path)


def test_embeddings(hub: Hub) -> None:
    cat, kitten, stocks = hub.embed(["a cat", "a kitten", "stock prices"])
    assert sum(x * y for x, y in zip(cat, kitten, strict=True)) > sum(x * y for x, y in zip(cat, stocks, strict=True))
