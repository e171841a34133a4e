"""A Flask application that knows who is calling. Two lines of it are Watchword's; see the README beside it."""

import os

from flask import Flask

from watchword.middleware import current_identity, require
from watchword.middleware.flask import Watchword

app = Flask(__name__)
Watchword(
    app,
    issuer=os.environ.get("WATCHWORD_ORIGIN", "https://localhost:8443"),
    audience=os.environ.get("APP_ORIGIN", "http://localhost:8000"),
    bearer_ok=True,  # tokens that are bound to no key: whoever copies one has it until it ends
    public=["/health"],
)


@app.get("/")
def hello() -> dict[str, str | int]:
    """For every account."""
    caller = current_identity()
    return {"hello": caller.username, "account": caller.account, "level": caller.level}


@app.get("/moderation")
@require(level=2)
def moderation() -> dict[str, str]:
    """For accounts of level 2 and above."""
    return {"moderator": current_identity().username}


@app.get("/health")
def health() -> dict[str, bool]:
    """For everybody: the one path that was declared public."""
    return {"ok": True}
