"""`health` and `metrics`: how the running server is."""

import sys
from collections.abc import Iterator
from typing import Any

import typer

from watchword.cli.exit_codes import ExitCode
from watchword.cli.operator_call import Place
from watchword.cli.operator_options import ConfigPath, Data, Json
from watchword.cli.output import print_json, print_text


def health(data: Data = None, config: ConfigPath = None, as_json: Json = False) -> None:
    """Ask the running server whether it can do its work; for the health check of a container.

    \b
    watchword health
    HEALTHCHECK CMD ["watchword", "health"]

    Exit code 0: ready, perhaps with a note of what an operator should look at. 1: it runs and cannot work now; what it
    says is why. 3: no server is running.
    """
    found = Place(data=data, config=config).call("server.health", {}, server_only=True)
    if as_json:
        print_json(found)
    else:
        print_text("ready" if found["ready"] else f"not ready: {', '.join(found['troubles'])}")
        for note in found["notes"]:
            print_text(f"note: {note}")
    if not found["ready"]:
        raise typer.Exit(ExitCode.REFUSED)


def metrics(data: Data = None, config: ConfigPath = None, as_json: Json = False) -> None:
    """Print the running server's metrics, as Prometheus reads them.

    \b
    watchword metrics | grep watchword_logins_total

    For Prometheus itself, set metrics.listen: the same stands there at /metrics. --json prints a list of values.
    """
    found = Place(data=data, config=config).call("server.metrics", {}, server_only=True)
    if not as_json:
        sys.stdout.write(found["text"])
        return
    print_json(list(_values(found["text"])))


def _values(text: str) -> Iterator[dict[str, Any]]:
    from prometheus_client import parser

    parse: Any = parser.text_string_to_metric_families  # the library gives it no types
    for family in parse(text):
        for sample in family.samples:
            yield {"name": sample.name, "labels": sample.labels, "value": sample.value}
