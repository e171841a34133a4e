"""`serve` and `check-config`."""

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from watchword.cli.entry import loading
from watchword.cli.operator_options import ConfigPath, Data, Json, Listen, Origin, given
from watchword.cli.output import Table, note, print_json, print_text

if TYPE_CHECKING:
    from watchword.server.config import Config, Loaded


def serve(
    data: Data = None,
    listen: Listen = None,
    origin: Origin = None,
    config: ConfigPath = None,
    as_json: Json = False,
) -> None:
    """Run the server until Ctrl-C.

    \b
    On this machine, with nothing configured:
        watchword serve
    For others, under a name of its own:
        watchword serve --listen 0.0.0.0:443 --origin https://id.example.org

    The first start makes keys, a certificate authority and a database in the data directory. --json writes the log
    as JSON, whoever reads it.
    """
    with loading():
        from watchword.server.app import run_server
        from watchword.server.config import LogFormat, load

    loaded = load(flags=given(data=data, listen=listen, origin=origin), file=config)
    found = loaded.config
    if as_json:
        found = replace(found, log=replace(found.log, format=LogFormat.JSON))
    run_server(found, loaded)


def check_config(
    data: Data = None,
    listen: Listen = None,
    origin: Origin = None,
    config: ConfigPath = None,
    fields: Annotated[bool, typer.Option("--fields", help="Explain every setting instead.")] = False,
    as_json: Json = False,
) -> None:
    """Check the configuration, and show what a server would run with.

    \b
    What is in force, and where each value comes from:
        watchword check-config --config /etc/watchword.toml
    Every setting there is, with its default and effect:
        watchword check-config --fields

    Exit code 0 when a server would start with it, 2 when not; then every problem is named.
    """
    if fields:
        _show_fields(as_json=as_json)
        return
    from watchword.core.clock import SystemClock
    from watchword.server.config import find_warnings, load

    environ = dict(os.environ)
    now = SystemClock().now()
    loaded = load(flags=given(data=data, listen=listen, origin=origin), file=config, serving_at=now)
    warnings = (*find_warnings(loaded.config, environ, now=now), *_redis_warnings(loaded.config))
    _check_recipient(loaded.config)
    if as_json:
        print_json(_document(loaded, warnings))
        return
    print_text(f"configuration file: {loaded.file or 'none'}")
    rows = [(each.field.key, each.shown, each.place) for each in loaded.settings]
    Table(columns=("setting", "value", "from"), rows=rows).print()
    library, hybrid = _tls_library()
    print_text(f"TLS library: {library}; X25519MLKEM768: {'yes' if hybrid else 'no'}")
    for warning in warnings:
        note(f"warning: {warning}")


def _check_recipient(config: "Config") -> None:
    """A backup at night should not be the first to find that its key cannot be read. Raises `InvalidConfigError`."""
    if config.backup.recipient is not None:
        from watchword.server.backup.keys import find_recipient

        find_recipient(str(config.backup.recipient))


def _redis_warnings(config: "Config") -> tuple[str, ...]:
    """A server starts without Redis; an operator wants to know before. Raises `InvalidConfigError`."""
    if config.redis is None:
        return ()
    import asyncio

    from watchword.server.redis.open import find_trouble

    trouble = asyncio.run(find_trouble(config.redis.reveal()))
    if not trouble:
        return ()
    meanwhile = (
        "each node counts limits for itself"
        if config.limits.without_redis == "local"
        else "requests are refused"
    )
    return (
        f"redis ({config.redis}) does not answer now ({trouble}): meanwhile {meanwhile} (limits.without_redis)",
    )


def _tls_library() -> tuple[str, bool]:
    """Its name, and whether it agrees on the hybrid key exchange, which was tried."""
    import ssl

    from watchword.server.config import tls_is_hybrid

    return ssl.OPENSSL_VERSION, tls_is_hybrid()


def _document(loaded: "Loaded", warnings: tuple[str, ...]) -> dict[str, Any]:
    library, hybrid = _tls_library()
    return {
        "file": None if loaded.file is None else str(loaded.file),
        "settings": {each.field.key: {"value": each.shown, "from": each.place} for each in loaded.settings},
        "tls": {"library": library, "X25519MLKEM768": hybrid},
        "warnings": list(warnings),
    }


def _show_fields(*, as_json: bool) -> None:
    from watchword.server.config import FIELDS

    if as_json:
        for field in FIELDS:
            print_json(
                {
                    "key": field.key,
                    "variable": field.variable,
                    "flag": field.flag or None,
                    "default": field.default_text,
                    "unit": field.unit,
                    "effect": field.full_effect,
                }
            )
        return
    for field in FIELDS:
        print_text(f"{field.key} = {field.default_text}   ({field.unit})")
        print_text(f"    {field.full_effect}")
        print_text(f"    also: {field.variable}{f', {field.flag}' if field.flag else ''}")
