"""The HTTP edge: from bytes on a connection to a handler's typed request, and back.

It owns the connection (`protocol`, `serve`), the one path every request takes (`app`), what a capability declares
(`endpoint.Route`) and what it answers (`reply.Reply`), the table from error code to status (`problem`) and the queue
in front of expensive work (`admission`). Invariant: nothing of a request is believed before the door checked it, and
no text of an exception that we did not write ourselves reaches the peer or the log.
"""

from watchword.server.http.endpoint import Request, Route
from watchword.server.http.reply import Reply

__all__ = ["Reply", "Request", "Route"]
