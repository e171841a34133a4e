"""A certificate authority that is not Watchword's, as companies have one: root, intermediate, and what they sign.

Made by the openssl program, since that is what such files come from.
"""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from watchword.testing import components

_CA = "basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign,cRLSign\n"
_LEAF = "basicConstraints=critical,CA:false\nextendedKeyUsage=serverAuth\n"
_IDS = "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
EC = "EC -pkeyopt ec_paramgen_curve:P-256"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """Files in PEM; `chain` without the root."""

    chain: Path
    key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherCA:
    folder: Path

    @classmethod
    def make(cls, folder: Path) -> "OtherCA":
        folder.mkdir(parents=True, exist_ok=True)
        made = cls(folder=folder)
        made._key("root")
        made._openssl(
            "req -x509 -new -key root.key -out root.pem -days 30", subject="Company Root", extensions=_CA
        )
        made._sign("intermediate", issuer="root", extensions=_CA)
        return made

    @property
    def root(self) -> Path:
        return self.folder / "root.pem"

    def sign(
        self, name: str, hosts: str = "DNS:localhost", *, kind: str = EC, more: str = "-days 30"
    ) -> Signed:
        """`more`: further arguments of `openssl x509`, such as its days."""
        extensions = f"{_LEAF}subjectAltName={hosts}\n" if hosts else _LEAF
        self._sign(name, issuer="intermediate", extensions=extensions, kind=kind, more=more)
        chain = self.folder / f"{name}-chain.pem"
        chain.write_bytes(
            b"".join((self.folder / f"{each}.pem").read_bytes() for each in (name, "intermediate"))
        )
        return Signed(chain=chain, key=self.folder / f"{name}.key")

    def encrypt(self, key: Path, password: str) -> Path:
        to = key.with_suffix(".encrypted")
        self._run(f"pkcs8 -topk8 -in {key} -out {to} -passout pass:{password}")
        to.chmod(0o600)
        return to

    def _sign(
        self, name: str, *, issuer: str, extensions: str, kind: str = EC, more: str = "-days 30"
    ) -> None:
        self._key(name, kind)
        self._openssl(f"req -new -key {name}.key -out {name}.csr", subject=name)
        self._openssl(
            f"x509 -req -in {name}.csr -CA {issuer}.pem -CAkey {issuer}.key -set_serial {abs(hash(name))}"
            f" -out {name}.pem {more}",
            extensions=extensions + _IDS,
        )

    def _key(self, name: str, kind: str = EC) -> None:
        self._run(f"genpkey -algorithm {kind} -out {name}.key")
        (self.folder / f"{name}.key").chmod(0o600)

    def _openssl(self, line: str, *, subject: str = "", extensions: str = "") -> None:
        more: list[str] = ["-subj", f"/CN={subject}"] if subject else []
        if extensions:
            (self.folder / "extensions").write_text(f"[req]\ndistinguished_name=n\n[n]\n[all]\n{extensions}")
            more += ["-extensions", "all"]
            more += ["-config" if line.startswith("req") else "-extfile", "extensions"]
        self._run(line, *more)

    def _run(self, line: str, *more: str) -> None:
        program = components.require("openssl")
        subprocess.run(
            [program, *line.split(), *more], cwd=self.folder, check=True, capture_output=True, timeout=240
        )
