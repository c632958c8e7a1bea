"""Errors are classes by their codes, and all that the server has are known."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import vectorlink
from vectorlink import Hub, errors

CONTRACT = Path(__file__).parents[2] / "api" / "openapi.yaml"


def test_every_code_of_the_contract_has_a_class() -> None:
    text = CONTRACT.read_text()
    block = re.search(r"description: Kind of the error, for programs\.\s+enum:\n((?:\s+- \w+\n)+)", text)
    assert block
    codes = re.findall(r"- (\w+)", block[1])
    assert len(codes) > 30
    assert [c for c in codes if c not in errors.BY_CODE] == []


def test_what_the_server_refuses_is_raised(hub: Hub) -> None:
    with pytest.raises(errors.NotFoundError, match="nothing is indexed") as caught:
        hub.database("no/body").at("c1").search("x")
    assert (caught.value.status, caught.value.code) == (404, "not_found")
    with pytest.raises(errors.InvalidError, match="countt"):
        hub.database("no/body").at("c1").search("x", countt=1)


def test_the_wrong_secret_and_no_server(hub: Hub) -> None:
    with vectorlink.connect(hub.url, secret="wrong") as other, pytest.raises(errors.UnauthorizedError):  # noqa: S106
        other.list_databases()
    with vectorlink.connect("http://127.0.0.1:1") as nobody, pytest.raises(vectorlink.ServerError):
        nobody.ready()


@pytest.mark.parametrize("body", [b"", b"<html>bad gateway</html>", b"[]", b'{"error":"x"}', b"\xff"])
def test_what_is_no_answer_of_the_server_is_an_error_all_the_same(body: bytes) -> None:
    error = errors.from_answer(502, body)
    assert type(error) is errors.AnswerError
    assert error.status == 502
    assert str(error)


def test_a_code_from_the_future_is_an_answer_error() -> None:
    error = errors.from_answer(418, b'{"error":"new","code":"teapot"}')
    assert (type(error), error.code, str(error)) == (errors.AnswerError, "teapot", "new")


def test_a_missing_key_is_a_key_error() -> None:
    error = errors.from_answer(404, b'{"error":"no key a","code":"key_not_found"}')
    assert isinstance(error, KeyError)
    assert str(error) == "no key a"
