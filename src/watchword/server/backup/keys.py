"""Key pairs that backups are sealed to: MLKEM768-X25519, so that what is stored stays closed to later machines too.

The public key is one line of text that may stand anywhere; the private one a file that only its owner reads, best kept
on another machine. Both carry a check, since a mistyped key would seal backups that nobody opens.
"""

import hashlib
import os
import stat
from pathlib import Path
from typing import Final

from watchword.core.encoding import decode_b64u, encode_b64u
from watchword.core.entropy import Entropy
from watchword.core.secret import Secret
from watchword.crypto.hpke import SealingPrivateKey, SealingPublicKey, Suite
from watchword.errors import InvalidConfigError, MalformedError
from watchword.server.backup.output import write_new

SUITE: Final = Suite.HYBRID
PUBLIC_PREFIX: Final = "wwbackup1:"
PRIVATE_PREFIX: Final = "wwbackup1-private:"
_CHECK_SIZE: Final = 8
_ID_SIZE: Final = 15
_MAX_FILE: Final = 4096
_OTHERS: Final = 0o077
_MODE: Final = 0o600


def encode_recipient(key: SealingPublicKey) -> str:
    """The public key as one line of text, 1,642 characters."""
    return _encode(PUBLIC_PREFIX, key.to_bytes())


def parse_recipient(text: str) -> SealingPublicKey:
    """Raise `MalformedError`."""
    return SealingPublicKey.from_bytes(SUITE, _decode(PUBLIC_PREFIX, text))


def recipient_id(key: SealingPublicKey) -> str:
    """20 characters by which a backup names the key that opens it."""
    return encode_b64u(hashlib.sha256(SUITE.value.encode() + b"\0" + key.to_bytes()).digest()[:_ID_SIZE])


def make_key_file(path: Path, entropy: Entropy) -> SealingPublicKey:
    """Make a key pair; the private key goes into the new file `path`, mode 0600.

    Raises:
        ConflictError: there is such a file.
        UnavailableError: it cannot be written.
    """
    key = SealingPrivateKey.generate(SUITE, entropy)
    text = _encode(PRIVATE_PREFIX, key.seed().reveal())
    write_new(
        path, f"# Opens backups sealed to {recipient_id(key.public)}. Keep it secret.\n{text}\n".encode()
    )
    return key.public


def read_key_file(path: Path) -> SealingPrivateKey:
    """The private key in `path`.

    Raises:
        InvalidConfigError: the file cannot be read, others can read it, or it holds no private key.
    """
    text = _read(path, secret=True)
    try:
        return SealingPrivateKey.from_seed(SUITE, Secret(_decode(PRIVATE_PREFIX, text)))
    except MalformedError as error:
        raise InvalidConfigError(f"{path} holds no private backup key: {error.detail}") from None


def find_recipient(named: str) -> SealingPublicKey:
    """The key that `named` is, or that the file `named` holds.

    Raises:
        InvalidConfigError: neither; the text says why.
    """
    if named.startswith(PRIVATE_PREFIX):
        raise InvalidConfigError("that is the private key itself: name the public one (.pub)")
    text = named if named.startswith(PUBLIC_PREFIX) else _read(Path(named), secret=False)
    try:
        return parse_recipient(text)
    except MalformedError as error:
        if text.startswith(PRIVATE_PREFIX):
            raise InvalidConfigError(f"{named} holds the private key: name the public one (.pub)") from None
        raise InvalidConfigError(f"not a public backup key: {error.detail}") from None


def _encode(prefix: str, data: bytes) -> str:
    return prefix + encode_b64u(data + _check(prefix, data))


def _decode(prefix: str, text: str) -> bytes:
    text = text.strip()
    if not text.startswith(prefix):
        raise MalformedError(f"it does not begin with “{prefix}”")
    raw = decode_b64u(text.removeprefix(prefix))
    data, check = raw[:-_CHECK_SIZE], raw[-_CHECK_SIZE:]
    if check != _check(prefix, data):  # compare: against mistyping, no secret
        raise MalformedError("a character is wrong or missing")
    return data


def _check(prefix: str, data: bytes) -> bytes:
    return hashlib.sha256(prefix.encode() + data).digest()[:_CHECK_SIZE]


def _read(path: Path, *, secret: bool) -> str:
    """The line of a key file that is no comment."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        # Somebody may have given the private key in place of its file: what does not open is not repeated.
        shown = "named with --key" if secret else str(path)
        raise InvalidConfigError(f"the backup key file {shown} cannot be read: {error.strerror}") from None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise InvalidConfigError(f"the backup key file {path} is not a regular file")
        if secret and found.st_mode & _OTHERS:
            raise InvalidConfigError(f"others can read the backup key file {path}: run “chmod 600 {path}”")
        lines = os.read(descriptor, _MAX_FILE).decode("ascii", "replace").splitlines()
    finally:
        os.close(descriptor)
    return next((line for line in lines if line and not line.startswith("#")), "")
