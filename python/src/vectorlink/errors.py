"""The errors of the package: one class for each code of an answer, below the classes that callers tell apart."""

from __future__ import annotations

import json


class VectorlinkError(Exception):
    """Is what every error of this package is."""


class ServerError(VectorlinkError):
    """Is raised where a server cannot be started, reached, or understood."""


class AnswerError(VectorlinkError):
    """Is an answer that says no: its status, its code, and the line at fault of what was sent."""

    codes: tuple[str, ...] = ()

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        code: str = "",
        line: int | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.line = line
        self.request_id = request_id

    def __str__(self) -> str:
        return self.message


class InvalidError(AnswerError, ValueError):
    """Is a request that can never succeed as it is."""

    codes: tuple[str, ...] = (
        "missing_parameter",
        "bad_parameter",
        "unknown_parameter",
        "bad_header",
        "bad_request",
        "invalid_request",
        "wrong_type",
        "method_not_allowed",
        "unsupported_media_type",
        "push_aborted",
    )


class TooLargeError(InvalidError):
    """Is a request with more than the server takes."""

    codes: tuple[str, ...] = ("too_large",)


class NotConfiguredError(AnswerError):
    """Is a request for what the server has no setting of."""

    codes: tuple[str, ...] = ("not_configured",)


class UnauthorizedError(AnswerError):
    """Is a request without the right secret."""

    codes: tuple[str, ...] = ("unauthorized",)


class ForbiddenError(AnswerError):
    """Is a request that the key may not make, or that the server takes from nobody or not from there."""

    codes: tuple[str, ...] = ("forbidden", "cross_site")


class ReadOnlyError(ForbiddenError):
    """Is a write to a server that only reads."""

    codes: tuple[str, ...] = ("read_only",)


class NotFoundError(AnswerError, LookupError):
    """Is a request for a space, database, commit, branch or path that is not there."""

    codes: tuple[str, ...] = ("not_found", "no_such_path")


class KeyNotFoundError(NotFoundError, KeyError):
    """Is a key that the space does not have."""

    codes: tuple[str, ...] = ("key_not_found",)


class PrunedError(NotFoundError):
    """Is a commit that was there and was pruned."""

    codes: tuple[str, ...] = ("pruned",)


class ConflictError(AnswerError):
    """Is a request that what is there contradicts: another setting, another commit under the name."""

    codes: tuple[str, ...] = ("conflict",)


class FrozenError(ConflictError):
    """Is a write to a space that is frozen."""

    codes: tuple[str, ...] = ("frozen",)


class ImmutableError(ConflictError):
    """Is a write to a commit: branch from it, and write there."""

    codes: tuple[str, ...] = ("immutable",)


class UnavailableError(AnswerError):
    """Is a request that may succeed later as it is."""

    codes: tuple[str, ...] = ("not_ready", "busy", "shutting_down", "rate_limited", "timeout", "body_too_slow")


class ProviderError(AnswerError):
    """Is a failure of the embedding provider, of the key or of a text."""

    codes: tuple[str, ...] = ("provider_failed",)


class ProviderDownError(ProviderError, UnavailableError):
    """Is an embedding provider that cannot be reached now."""

    codes: tuple[str, ...] = ("provider_down",)


class SourceError(AnswerError):
    """Is a failure of the document database that commits are pulled from."""

    codes: tuple[str, ...] = ("source_failed", "source_denied")


class DamagedError(AnswerError):
    """Is a failure of the server itself: a damaged file, its disk, or a fault."""

    codes: tuple[str, ...] = ("damaged", "store_failed", "internal")


def _classes(of: type[AnswerError]) -> dict[str, type[AnswerError]]:
    table = dict.fromkeys(of.__dict__.get("codes", ()), of)
    for child in of.__subclasses__():
        table.update(_classes(child))
    return table


BY_CODE: dict[str, type[AnswerError]] = _classes(AnswerError)
"""Holds the class of each code that a server answers with."""


def from_answer(status: int, raw: bytes) -> AnswerError:
    """Returns the error that an answer with this status and body is."""
    try:
        body = json.loads(raw)
        code = str(body["code"])
    except (ValueError, KeyError, TypeError):
        text = raw[:500].decode(errors="replace").strip()
        return AnswerError(text or f"the server answered {status}", status=status)
    return BY_CODE.get(code, AnswerError)(
        str(body.get("error", code)),
        status=status,
        code=code,
        line=body.get("line"),
        request_id=body.get("request_id"),
    )
