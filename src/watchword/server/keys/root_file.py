"""Where the root key comes from: the environment, or a file that only its owner reads.

A new root key is staged beside the old one before the table is wrapped under it, and takes its place afterwards:
whichever moment the machine stops at, one of the two files opens the table, and the check value says which.
"""

import contextlib
import os
import stat
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Final, Self

from watchword.core.encoding import encode_b64u
from watchword.core.entropy import Entropy
from watchword.core.secret import Secret
from watchword.crypto.keyring import RootKey
from watchword.errors import InvalidConfigError, UnavailableError
from watchword.server.data_directory import sync_directory

VARIABLE: Final = "WATCHWORD_ROOT_KEY"
FILE_NAME: Final = "root.key"
STAGED_SUFFIX: Final = ".next"
_MODE: Final = 0o600
_OTHERS: Final = 0o077
_MAX_FILE_SIZE: Final = 256
_TEMPORARY_SIZE: Final = 8


def encode_root_key(key: RootKey) -> bytes:
    """The content of the file that keeps it."""
    return encode_b64u(key.secret().reveal()).encode() + b"\n"


class RootKeys:
    """The root keys at hand. The one that belongs to the data is known by the check value stored with it."""

    def __init__(self, *, path: Path | None, fixed: RootKey | None, entropy: Entropy) -> None:
        self._path = path
        self._fixed = fixed
        self._entropy = entropy

    @classmethod
    def find(cls, path: Path, environ: MutableMapping[str, str], entropy: Entropy) -> Self:
        """Take `WATCHWORD_ROOT_KEY` out of the environment if it is set; else the file `path` holds the key.

        Raises:
            InvalidConfigError: the variable does not hold a root key.
        """
        text = environ.pop(VARIABLE, None)
        if text is None:
            return cls(path=path, fixed=None, entropy=entropy)
        try:
            return cls(path=None, fixed=RootKey.parse(Secret.from_text(text)), entropy=entropy)
        except (InvalidConfigError, UnicodeEncodeError) as error:
            said = error.detail if isinstance(error, InvalidConfigError) else "it is not text"
            raise InvalidConfigError(f"{VARIABLE}: {said}") from None

    @classmethod
    def of(cls, key: RootKey, entropy: Entropy) -> Self:
        """One key, handed over in memory."""
        return cls(path=None, fixed=key, entropy=entropy)

    def for_first_start(self) -> RootKey:
        """The key to begin with: the one at hand, or a new file."""
        if self._path is None:
            return self._held()
        return _read(self._path) or self._make(self._path)

    def choose(self, check: bytes) -> RootKey:
        """The key that belongs to the data, and the end of a rotation that was cut off.

        Raises:
            InvalidConfigError: no key at hand belongs to this data, or a file is not safe.
        """
        if self._path is None:
            return _matching(self._held(), check, VARIABLE)
        kept, staged = _read(self._path), _read(self._staged(self._path))
        if staged is not None and staged.matches(check):
            self._settle()
            return staged
        if kept is None:
            raise InvalidConfigError(
                f"the root key file {self._path} is missing: put it back, or nothing opens"
            )
        return _matching(kept, check, str(self._path))

    def stage(self, check: bytes) -> RootKey:
        """A new key in a file of its own, beside the one in use. A file left by a rotation that failed is used again.

        Raises:
            InvalidConfigError: the key comes from the environment, where nothing can be put.
        """
        if self._path is None:
            raise InvalidConfigError(
                f"the root key comes from {VARIABLE}: only a root key in a file is rotated here"
            )
        self.choose(check)  # ends a rotation that was cut off, so that a staged file is never the key in use
        staged = self._staged(self._path)
        return _read(staged) or self._make(staged)

    def _settle(self) -> None:
        """The staged file takes the place of the old one. Nothing to do if there is none."""
        if self._path is None:
            return
        with _told(self._path), contextlib.suppress(FileNotFoundError):
            self._staged(self._path).replace(self._path)
            sync_directory(self._path.parent)

    def _held(self) -> RootKey:
        if self._fixed is None:
            raise InvalidConfigError("there is no root key")
        return self._fixed

    @staticmethod
    def _staged(path: Path) -> Path:
        return path.with_name(path.name + STAGED_SUFFIX)

    def _make(self, path: Path) -> RootKey:
        """Write a new key whole under another name, then link it: nobody ever reads half of it."""
        key = RootKey.generate(self._entropy)
        temporary = path.with_name(f".{path.name}.{self._entropy.bytes(_TEMPORARY_SIZE).hex()}")
        with _told(path):
            _write(temporary, key)
            try:
                with contextlib.suppress(FileExistsError):  # another process was first: its key it is
                    os.link(temporary, path)
            finally:
                temporary.unlink()
            sync_directory(path.parent)
        found = _read(path)
        if found is None:
            raise UnavailableError(f"the root key file {path} vanished while it was made")
        return found

    def __repr__(self) -> str:
        return f"<RootKeys from {self._path or VARIABLE}>"


def _matching(key: RootKey, check: bytes, place: str) -> RootKey:
    if not key.matches(check):
        raise InvalidConfigError(f"this root key does not belong to this data ({place}); nothing was changed")
    return key


def _read(path: Path) -> RootKey | None:
    """The key in `path`, or None without such a file. The open file is judged, so no rename slips between."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InvalidConfigError(f"the root key file {path} cannot be read: {error.strerror}") from None
    try:
        _check_owner(path, os.fstat(descriptor))
        text = os.read(descriptor, _MAX_FILE_SIZE)
    except OSError as error:
        raise InvalidConfigError(f"the root key file {path} cannot be read: {error.strerror}") from None
    finally:
        os.close(descriptor)
    try:
        return RootKey.parse(Secret(text))
    except InvalidConfigError as error:
        raise InvalidConfigError(f"the root key file {path}: {error.detail}") from None


def _check_owner(path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise InvalidConfigError(f"the root key file {path} is not a regular file")
    if status.st_mode & _OTHERS:
        mode = stat.S_IMODE(status.st_mode)
        raise InvalidConfigError(
            f"the root key file {path} has mode {mode:04o}: others may use it; run chmod 600 {path}"
        )
    if status.st_uid not in {os.geteuid(), 0}:
        raise InvalidConfigError(f"the root key file {path} belongs to another user")


def _write(path: Path, key: RootKey) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, _MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(encode_root_key(key))
        file.flush()
        os.fsync(descriptor)


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """A full disk or a read-only directory is said with the file's name."""
    try:
        yield
    except OSError as error:
        raise UnavailableError(f"the root key file {path} cannot be written: {error.strerror}") from None
