"""Calls the server of this example: `client.py Hello`, with the token from the variable TOKEN, if there is one."""

import os
import sys

import grpc
import notes_pb2 as messages
from notes_pb2_grpc import NotesStub

ADDRESS = os.environ.get("APP_ORIGIN", "http://localhost:8000").removeprefix("http://")


def main(method: str) -> None:
    token = os.environ.get("TOKEN")
    metadata = [("authorization", f"Bearer {token}")] if token else []
    with grpc.insecure_channel(ADDRESS) as channel:
        try:
            reply = getattr(NotesStub(channel), method)(
                getattr(messages, f"{method}Request")(), metadata=metadata, timeout=10
            )
        except grpc.RpcError as error:
            print(error.code().name, _code(error))
            sys.exit(1)
        print(str(reply).strip())


def _code(error: grpc.RpcError) -> str:
    """Why the server refused, as in problem documents over HTTP; nothing where it was not reached."""
    told = {each.key: each.value for each in error.trailing_metadata() or ()}
    return str(told.get("watchword-code", ""))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "Hello")
