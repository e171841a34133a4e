"""The vault: one file with a device's secrets, sealed with the password (docs/protocol/vault.md).

    file   = JSON {v, server, issuer, username, account, root, password_version, stretch, salt, check, sealed}
    check  = HKDF(stretched, "password/vault-check", salt)[:16]     tells a wrong password from damage
    key    = HKDF(stretched, "password/vault", SHA-256 of every clear member)
    sealed = JWE, dir, A256GCM, of dotenv text

The clear members say whose vault this is and which root certificate is pinned; they are bound into the key, so that the
vault does not open once any of them was changed. Written whole: a temporary file, fsync, rename, fsync of the folder;
and only over what the writer has read or written itself, so that no process undoes what another one has done.
"""

# ruff: noqa: SLF001  # one module, two classes: the key of an open vault is for the file alone

import contextlib
import fcntl
import hashlib
import hmac
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import msgspec

from watchword.core.encoding import (
    decode_b64u_sized,
    encode_b64u,
    encode_canonical_json,
    encode_json,
)
from watchword.core.entropy import Entropy
from watchword.core.secret import Secret
from watchword.crypto.jwe import decode_jwe, encode_jwe
from watchword.crypto.kdf import Label, derive
from watchword.crypto.passwords import SALT_SIZE, StretchParams, stretch
from watchword.errors import (
    ConflictError,
    DamagedError,
    MalformedError,
    TooLargeError,
    UnavailableError,
    UnsealError,
    WrongPasswordError,
)
from watchword.protocol.messages import StretchBody
from watchword.protocol.wire import Message, parse_message

FILE_NAME: Final = "vault"
_TYPE: Final = "watchword-vault+jwe"
_KID: Final = "vault"
_MAX_SIZE: Final = 1 << 18
_CHECK_SIZE: Final = 16
StretchFunction = Callable[[Secret, bytes, StretchParams], Secret]
"""`stretch`, or one that also shows that it goes on."""
_LINE: Final = re.compile(r"([A-Z][A-Z0-9_]*)=([^\r\n\0]*)\Z")


class _File(Message, frozen=True):
    v: Literal[1]
    server: str
    issuer: str
    username: str
    account: str
    root: str
    password_version: int
    stretch: StretchBody
    salt: str
    check: str
    sealed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whose vault it is, in clear: what a command needs before it can ask for the password."""

    server: str
    """The address that the server was reached under."""
    issuer: str
    username: str
    account: str
    root: str
    """The pinned root certificate, PEM."""
    password_version: int


@dataclass(slots=True)
class OpenVault:
    """An opened vault: secrets by name, and the key to seal them again."""

    owner: Owner
    entries: dict[str, str] = field(repr=False)
    _stretched: Secret
    _salt: bytes
    _params: StretchParams = field(default_factory=StretchParams)
    _known: tuple[bytes, ...] = ()
    """Digests of the file as this was read from it, or written to it."""

    def get(self, name: str) -> str:
        """Raises `DamagedError` for a name that a vault of ours must have."""
        try:
            return self.entries[name]
        except KeyError:
            raise DamagedError(f"the vault has no {name}") from None

    def put(self, values: Mapping[str, str]) -> None:
        """Set entries; `VaultFile.save` makes them last."""
        for name, value in values.items():
            line = _LINE.match(f"{name}={value}")
            if line is None or line[1] != name:
                raise MalformedError(f"{name} cannot stand in a vault")
        self.entries.update(values)

    def drop(self, *names: str) -> None:
        for name in names:
            self.entries.pop(name, None)


class VaultFile:
    """The vault in one folder (`WATCHWORD_HOME`), which is created 0700 when first written."""

    def __init__(self, home: Path, entropy: Entropy) -> None:
        self.path = home / FILE_NAME
        self._entropy = entropy

    def exists(self) -> bool:
        return self.path.exists()

    def owner(self) -> Owner:
        """Who it belongs to, not yet authenticated: good for choosing a server and for prompts."""
        return _owner(self._read()[1])

    def open(self, password: Secret, stretch_with: StretchFunction = stretch) -> OpenVault:
        """Open with the prepared password; about 0.1 s. Raises `WrongPasswordError`, `DamagedError`."""
        raw, file = self._read()
        try:
            params = StretchParams(
                memory_kib=file.stretch.memory_kib, passes=file.stretch.passes, lanes=file.stretch.lanes
            )
            params.check()
            salt = decode_b64u_sized(file.salt, SALT_SIZE)
            check = decode_b64u_sized(file.check, _CHECK_SIZE)
        except MalformedError as error:
            raise DamagedError("the vault's header is damaged") from error
        stretched = stretch_with(password, salt, params)
        if not hmac.compare_digest(check, _check(stretched, salt)):
            raise WrongPasswordError("this password does not open the vault")
        return OpenVault(_owner(file), _unsealed(file, stretched), stretched, salt, params, (_digest(raw),))

    def newer_than(
        self, vault: OpenVault, password: Secret, stretch_with: StretchFunction = stretch
    ) -> OpenVault | None:
        """The file opened again, if another process has written it since `vault` was read or saved; else None.

        `password` is stretched only where the file is sealed in another way now. Raises as `open`.
        """
        raw, file = self._read()
        if _digest(raw) in vault._known:
            return None
        if not _sealed_alike(file, vault):
            return self.open(password, stretch_with)
        stretched, salt = vault._stretched, vault._salt
        entries = _unsealed(file, stretched)
        return OpenVault(_owner(file), entries, stretched, salt, vault._params, (_digest(raw),))

    def create(
        self,
        owner: Owner,
        entries: Mapping[str, str],
        password: Secret,
        stretch_with: StretchFunction = stretch,
        *,
        replaces: OpenVault | None = None,
    ) -> OpenVault:
        """A new vault under a fresh salt, saved in place of what was there.

        Raises `ConflictError` where that is sealed in another way than the vault that this one `replaces`: somebody
        else has changed the password. What was only saved meanwhile, under the old password, gives way.
        """
        salt, params = self._entropy.bytes(SALT_SIZE), StretchParams()
        vault = OpenVault(owner, {}, stretch_with(password, salt, params), salt, params)
        vault.put(entries)
        self._write(vault, lambda: replaces is None or _sealed_alike(self._read()[1], replaces))
        return vault

    def save(self, vault: OpenVault) -> None:
        """Replace the file atomically.

        Raises:
            ConflictError: another process has written it, or taken it away, since `vault` was read or saved.
            UnavailableError: it cannot be written; the old file is still there, whole.
        """
        self._write(vault, lambda: _digest(self._read()[0]) in vault._known)

    def _write(self, vault: OpenVault, may: Callable[[], bool]) -> None:
        """`may` is asked about the file as it is, while nobody else can change it."""
        content = encode_json(msgspec.to_builtins(_seal(vault, self._entropy))) + b"\n"
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with _locked(self.path.parent):
                _require_ours(may)
                # Not alone yet: if the write fails, either file may be there.
                vault._known = (*vault._known, _digest(content))
                _replace(self.path, content)
                vault._known = (_digest(content),)
        except OSError as error:
            raise UnavailableError(f"cannot write {self.path}: {error.strerror}") from error

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)

    def _read(self) -> tuple[bytes, _File]:
        """The file, and what it says."""
        try:
            raw = self.path.read_bytes()
        except FileNotFoundError:
            raise DamagedError(f"there is no vault at {self.path}: register or log in first") from None
        except OSError as error:
            raise UnavailableError(f"cannot read {self.path}: {error.strerror}") from error
        try:
            return raw, parse_message(raw, _File, max_size=_MAX_SIZE)
        except (MalformedError, TooLargeError) as error:
            raise DamagedError(f"{self.path} is not a vault of this version, or damaged") from error


def _require_ours(may: Callable[[], bool]) -> None:
    """Raises `ConflictError`, also where the file is gone, or is none any more."""
    try:
        ours = may()
    except DamagedError:
        ours = False
    if not ours:
        raise ConflictError(
            "the vault was changed by another process, and this one has written nothing to it: open it again"
        )


def _digest(raw: bytes) -> bytes:
    return hashlib.sha256(raw).digest()


def _sealed_alike(file: _File, vault: OpenVault) -> bool:
    """Whether the key of `vault` is that of `file`: the same password under the same salt, not changed since."""
    check = encode_b64u(_check(vault._stretched, vault._salt))
    same_check = hmac.compare_digest(file.check, check)
    return same_check and file.salt == encode_b64u(vault._salt)  # compare: a salt is public


def _unsealed(file: _File, stretched: Secret) -> dict[str, str]:
    """Raises `DamagedError`."""
    try:
        text = decode_jwe(file.sealed, _key(stretched, file), kid=_KID, typ=_TYPE, max_size=_MAX_SIZE)
    except (UnsealError, MalformedError) as error:
        raise DamagedError("the vault is damaged: its password is right, its contents are not") from error
    return _read_dotenv(text)


def _seal(vault: OpenVault, entropy: Entropy) -> _File:
    owner = vault.owner
    file = _File(
        v=1,
        server=owner.server,
        issuer=owner.issuer,
        username=owner.username,
        account=owner.account,
        root=owner.root,
        password_version=owner.password_version,
        stretch=StretchBody(
            alg="argon2id",
            memory_kib=vault._params.memory_kib,
            passes=vault._params.passes,
            lanes=vault._params.lanes,
        ),
        salt=encode_b64u(vault._salt),
        check=encode_b64u(_check(vault._stretched, vault._salt)),
        sealed="",
    )
    text = "".join(f"{name}={value}\n" for name, value in sorted(vault.entries.items())).encode()
    key = _key(vault._stretched, file)
    return msgspec.structs.replace(file, sealed=encode_jwe(text, key, kid=_KID, typ=_TYPE, entropy=entropy))


def _owner(file: _File) -> Owner:
    return Owner(
        server=file.server,
        issuer=file.issuer,
        username=file.username,
        account=file.account,
        root=file.root,
        password_version=file.password_version,
    )


def _check(stretched: Secret, salt: bytes) -> bytes:
    return derive(stretched, Label.VAULT_CHECK, context=salt, size=_CHECK_SIZE).reveal()


def _key(stretched: Secret, file: _File) -> Secret:
    """The vault key, bound to every clear member."""
    clear = {name: value for name, value in msgspec.to_builtins(file).items() if name != "sealed"}
    return derive(stretched, Label.VAULT_KEY, context=hashlib.sha256(encode_canonical_json(clear)).digest())


def _read_dotenv(text: bytes) -> dict[str, str]:
    entries = {}
    try:
        # Not `splitlines`: that also splits at separators which `put` lets stand in a value.
        lines = text.decode().removesuffix("\n").split("\n") if text else []
    except UnicodeDecodeError as error:
        raise DamagedError("the vault opens but is not text") from error
    for line in lines:
        found = _LINE.match(line)
        if found is None:
            raise DamagedError("the vault opens but is not dotenv text")
        entries[found[1]] = found[2]
    return entries


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep two commands from replacing the file at once."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _replace(path: Path, content: bytes) -> None:
    """Write beside, sync, rename over, sync the folder: after a power cut it is the old file or the new one."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
