"""Requests and answers: the one module that knows httpx."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from ..errors import ServerError, from_answer

CHUNK = 1 << 20


def _pairs(params: Mapping[str, Any] | None) -> list[tuple[str, str | int | float | bool | None]]:
    """Returns the parameters that have a value, lists as repeated ones and booleans as the server writes them."""
    out: list[tuple[str, str | int | float | bool | None]] = []
    for name, value in (params or {}).items():
        for one in value if isinstance(value, list | tuple) else [value]:
            if one is not None:
                out.append((name, ("true" if one else "false") if isinstance(one, bool) else one))
    return out


class AsyncTransport:
    """Makes requests to one server, and raises what it refuses as the class of the error's code."""

    def __init__(self, url: str, *, user: str, secret: str | None, timeout: float) -> None:
        self.url = url.rstrip("/")
        self._http = httpx.AsyncClient(
            base_url=self.url,
            auth=httpx.BasicAuth(user, secret) if secret else None,
            timeout=httpx.Timeout(timeout, connect=10),
            transport=httpx.AsyncHTTPTransport(retries=2),
            trust_env=False,
        )

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    @contextlib.asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        body: Any = None,
        content: bytes | AsyncIterable[bytes] | None = None,
        kind: str | None = None,
        accept: str | None = None,
    ) -> AsyncIterator[httpx.Response]:
        """Yields the answer while it comes: body is sent as JSON, content as it is, under the media type kind."""
        headers = {k: v for k, v in (("Content-Type", kind), ("Accept", accept)) if v}
        if body is not None:
            content, headers["Content-Type"] = json.dumps(body, allow_nan=False).encode(), "application/json"
        request = self._http.build_request(method, path, params=_pairs(params), content=content, headers=headers)
        try:
            answer = await self._http.send(request, stream=True)
            try:
                if answer.status_code >= 400:
                    raise from_answer(answer.status_code, await answer.aread())
                yield answer
            finally:
                await answer.aclose()
        except httpx.TimeoutException as e:
            raise ServerError(f"{method} {path}: no answer in time") from e
        except httpx.HTTPError as e:
            raise ServerError(f"{method} {path}: {e}") from e

    async def bytes(self, method: str, path: str, **how: Any) -> bytes:
        """Returns the answer's body."""
        async with self.stream(method, path, **how) as answer:
            return await answer.aread()

    async def json(self, method: str, path: str, **how: Any) -> Any:
        """Returns the answer's JSON, or None where it is empty."""
        raw = await self.bytes(method, path, **how)
        return json.loads(raw) if raw else None

    async def lines(self, method: str, path: str, **how: Any) -> AsyncIterator[Any]:
        """Yields the objects of an answer that is lines, while they come."""
        async with self.stream(method, path, accept="application/x-ndjson", **how) as answer:
            rest = b""
            async for chunk in answer.aiter_bytes():
                *whole, rest = (rest + chunk).split(b"\n")
                for line in whole:
                    if line:
                        yield json.loads(line)
            if rest:
                yield json.loads(rest)

    async def save(self, to: Path, path: str, *, params: Mapping[str, Any] | None = None) -> None:
        """Writes the body of an answer to a file, which is there whole or not at all."""
        part = to.with_name(to.name + ".part")
        try:
            with part.open("wb") as file:
                async with self.stream("GET", path, params=params) as answer:
                    async for chunk in answer.aiter_bytes(CHUNK):
                        file.write(chunk)
            part.replace(to)
        finally:
            part.unlink(missing_ok=True)

    async def send(self, file: Path, path: str, *, params: Mapping[str, Any] | None = None, kind: str) -> Any:
        """Sends a file as the body of a POST, and returns the answer's JSON."""

        async def chunks() -> AsyncIterator[bytes]:
            with file.open("rb") as stream:
                while chunk := stream.read(CHUNK):
                    yield chunk

        return await self.json("POST", path, params=params, content=chunks(), kind=kind)
