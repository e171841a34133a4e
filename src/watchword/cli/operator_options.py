"""The options that operator commands share."""

from pathlib import Path
from typing import Annotated

import typer

Data = Annotated[
    str | None,
    typer.Option("--data", metavar="DIR", help="The server's data directory [env: WATCHWORD_DATA]."),
]
ConfigPath = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="The configuration file [env: WATCHWORD_CONFIG]."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Listen = Annotated[
    str | None, typer.Option("--listen", metavar="HOST:PORT", help="Where to serve [env: WATCHWORD_LISTEN].")
]
Origin = Annotated[
    str | None,
    typer.Option("--origin", metavar="URL", help="The public address, the issuer [env: WATCHWORD_ORIGIN]."),
]


def given(**flags: str | None) -> dict[str, str]:
    """Only the flags that were given, by key of the configuration."""
    return {key: value for key, value in flags.items() if value is not None}
