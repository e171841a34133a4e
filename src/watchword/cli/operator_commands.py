"""The operator's commands."""

import typer

from watchword.cli.operator_accounts import make_accounts
from watchword.cli.operator_audit import make_audit
from watchword.cli.operator_backup import backup, make_backup_key
from watchword.cli.operator_bans import make_bans
from watchword.cli.operator_config import check_config, serve
from watchword.cli.operator_invites import invite, invites
from watchword.cli.operator_keys import make_keys
from watchword.cli.operator_migrate import migrate
from watchword.cli.operator_monitor import health, metrics
from watchword.cli.operator_restore import after_restore, restore


def add_commands(app: typer.Typer) -> None:
    """Add the operator's commands to `app`."""
    app.command("serve")(serve)
    app.command("check-config")(check_config)
    app.add_typer(make_accounts(), name="accounts")
    app.command("invite")(invite)
    app.command("invites")(invites)
    app.add_typer(make_bans(), name="bans")
    app.command("backup")(backup)
    app.add_typer(make_backup_key(), name="backup-key")
    app.command("restore")(restore)
    app.command("after-restore")(after_restore)
    app.command("migrate")(migrate)
    app.add_typer(make_keys(), name="keys")
    app.add_typer(make_audit(), name="audit")
    app.command("health")(health)
    app.command("metrics")(metrics)
