"""The TLS of the HTTPS listener."""

import contextlib
import os
import ssl
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NoReturn

from watchword.core.secret import Secret
from watchword.errors import InvalidConfigError

_TLS12_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"


def make_tls_context(chain_pem: bytes, key_pem: Secret) -> ssl.SSLContext:
    """A server context: TLS 1.3, or 1.2 with ECDHE and AEAD; HTTP/1.1 only.

    `chain_pem` holds the server's certificate first, then intermediates. `key_pem` is its unencrypted private key,
    which never lies on a disk. Raises `InvalidConfigError` when the two do not load or do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_TLS12_CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    with _readable(chain_pem.rstrip() + b"\n" + key_pem.reveal()) as path:
        try:
            context.load_cert_chain(path, password=_no_password)
        except (ssl.SSLError, ValueError):
            raise InvalidConfigError("the server's certificate and key do not load") from None
    return context


def _no_password() -> NoReturn:
    """OpenSSL would ask at the terminal."""
    raise ValueError("the key is encrypted")


@contextlib.contextmanager
def _readable(content: bytes) -> Iterator[str]:
    """A path under which OpenSSL can read `content`, in memory where the system has files there."""
    if hasattr(os, "memfd_create") and Path("/proc/self/fd").is_dir():
        descriptor = os.memfd_create("tls", os.MFD_CLOEXEC)
        path = f"/proc/self/fd/{descriptor}"
        unlink = None
    else:
        descriptor, path = tempfile.mkstemp()  # 0600 by definition
        unlink = path
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123  # a descriptor has no Path
            file.write(content)
            file.flush()
            yield path
    finally:
        if unlink is not None:
            Path(unlink).unlink()
