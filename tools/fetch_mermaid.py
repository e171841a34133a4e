"""Put Mermaid's script into build/mermaid.js, for the diagrams of the site: `python tools/fetch_mermaid.py`.

One version, one hash: what the registry gives is used only if it is exactly this. npm speaks to the registry, with
whatever mirror its configuration names; no script of the package is run. Needed once: then `make docs` needs no
network.
"""

import base64
import hashlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Final

VERSION: Final = "12.3.0"
INTEGRITY: Final = "4113TdXeLAsMruJ79OpFL5O8+LTFXhQqZ260rF3tgUmiNAtRm4Uume04I+65PRN6yZ69J4f8rVYWW8zRk65UYw=="
"""SHA-512 of the package, as the registry's own lock files have it."""
TARGET: Final = Path(__file__).parents[1] / "build" / "mermaid.js"
LICENCE: Final = TARGET.with_name("mermaid.LICENSE.txt")
_MEMBERS: Final = {"package/dist/mermaid.min.js": TARGET.name, "package/LICENSE": LICENCE.name}


def main() -> int:
    npm = shutil.which("npm")
    if npm is None:
        print("npm is not installed: the site will show the text of its diagrams", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as place:
        command = [
            npm,
            "pack",
            f"mermaid@{VERSION}",
            "--ignore-scripts",
            "--silent",
            "--pack-destination",
            place,
        ]
        if subprocess.run(command, check=False, cwd=place, stdout=subprocess.DEVNULL).returncode:
            print(
                "the registry does not give it: the site will show the text of its diagrams", file=sys.stderr
            )
            return 1
        package = Path(place) / f"mermaid-{VERSION}.tgz"
        check(package)
        unpack(package, TARGET.parent)
    print(f"{TARGET.name}: Mermaid {VERSION}")
    return 0


def check(package: Path) -> None:
    """Raise `ValueError` for any other package than the one that was looked at."""
    found = base64.b64encode(hashlib.sha512(package.read_bytes()).digest()).decode()
    if found != INTEGRITY:
        raise ValueError(f"{package.name} has another hash than it should: {found}")


def unpack(package: Path, folder: Path) -> None:
    """Take the script and its licence out, and nothing else."""
    folder.mkdir(exist_ok=True)
    with tarfile.open(package) as archive:
        for member, name in _MEMBERS.items():
            found = archive.extractfile(member)
            if found is None:
                raise ValueError(f"{package.name} has no {member}")
            (folder / name).write_bytes(found.read())


if __name__ == "__main__":
    sys.exit(main())
