"""From a request that passed the door to its handler's reply: the body, its decoding, and a turn for what is costly."""

from collections.abc import Mapping
from typing import Any

from watchword.server.http.admission import Admission
from watchword.server.http.endpoint import Request, Route
from watchword.server.http.reply import Reply
from watchword.server.http.wire import Receive, read_body


async def handle(
    route: Route,
    request: Request,
    *,
    identity: Any,
    query: Mapping[str, str],
    receive: Receive,
    admission: Admission,
) -> Reply:
    """Raises what the handler raises; `MalformedError`, `TooLargeError` for a body; `OverloadedError`."""
    if not route.costly:
        body = route.decode(await read_body(receive, route.max_body)) if route.reads_body else None
        return await route.handler(_complete(request, identity, query, body))
    admission.check()
    # The body first, the place in the queue after it: a slow sender must not hold one.
    data = await read_body(receive, route.max_body) if route.reads_body else b""
    return await admission.run(_decode_and_handle(route, request, identity, query, data))


async def _decode_and_handle(
    route: Route, request: Request, identity: Any, query: Mapping[str, str], data: bytes
) -> Reply:
    return await route.handler(_complete(request, identity, query, route.decode(data)))


def _complete(request: Request, identity: Any, query: Mapping[str, str], body: Any) -> Request:
    return Request(
        context=request.context,
        headers=request.headers,
        authorization=request.authorization,
        path_parameters=request.path_parameters,
        body=body,
        identity=identity,
        query=query,
    )
