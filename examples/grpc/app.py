"""A gRPC server that knows who is calling. See the README beside it; `client.py` calls it.

`notes_pb2` and `notes_pb2_grpc` are made of `notes.proto` when the example runs.
"""

import os
from concurrent.futures import ThreadPoolExecutor

import grpc
import notes_pb2 as messages
from notes_pb2_grpc import NotesServicer, add_NotesServicer_to_server

from watchword.middleware import current_identity, require
from watchword.middleware.grpc import WatchwordInterceptor

AUDIENCE = os.environ.get("APP_ORIGIN", "http://localhost:8000")


class Notes(NotesServicer):
    def Hello(self, request: messages.HelloRequest, context: grpc.ServicerContext) -> messages.HelloReply:
        """For every account."""
        caller = current_identity()
        return messages.HelloReply(hello=caller.username, account=caller.account, level=caller.level)

    @require(level=2)
    def Moderation(
        self, request: messages.ModerationRequest, context: grpc.ServicerContext
    ) -> messages.ModerationReply:
        """For accounts of level 2 and above."""
        return messages.ModerationReply(moderator=current_identity().username)

    def Health(self, request: messages.HealthRequest, context: grpc.ServicerContext) -> messages.HealthReply:
        """For everybody: the one method that was declared public."""
        return messages.HealthReply(ok=True)


def main() -> None:
    guard = WatchwordInterceptor(
        issuer=os.environ.get("WATCHWORD_ORIGIN", "https://localhost:8443"),
        audience=AUDIENCE,
        bearer_ok=True,  # tokens that are bound to no key: whoever copies one has it until it ends
        public=["/notes.v1.Notes/Health"],
    )
    server = grpc.server(ThreadPoolExecutor(), interceptors=[guard])
    add_NotesServicer_to_server(Notes(), server)
    address = AUDIENCE.removeprefix("http://")
    server.add_insecure_port(address)  # on this machine; elsewhere add_secure_port
    server.start()
    print(f"listening on {address}", flush=True)
    try:
        server.wait_for_termination()
    except KeyboardInterrupt:
        server.stop(grace=1).wait()


if __name__ == "__main__":
    main()
