"""Whether TLS agrees on a group: asked of this Python's library, and of the newer one that `cryptography` brings."""

import ssl
from typing import Any

import pytest
from cryptography.hazmat.bindings.openssl.binding import Binding
from tests.edges.harness import throw_away_certificate

from watchword.server.http.tls import make_tls_context
from watchword.server.http.tls_groups import Group, client_hello, retried_group, speaks

_PEM = 1
"""SSL_FILETYPE_PEM."""


def test_this_servers_context_speaks_x25519_and_the_hybrid_where_its_library_has_it() -> None:
    context = make_tls_context(*throw_away_certificate())
    assert speaks(context, Group.X25519)
    assert speaks(context, Group.X25519MLKEM768) is (ssl.OPENSSL_VERSION_INFO >= (3, 5))


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    chain, key = throw_away_certificate()
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(chain.rstrip() + b"\n" + key.reveal())
    return str(path).encode()


def answer_of(hello: bytes, files: bytes) -> bytes:
    """What a server of the OpenSSL inside `cryptography` answers."""
    binding: Any = Binding()
    lib, ffi = binding.lib, binding.ffi
    context = ffi.gc(lib.SSL_CTX_new(lib.TLS_method()), lib.SSL_CTX_free)
    assert lib.SSL_CTX_use_certificate_chain_file(context, files) == 1
    assert lib.SSL_CTX_use_PrivateKey_file(context, files, _PEM) == 1
    server = ffi.gc(lib.SSL_new(context), lib.SSL_free)
    incoming, outgoing = lib.BIO_new(lib.BIO_s_mem()), lib.BIO_new(lib.BIO_s_mem())
    lib.SSL_set_bio(server, incoming, outgoing)  # which owns both from here on
    lib.SSL_set_accept_state(server)
    assert lib.BIO_write(incoming, hello, len(hello)) == len(hello)
    lib.SSL_do_handshake(server)
    lib.ERR_clear_error()
    buffer = ffi.new("char[]", 4096)
    size = max(0, lib.BIO_read(outgoing, buffer, 4096))
    return bytes(ffi.buffer(buffer, size))


@pytest.mark.parametrize("group", Group)
def test_a_library_that_has_a_group_is_found_to_have_it(group: Group, files: bytes) -> None:
    """The OpenSSL inside `cryptography` is newer than 3.5, so this proves the answer “yes”."""
    assert retried_group(answer_of(client_hello(group), files)) == group


def test_any_other_answer_is_no(files: bytes) -> None:
    good = answer_of(client_hello(Group.X25519), files)
    assert retried_group(b"") is None
    assert retried_group(b"\x15\x03\x03\x00\x02\x02\x28") is None  # an alert
    for size in range(len(good) - 1):
        assert retried_group(good[:size]) in {None, Group.X25519}
    changed = bytes((*good[:20], good[20] ^ 1, *good[21:]))  # within the random: an ordinary ServerHello
    assert retried_group(changed) is None
