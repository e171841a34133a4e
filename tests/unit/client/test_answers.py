"""Why nobody answered, in words that help; through the wrappings of the libraries below."""

import socket
import ssl

import httpx
import pytest

from watchword.client.answers import error_of, retry_after_of, unreachable
from watchword.errors import NotTrustedError, UnavailableError, UnreachableError, WatchwordError

PLACE = "https://id.example"


def wrapped(cause: BaseException, outer: BaseException) -> BaseException:
    outer.__cause__ = cause
    return outer


def certificate(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code = code
    return error


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (socket.gaierror(-2, "Name or service not known"), "does not resolve"),
        (ConnectionRefusedError(111, "refused"), "nothing listens there"),
        (ExceptionGroup("attempts", [ConnectionRefusedError(111, "refused")]), "nothing listens there"),
        (OSError("network is down"), "no server answers"),
    ],
)
def test_a_connection_that_was_not_made_is_explained(cause: Exception, words: str):
    error = unreachable(wrapped(cause, httpx.ConnectError("x")), PLACE)
    assert isinstance(error, UnreachableError)
    assert words in error.detail
    assert PLACE in error.detail


@pytest.mark.parametrize(
    ("code", "words"),
    [(10, "clocks"), (9, "clocks"), (62, "another name"), (64, "another name"), (20, "ca.pem")],
)
def test_a_certificate_that_is_not_trusted_is_explained(code: int, words: str):
    error = unreachable(wrapped(certificate(code), httpx.ConnectError("x")), PLACE)
    assert isinstance(error, NotTrustedError)
    assert words in error.detail


def test_an_apps_certificate_is_told_apart_from_the_servers():
    error = unreachable(wrapped(certificate(20), httpx.ConnectError("x")), PLACE, is_app=True)
    assert "app_ca_file" in error.detail
    assert "pinned" not in error.detail


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (httpx.ConnectTimeout("x"), "firewall"),
        (httpx.ReadTimeout("x"), "no answer in time"),
        (httpx.RemoteProtocolError("x"), "closed before the answer"),
    ],
)
def test_a_connection_that_ended_is_explained(error: Exception, words: str):
    assert words in unreachable(error, PLACE).detail


@pytest.mark.parametrize(
    ("text", "seconds"), [("", 0), ("0", 0), ("7", 7), ("-1", 3600), ("1e3", 3600), ("9" * 10, 3600)]
)
def test_what_an_answer_asks_to_wait_is_read_strictly(text: str, seconds: float):
    assert retry_after_of(httpx.Headers({"retry-after": text})) == seconds


@pytest.mark.parametrize("body", [b"", b"[]", b'"x"', b'{"code": 1}', b'{"code": "new"}', b"{", b"\xff"])
def test_what_is_no_problem_document_of_ours_is_named_by_its_status(body: bytes):
    error = error_of(500, body)
    assert isinstance(error, UnavailableError)
    assert error.request_id is None


def test_a_request_id_is_taken_only_in_the_form_of_one():
    good = error_of(404, b'{"code":"not_found","request_id":"req_01"}')
    bad = error_of(404, b'{"code":"not_found","request_id":"x\\ny"}')
    assert isinstance(good, WatchwordError)
    assert (good.request_id, bad.request_id) == ("req_01", None)
