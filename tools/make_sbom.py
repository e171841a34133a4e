"""Writes what a Watchword of this version is made of, as CycloneDX 1.6 JSON (ECMA-424), to standard output.

    python -m tools.make_sbom > dist/watchword-0.1.0.cdx.json

It lists what `requirements/server.txt` locks for the system that runs it, with the hashes that an install checks.
"""

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
    sys.stdout.write(sbom((ROOT / "requirements" / "server.txt").read_text()) + "\n")
    return 0


def sbom(locked: str) -> str:
    """The document for a locked list. The same list gives the same bytes: no time and no random name is in it."""
    subject = Component(
        name="watchword",
        version=__version__,
        type=ComponentType.APPLICATION,
        purl=PackageURL("pypi", name="watchword", version=__version__),
        licenses=[LicenseExpression("Apache-2.0")],
        bom_ref="watchword",
    )
    parts = list(components(locked))
    metadata = BomMetaData(component=subject)
    bom = Bom(metadata=metadata, components=parts, serial_number=uuid5(NAMESPACE_URL, locked))
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


if __name__ == "__main__":
    sys.exit(main())
