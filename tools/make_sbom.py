"""Writes what a Watchword of this version is made of, as CycloneDX 1.6 JSON (ECMA-424), to standard output.

    python -m tools.make_sbom > dist/watchword-0.1.0.cdx.json

It lists what `requirements/server.txt` locks for the system that runs it, with the hashes that an install checks; and
what `web/package-lock.json` locks of the packages that are inside the pages' scripts.
"""

import base64
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL
from packaging.markers import Marker

from watchword import __version__

ROOT: Final = Path(__file__).resolve().parents[1]
_PIN: Final = re.compile(r"([A-Za-z0-9._-]+)==([^ ;\\]+)(?: ; ([^\\]+?))?(?= \\|$)")
_HASH: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def main() -> int:
    installed, bundled = ROOT / "requirements/server.txt", ROOT / "web/package-lock.json"
    sys.stdout.write(sbom(installed.read_text(), bundled.read_text()) + "\n")
    return 0


def sbom(locked: str, web_locked: str) -> str:
    """The document for two locked lists. The same lists give the same bytes: no time and no random name is in it."""
    subject = Component(
        name="watchword",
        version=__version__,
        type=ComponentType.APPLICATION,
        purl=PackageURL("pypi", name="watchword", version=__version__),
        licenses=[LicenseExpression("Apache-2.0")],
        bom_ref="watchword",
    )
    parts = [*components(locked), *bundled_components(web_locked)]
    metadata = BomMetaData(component=subject)
    bom = Bom(metadata=metadata, components=parts, serial_number=uuid5(NAMESPACE_URL, locked + web_locked))
    metadata.timestamp = None  # type: ignore[assignment]  # optional in the standard; the library insists on now
    bom.register_dependency(subject, parts)
    return make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=2)


def components(locked: str) -> Iterator[Component]:
    """What the list installs on this system."""
    for entry in re.split(r"\n(?=\S)", locked.strip()):
        pin = _PIN.match(entry)
        if pin is None or (pin[3] and not Marker(pin[3]).evaluate()):
            continue
        name, version = pin[1].lower(), pin[2]
        yield Component(
            name=name,
            version=version,
            type=ComponentType.LIBRARY,
            purl=PackageURL("pypi", name=name, version=version),
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=each) for each in _HASH.findall(entry)],
            bom_ref=f"{name}@{version}",
        )


def bundled_components(web_locked: str) -> Iterator[Component]:
    """What is inside the scripts of the pages; what only builds and tests them is left out."""
    for path, about in json.loads(web_locked)["packages"].items():
        if not path or about.get("dev") or about.get("optional"):
            continue
        scope, _, name = path.rpartition("node_modules/")[2].rpartition("/")
        digest = base64.b64decode(about["integrity"].removeprefix("sha512-"))
        purl = PackageURL("npm", namespace=scope or None, name=name, version=about["version"])
        yield Component(
            name=name,
            group=scope or None,
            version=about["version"],
            type=ComponentType.LIBRARY,
            purl=purl,
            licenses=[LicenseExpression(about["license"])],
            hashes=[HashType(alg=HashAlgorithm.SHA_512, content=digest.hex())],
            bom_ref=str(purl),
        )


if __name__ == "__main__":
    sys.exit(main())
