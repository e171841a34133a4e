"""The words in the addresses of pages. A page shows what it has a word for, and nothing that the address says."""

import enum

from watchword.server.http.endpoint import Request


class Done(enum.StrEnum):
    """What a form did, for the page after it: `?done=`."""

    SIGNED_OUT = "signed-out"
    SIGNED_OUT_EVERYWHERE = "signed-out-everywhere"
    SESSION_ENDED = "session-ended"
    OTHERS_ENDED = "others-ended"
    PASSWORD_CHANGED = "password-changed"  # noqa: S105  # no password
    WELCOME = "welcome"


def read_done(request: Request) -> Done | None:
    """The word in the address, if a page of ours leads here: anybody's link could claim what was never done.

    A browser that does not say where a request comes from (`Sec-Fetch-Site`) is told nothing.
    """
    if request.headers.raw(b"sec-fetch-site") != b"same-origin":
        return None
    text = request.query.get("done")
    return next((done for done in Done if done.value == text), None)


def after(path: str, done: Done) -> str:
    return f"{path}?done={done.value}"
