"""Starting a vectorlink of one's own: the binary as a child process on a private port of loopback."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import threading
import weakref
from collections import deque
from pathlib import Path

from .errors import ServerError

START_SECONDS = 60.0
STOP_SECONDS = 15.0


def binary() -> str:
    """Returns the vectorlink to start: VECTORLINK_BINARY, else that of the vectorlink-server package or PATH."""
    named = os.environ.get("VECTORLINK_BINARY")
    if named:
        return named
    try:
        from vectorlink_server import binary as installed

        return str(installed())
    except ImportError:
        pass
    found = shutil.which("vectorlink")
    if found is None:
        raise ServerError(
            "there is no vectorlink to start: install vectorlink[server], put the binary on PATH, "
            "or name it in VECTORLINK_BINARY"
        )
    return found


class Process:
    """Is a vectorlink that was started here, and ends with the interpreter at the latest."""

    def __init__(self, command: str, *arguments: str) -> None:
        """Starts `vectorlink COMMAND ARGUMENTS` and waits until it listens. Only who has its secret is let in."""
        self.secret = secrets.token_urlsafe(24)
        environment = {k: v for k, v in os.environ.items() if k != "VECTORLINK_BINARY"}
        environment |= {"VECTORLINK_LISTEN": "127.0.0.1:0", "VECTORLINK_ADMIN_SECRET": self.secret}
        try:
            child = subprocess.Popen(
                [binary(), command, "--until-eof", *arguments],
                env=environment,
                # It is never written to: it ends when this process does, however that is killed.
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
        except OSError as e:
            raise ServerError(f"vectorlink cannot be started: {e}") from e
        self._child = child
        self._said: deque[str] = deque(maxlen=20)
        self._url: str | None = None
        self._settled = threading.Event()
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()
        self._finalizer = weakref.finalize(self, _end, child)
        if not self._settled.wait(START_SECONDS) or self._url is None:
            self.stop()
            raise ServerError("vectorlink did not start:\n" + "".join(self._said))
        self.url: str = self._url

    def _listen(self) -> None:
        stderr = self._child.stderr
        if stderr is None:
            return
        with stderr:
            for raw in stderr:
                text = raw.decode(errors="replace")
                self._said.append(text)
                if self._url is None and '"listening"' in text:
                    try:
                        self._url = "http://" + str(json.loads(text)["addr"])
                    except (ValueError, KeyError):
                        continue
                    self._settled.set()
        self._settled.set()

    def stop(self) -> None:
        """Ends the process, and waits until what it holds is durable."""
        self._finalizer()
        self._reader.join(STOP_SECONDS)
        if self._child.stdin is not None:
            self._child.stdin.close()


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def is_url(target: str | os.PathLike[str]) -> bool:
    """Reports whether target names a server and not a directory."""
    return isinstance(target, str) and target.startswith(("http://", "https://"))


def serve(directory: str | os.PathLike[str]) -> Process:
    """Starts a server of the data directory."""
    return Process("serve", "--data-dir", str(Path(directory)))
