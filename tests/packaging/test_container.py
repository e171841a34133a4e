"""The container's files: every path and command in them exists, nothing runs as root, no secret is in the environment.

No engine runs here. The build's own commands are run for real, with the image's folders moved below a temporary one.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from tests.kits.process import RunningServer

from watchword.cli.main import make_app
from watchword.server.config import FIELDS
from watchword.testing.counts import soaking

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy" / "container"
SERVER_VARIABLES = {field.variable for field in FIELDS} | {
    f"{field.variable}_FILE" for field in FIELDS if field.secret
}


def steps() -> list[tuple[str, str]]:
    """The instructions of the Containerfile, each with its whole text."""
    text = re.sub(r"^#.*\n", "", (FOLDER / "Containerfile").read_text(), flags=re.MULTILINE)
    return [tuple(line.split(" ", 1)) for line in text.replace("\\\n", " ").splitlines() if line]  # type: ignore[misc]  # two parts each


def stages() -> list[list[tuple[str, str]]]:
    found: list[list[tuple[str, str]]] = []
    for step in steps():
        if step[0] == "FROM":
            found.append([])
        if found:
            found[-1].append(step)
    return found


def composed(*names: str) -> dict[str, Any]:
    """The services of these files laid over each other, as far as we look."""
    services: dict[str, Any] = {}
    for name in names:
        for service, told in yaml.safe_load((FOLDER / name).read_text())["services"].items():
            known = services.setdefault(service, {})
            environment = {**known.get("environment", {}), **told.get("environment", {})}
            known.update(told)
            known["environment"] = environment
    return services


def test_what_the_build_copies_is_in_the_tree_and_not_kept_from_it() -> None:
    taken = [path for name, text in stages()[0] if name == "COPY" for path in text.split()[:-1]]
    admitted = {
        line[1:] for line in (ROOT / ".containerignore").read_text().splitlines() if line.startswith("!")
    }
    assert taken
    for path in taken:
        assert (ROOT / path).exists(), path
        assert path.split("/")[0] in admitted, path


def test_the_image_runs_our_commands_and_not_as_root() -> None:
    final = dict(stages()[-1])
    commands = typer.main.get_command(make_app()).commands  # type: ignore[attr-defined]  # a group has them
    assert final["USER"] == "10001:10001"
    assert final["ENTRYPOINT"] == '["watchword"]'
    assert yaml.safe_load(final["CMD"])[0] in commands
    health = yaml.safe_load(final["HEALTHCHECK"].partition("CMD ")[2])
    assert health[0] == "watchword"
    assert health[1] in commands
    set_here = set(re.findall(r"(WATCHWORD_\w+)=", final["ENV"]))
    assert set_here <= SERVER_VARIABLES


if soaking():  # it installs everything once more, with pip: twenty seconds

    @pytest.mark.timeout(600)
    def test_the_commands_of_the_build_make_a_server_that_runs(tmp_path: Path) -> None:
        source = tmp_path / "src"
        source.mkdir()
        moved = {"/opt/": f"{tmp_path}/opt/", "/src/wheel": f"{tmp_path}/wheel"}
        for name, text in stages()[0]:
            if name == "COPY":
                *taken, target = text.split()
                subprocess.run(["mkdir", "-p", target], cwd=source, check=True)
                for path in taken:
                    into = target if len(taken) > 1 or (ROOT / path).is_file() else str(Path(target).parent)
                    subprocess.run(["cp", "-r", str(ROOT / path), into], cwd=source, check=True)
            elif name == "RUN":
                command = text.replace("python -m venv", f"{sys.executable} -m venv")
                for old, new in moved.items():
                    command = command.replace(old, new)
                subprocess.run(
                    ["bash", "-euc", command],
                    cwd=source,
                    check=True,
                )
        with RunningServer.start(
            tmp_path / "data", program=(f"{tmp_path}/opt/watchword/bin/watchword",)
        ) as server:
            assert server.stop() == 0


@pytest.mark.parametrize("names", [("compose.yaml",), ("compose.yaml", "compose.postgres.yaml")], ids=len)
def test_compose_keeps_the_server_confined_and_its_secrets_in_files(names: tuple[str, ...]) -> None:
    services = composed(*names)
    server = services["watchword"]
    assert server["read_only"] is True
    assert server["cap_drop"] == ["ALL"]
    assert server["security_opt"] == ["no-new-privileges:true"]
    assert set(server["environment"]) <= SERVER_VARIABLES
    for service in services.values():
        for name in service["environment"]:
            assert name.endswith("_FILE") or not re.search("PASSWORD|DATABASE|SECRET|KEY", name), name


def test_compose_names_files_that_there_are() -> None:
    build = composed("compose.yaml")["watchword"]["build"]
    context = (FOLDER / build["context"]).resolve()
    assert context == ROOT
    assert (context / build["dockerfile"]).is_file()
