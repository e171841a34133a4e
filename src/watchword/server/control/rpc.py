"""Lines of JSON-RPC 2.0. Every line is ASCII JSON with a newline at its end, and bounded."""

import json
from dataclasses import dataclass
from typing import Any, Final

from watchword.core.encoding import decode_json
from watchword.errors import MalformedError, WatchwordError
from watchword.server.control.errors import describe

MAX_REQUEST: Final = 1 << 16
"""Bytes of a line from a client: names and numbers."""
MAX_ANSWER: Final = 1 << 22
"""Bytes of a line from the server: the fullest page of accounts is a quarter of it."""
_VERSION: Final = "2.0"
_MEMBERS: Final = {"jsonrpc", "id", "method", "params"}
_MAX_METHOD: Final = 100

RequestId = int | str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    id: RequestId
    method: str
    params: dict[str, Any]


def parse_request(line: bytes) -> Request:
    """A request with an id: notifications and batches have no use here. Raises `MalformedError`, `TooLargeError`."""
    members = decode_json(line, max_size=MAX_REQUEST)
    if not isinstance(members, dict) or not members.keys() <= _MEMBERS or members.get("jsonrpc") != _VERSION:
        raise MalformedError("not a request of JSON-RPC 2.0")
    identity, method, params = members.get("id"), members.get("method"), members.get("params", {})
    if not isinstance(identity, int | str) or isinstance(identity, bool):
        raise MalformedError("a request has an id, a number or text")
    if not isinstance(method, str) or len(method) > _MAX_METHOD or not isinstance(params, dict):
        raise MalformedError("a request has a method, and an object of params")
    return Request(id=identity, method=method, params=params)


def encode_request(request: Request) -> bytes:
    return _line({"id": request.id, "method": request.method, "params": request.params})


def encode_result(identity: RequestId, result: Any) -> bytes:
    return _line({"id": identity, "result": result})


def encode_error(identity: RequestId, error: WatchwordError, request: str = "") -> bytes:
    return _line({"id": identity, "error": describe(error, request)})


def encode_notification(method: str, params: dict[str, Any]) -> bytes:
    return _line({"method": method, "params": params})


def _line(members: dict[str, Any]) -> bytes:
    return json.dumps({"jsonrpc": _VERSION, **members}, separators=(",", ":")).encode() + b"\n"
