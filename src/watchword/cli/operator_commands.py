"""The operator's commands: `serve`, `check-config`."""

import typer

from watchword.cli.operator_config import check_config, serve


def add_commands(app: typer.Typer) -> None:
    """Add the operator's commands to `app`."""
    app.command("serve")(serve)
    app.command("check-config")(check_config)
