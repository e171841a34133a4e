"""The first bytes of a backup: that it is one, and how the rest is sealed.

    "watchword-backup 1" and a line feed || length of the header (4 bytes, big-endian) || header (JSON)

A sealed backup has a random file key, HPKE-sealed to the recipient with the rest of the header as `info`. The key of
the chunks is derived from it with the SHA-256 of the whole head, which every chunk also carries as associated data.
"""

import hashlib
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, Protocol

from watchword.core.encoding import (
    decode_b64u,
    decode_b64u_sized,
    decode_json,
    encode_b64u,
    encode_canonical_json,
)
from watchword.core.entropy import Entropy
from watchword.core.secret import Secret
from watchword.crypto.hpke import SealingPrivateKey, SealingPublicKey
from watchword.crypto.kdf import KEY_SIZE, Label, derive
from watchword.crypto.stream import StreamCipher
from watchword.errors import DamagedError, InvalidConfigError, MalformedError, TooLargeError, UnsealError
from watchword.server.backup.checks import StreamChecks
from watchword.server.backup.keys import SUITE, recipient_id

FORMAT: Final = 1
_NAME: Final = b"watchword-backup "
MAGIC: Final = _NAME + b"%d\n" % FORMAT
_LENGTH: Final = 4
_MAX_HEADER: Final = 16 * 1024
_SALT_SIZE: Final = 32
_INFO: Final = b"watchword/v1/backup\0"
_PLAIN: Final = {"cipher": "none", "v": FORMAT}
_SEALED: Final = {"cipher": "stream-aes-256-gcm", "suite": SUITE.value, "v": FORMAT}


class Chunks(Protocol):
    """What seals and opens chunks, one after the other."""

    def seal(self, chunk: bytes, *, last: bool) -> bytes: ...
    def open(self, sealed: bytes, *, last: bool) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Head:
    """`data` is all of it; `chunks` seals or opens what follows."""

    data: bytes
    chunks: Chunks


def make_head(recipient: SealingPublicKey | None, entropy: Entropy) -> Head:
    """For a new backup: sealed to `recipient`, or in the clear without."""
    if recipient is None:
        data = _encode(_PLAIN)
        return Head(data, StreamChecks(hashlib.sha256(data).digest()))
    file_key = Secret(entropy.bytes(KEY_SIZE))
    salt = entropy.bytes(_SALT_SIZE)
    header = {**_SEALED, "recipient": recipient_id(recipient), "salt": encode_b64u(salt)}
    sealed = recipient.seal(file_key.reveal(), info=_info(header))
    data = _encode({**header, "key": encode_b64u(sealed)})
    return Head(data, _cipher(file_key, salt, data))


def read_head(file: BinaryIO, key: SealingPrivateKey | None) -> Head:
    """Read the head of a backup; `key` opens a sealed one.

    Raises:
        MalformedError: not a backup, or one of a newer format.
        DamagedError: the head is damaged or cut off.
        InvalidConfigError: the backup is sealed and no key was given, or another one.
    """
    header, data = _read(file)
    if header.get("cipher") == _PLAIN["cipher"]:
        _check_members(header, _PLAIN)
        return Head(data, StreamChecks(hashlib.sha256(data).digest()))
    _check_members(header, {**_SEALED, "recipient": str, "salt": str, "key": str})
    if key is None:
        raise InvalidConfigError(
            f"the backup is sealed to the key {header['recipient']}: name its file with --key"
        )
    if recipient_id(key.public) != header["recipient"]:
        raise InvalidConfigError(
            f"this is another key ({recipient_id(key.public)}): the backup is sealed to {header['recipient']}"
        )
    try:
        salt = decode_b64u_sized(header["salt"], _SALT_SIZE)
        sealed = decode_b64u(header.pop("key"))
        file_key = Secret(key.open(sealed, info=_info(header)))
    except (MalformedError, UnsealError):
        raise DamagedError("the head of the backup is damaged: its key does not open") from None
    if len(file_key) != KEY_SIZE:
        raise DamagedError("the head of the backup is damaged: its key has another size")
    return Head(data, _cipher(file_key, salt, data))


def _cipher(file_key: Secret, salt: bytes, head: bytes) -> StreamCipher:
    digest = hashlib.sha256(head).digest()
    key = derive(file_key, Label.BACKUP_STREAM, salt=salt, context=digest)
    return StreamCipher(key, associated=digest)


def _info(header: dict[str, Any]) -> bytes:
    return _INFO + encode_canonical_json(header)


def _encode(header: dict[str, Any]) -> bytes:
    encoded = encode_canonical_json(header)
    return MAGIC + len(encoded).to_bytes(_LENGTH, "big") + encoded


def _read(file: BinaryIO) -> tuple[dict[str, Any], bytes]:
    magic = file.read(len(MAGIC))
    if magic != MAGIC:
        if magic.startswith(_NAME) and len(magic) == len(MAGIC):
            raise MalformedError("the backup has a form that this Watchword does not know: use a newer one")
        raise MalformedError("not a backup of Watchword")
    length = file.read(_LENGTH)
    size = int.from_bytes(length, "big")
    raw = file.read(size) if len(length) == _LENGTH and size <= _MAX_HEADER else b""
    if not raw or len(raw) != size:
        raise DamagedError("the head of the backup is damaged or cut off")
    try:
        header = decode_json(raw, max_size=_MAX_HEADER)
    except (MalformedError, TooLargeError):
        header = None
    if not isinstance(header, dict) or encode_canonical_json(header) != raw:  # compare: one spelling only
        raise DamagedError("the head of the backup is damaged")
    return header, magic + length + raw


def _check_members(header: dict[str, Any], expected: dict[str, Any]) -> None:
    good = header.keys() == expected.keys() and all(
        type(header[name]) is value if isinstance(value, type) else header[name] == value
        for name, value in expected.items()
    )
    if not good:
        raise DamagedError("the head of the backup is damaged")
