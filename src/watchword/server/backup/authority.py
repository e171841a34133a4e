"""Whose data a backup holds: the root of the certificate authority in it.

Anyone with the public key can seal a backup, with keys and accounts of their own. What they cannot put into it is the
private key of the server's root, so the root's fingerprint, seen another way, tells a forged backup from ours. It is
taken from the row that a server would use, and never from `ca.pem`, which stands beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from watchword.core.encoding import decode_b64u
from watchword.core.entropy import SystemEntropy
from watchword.crypto.certificates import format_fingerprint, parse_certificate, root_fingerprint
from watchword.crypto.keyring import DataKeyPurpose, DataKeys, RootKey
from watchword.errors import DamagedError, MalformedError, NotTrustedError
from watchword.server.backup.records import TableNote
from watchword.server.db.unit import Row
from watchword.server.keys.live import ROOT
from watchword.server.keys.model import StoredCertificate
from watchword.server.keys.sealing import KeySealer

SELECT_ROOT = f"select chain from server_certificates where role = '{ROOT}'"  # noqa: S608  # a constant of ours


@dataclass(slots=True)
class KeyRows:
    """What went by on its way into the database, and says whose it is."""

    root_check: bytes | None = None
    data_keys: list[tuple[str, int, bytes]] = field(default_factory=list)
    roots: list[StoredCertificate] = field(default_factory=list)

    def note(self, table: TableNote, rows: Sequence[Row]) -> None:
        """Raise `DamagedError`."""
        if table.name == "key_state":
            self.root_check = _blob(_column(table, rows[0], "root_check"))
        elif table.name == "data_keys":
            self.data_keys.extend(_data_key(table, row) for row in rows)
        elif table.name == "server_certificates":
            self.roots.extend(_root(table, row) for row in rows if _column(table, row, "role") == ROOT)

    def fingerprint(self) -> str | None:
        """Of the root, as the server shows it; None when there is none. Raise `DamagedError`."""
        if len(self.roots) > 1:
            raise DamagedError("the backup holds several certificate authorities")
        return _fingerprint(self.roots[0].chain) if self.roots else None

    def prove(self, root: RootKey) -> None:
        """Raise `DamagedError` unless `root` opens every data key, and those the private key of the authority."""
        data = DataKeys({})
        for purpose, version, wrapped in self.data_keys:
            try:
                kind = DataKeyPurpose(purpose)
                data.install(kind, version, root.unwrap(wrapped, purpose=kind, version=version))
            except (ValueError, OverflowError):
                raise DamagedError(f"the backup holds a data key of an unknown kind ({purpose!r})") from None
        if not self.roots:
            raise DamagedError("the backup holds no certificate authority")
        KeySealer(data, SystemEntropy()).open_certificate(self.roots[0])


def demand(found: str | None, expected: str | None) -> None:
    """Raise `NotTrustedError`, always in the same words, unless it is the authority that was asked for."""
    if expected is not None and found != expected:  # compare: fingerprints are public
        raise NotTrustedError(
            "the certificate authority in the backup is not the one of --fingerprint: nothing was restored"
        )


def fingerprint_of(row: Row | None) -> str:
    """From what `SELECT_ROOT` found. Raise `DamagedError`."""
    if row is None:
        raise DamagedError("there is no certificate authority in the data")
    return _fingerprint(_chain(row[0]))


def _fingerprint(chain: Sequence[bytes]) -> str:
    try:
        return format_fingerprint(root_fingerprint(parse_certificate(chain[0])))
    except MalformedError:
        raise DamagedError("the certificate authority does not parse") from None


def _chain(value: object) -> tuple[bytes, ...]:
    """As `server_certificates` keeps it."""
    try:
        return tuple(decode_b64u(line) for line in (value if isinstance(value, str) else "").split("\n"))
    except MalformedError:
        raise DamagedError("the certificate authority does not parse") from None


def _root(table: TableNote, row: Row) -> StoredCertificate:
    chain, sealed = _chain(_column(table, row, "chain")), _blob(_column(table, row, "sealed"))
    return StoredCertificate(role=ROOT, chain=chain, sealed=sealed)


def _data_key(table: TableNote, row: Row) -> tuple[str, int, bytes]:
    purpose, version = _column(table, row, "purpose"), _column(table, row, "version")
    if not isinstance(purpose, str) or not isinstance(version, int):
        raise DamagedError("a data key in the backup does not parse")
    return purpose, version, _blob(_column(table, row, "wrapped"))


def _column(table: TableNote, row: Row, name: str) -> object:
    try:
        return row[table.columns.index(name)]
    except ValueError:
        raise DamagedError(f"the table {table.name} in the backup has no column {name}") from None


def _blob(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise DamagedError("a key in the backup does not parse")
    return value
