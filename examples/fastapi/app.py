"""An application that knows who is calling. Three lines of it are Watchword's; see the README beside it."""

import os
from typing import Annotated

from fastapi import Depends, FastAPI

from watchword.middleware import Identity, WatchwordMiddleware, require

app = FastAPI(title="Notes")
app.add_middleware(
    WatchwordMiddleware,
    issuer=os.environ.get("WATCHWORD_ORIGIN") or os.environ.get("WATCHWORD_SERVER", "https://localhost:8443"),
    audience=os.environ.get("APP_ORIGIN", "http://localhost:8000"),
    bearer_ok=True,  # tokens that are bound to no key: whoever copies one has it until it ends
    public=["/health"],
)

Caller = Annotated[Identity, Depends(require())]
Moderator = Annotated[Identity, Depends(require(level=2))]


@app.get("/")
async def hello(caller: Caller) -> dict[str, str | int]:
    """For every account."""
    return {"hello": caller.username, "account": caller.account, "level": caller.level}


@app.get("/moderation")
async def moderation(caller: Moderator) -> dict[str, str]:
    """For accounts of level 2 and above."""
    return {"moderator": caller.username}


@app.get("/health")
async def health() -> dict[str, bool]:
    """For everybody: the one path that was declared public."""
    return {"ok": True}
