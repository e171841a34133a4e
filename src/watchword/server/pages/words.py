"""The words in the addresses of pages. A page shows what it has a word for, and nothing that the address says."""

import enum


class Done(enum.StrEnum):
    """What a form did, for the page after it: `?done=`."""

    SIGNED_OUT = "signed-out"
    SIGNED_OUT_EVERYWHERE = "signed-out-everywhere"
    SESSION_ENDED = "session-ended"
    OTHERS_ENDED = "others-ended"
    PASSWORD_CHANGED = "password-changed"  # noqa: S105  # no password
    WELCOME = "welcome"


def read_done(text: str | None) -> Done | None:
    """The word, or None for every other text."""
    return next((done for done in Done if done.value == text), None)


def after(path: str, done: Done) -> str:
    return f"{path}?done={done.value}"
