"""FAULTS E1 to E19 at an application's door: a warmed middleware, a real key server, an application never reached."""

import base64
import functools
import hmac
import json
import socket
import sys
import time
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jwe
from joserfc.jwk import ECKey, OctKey
from tests.kits.tokens import (
    AUDIENCE,
    ISSUER,
    KEY,
    NOW,
    SECONDS,
    WELL_KNOWN,
    KeyServer,
    bearer,
    call,
    header,
    http_scope,
    key_set,
    payload,
    signed,
    token,
)

from watchword.core.clock import SystemClock
from watchword.core.encoding import decode_b64u, decode_json, encode_b64u, encode_json
from watchword.core.entropy import SystemEntropy
from watchword.crypto.authority import Authority
from watchword.crypto.certificates import root_fingerprint
from watchword.crypto.hpke import SealingPrivateKey, Suite
from watchword.crypto.signing import TokenSigningKey
from watchword.errors import WatchwordError
from watchword.middleware import WatchwordMiddleware
from watchword.protocol.keydocument import (
    KeyDocument,
    PublishedSealingKey,
    build_key_document,
    verify_key_document,
)
from watchword.testing import FixedClock
from watchword.testing.counts import count

pytestmark = pytest.mark.anyio
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_watched: list[tuple[str, str]] | None = None


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if _watched is not None and event in ("socket.connect", "socket.getaddrinfo", "open"):
        _watched.append((event, repr(arguments)))


@functools.cache
def _watching() -> bool:
    """Have the interpreter tell of every connection and file; cannot be undone, so it is idle outside of a test."""
    sys.addaudithook(_watch)
    return True


class Door:
    """The middleware with fresh keys, before an application that must not be reached."""

    def __init__(self, server: KeyServer) -> None:
        self.server = server
        self.reached = 0
        self.middleware = WatchwordMiddleware(
            self.app, issuer=server.origin, audience=AUDIENCE, bearer_ok=True, clock=FixedClock()
        )

    async def app(self, _scope: Any, _receive: Any, send: Any) -> None:
        self.reached += 1
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def status(self, text: str) -> int:
        return (await call(self.middleware, http_scope(headers=bearer(text)))).status

    async def refuses(self, *texts: str) -> None:
        for text in texts:
            answer = await call(self.middleware, http_scope(headers=bearer(text)))
            assert answer.status == 401, text[:200]
            assert answer.header("www-authenticate") == f'Bearer realm="{AUDIENCE}", error="invalid_token"'
        assert self.reached == 0
        assert await self.status(self.good()) == 200  # the next good one works
        self.reached = 0

    def body(self, **changes: Any) -> dict[str, Any]:
        return payload() | {"iss": self.server.origin} | changes

    def good(self) -> str:
        return signed(body=self.body())

    def with_header(self, **changes: Any) -> str:
        return signed(header() | changes, self.body())

    def with_body(self, **changes: Any) -> str:
        return signed(body=self.body(**changes))

    def without(self, claim: str) -> str:
        return signed(body={name: value for name, value in self.body().items() if name != claim})

    def unsigned(
        self, head: dict[str, Any] | bytes, signature: str = "", body: dict[str, Any] | None = None
    ) -> str:
        first = head if isinstance(head, bytes) else encode_json(head)
        return f"{encode_b64u(first)}.{encode_b64u(encode_json(body or self.body()))}.{signature}"

    def signed_by(self, head: dict[str, Any], sign: Callable[[bytes], bytes]) -> str:
        text = self.unsigned(head)[:-1]
        return f"{text}.{encode_b64u(sign(text.encode()))}"


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    with KeyServer(key_set(KEY)) as server:
        made = Door(server)
        assert await made.status(made.good()) == 200
        made.reached = 0
        yield made


async def test_alg_none_in_every_spelling_fault_E1(door):
    good = door.good().split(".")
    for alg in ("none", "None", "NONE", "noNE", "", " none", "none\0"):
        head = header() | {"alg": alg}
        await door.refuses(door.unsigned(head), door.unsigned(head, good[2]), door.with_header(alg=alg))
        await door.refuses(door.unsigned({"alg": alg}), door.unsigned({"alg": alg, "typ": "JWT"}, good[2]))
    await door.refuses(f"{good[0]}.{good[1]}.", f"{good[0]}.{good[1]}")


async def test_hmac_keyed_with_our_public_key_in_every_form_fault_E2(door):
    public = KEY.public._key
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    point = public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    forms = [
        pem, pem.rstrip(b"\n"), pem.replace(b"\n", b"\r\n"), b"".join(pem.split(b"\n")[1:-2]),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo), point, point[1:], point[1:33],
        encode_json(KEY.public.to_jwk()), json.dumps(KEY.public.to_jwk()).encode(), KEY.kid.encode(), b"",
        key_set(KEY),
    ]  # fmt: skip
    for secret in forms:
        for alg, digest in (
            ("HS256", "sha256"),
            ("HS384", "sha384"),
            ("HS512", "sha512"),
            ("ES256", "sha512"),
        ):
            await door.refuses(
                door.signed_by(header() | {"alg": alg}, functools.partial(hmac.digest, secret, digest=digest))
            )


async def test_the_right_algorithm_in_another_spelling_fault_E3(door):
    for alg in (
        "es256",
        "Es256",
        "ES256 ",
        " ES256",
        "ES256\0",
        "ES256\n",
        "\u0415S256",
        "E\u0405256",
        "ＥＳ256",
        "ES-256",
    ):
        await door.refuses(door.with_header(alg=alg))


async def test_algorithms_that_are_missing_odd_or_of_another_key_fault_E4(door):
    odd: tuple[Any, ...] = (
        None,
        [],
        ["ES256"],
        {},
        1,
        256,
        True,
        "XX",
        "ES384",
        "ES512",
        "ES256K",
        "PS256",
        "RSA1_5",
        "dir",
    )
    for alg in odd:
        await door.refuses(door.with_header(alg=alg))
    await door.refuses(signed({"typ": "at+jwt", "kid": KEY.kid}, door.body()))
    rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    with_rsa = functools.partial(rsa_key.sign, padding=padding.PKCS1v15(), algorithm=SHA256())
    ed448 = Ed448PrivateKey.generate()
    p384 = ec.generate_private_key(ec.SECP384R1())

    def with_p384(message: bytes) -> bytes:
        r, s = decode_dss_signature(p384.sign(message, ec.ECDSA(SHA256())))
        return r.to_bytes(48, "big") + s.to_bytes(48, "big")

    for sign in (with_rsa, ed448.sign, with_p384):
        await door.refuses(door.signed_by(header(), sign))
    await door.refuses(door.signed_by(header() | {"alg": "EdDSA"}, ed448.sign))
    await door.refuses(door.signed_by(header() | {"alg": "RS256"}, with_rsa))


async def test_a_key_of_another_kind_in_the_key_set_verifies_nothing_fault_E4(door):
    rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    jwk = {
        "kty": "RSA",
        "n": encode_b64u(rsa_key.public_key().public_numbers().n.to_bytes(256, "big")),
        "e": "AQAB",
    }
    keys = [KEY.public.to_jwk(), jwk | {"kid": "rsa"}, jwk | {"kid": "rsa-es", "alg": "ES256"}]
    door.server.body = encode_json({"keys": keys})
    other = Door(door.server)
    for kid in ("rsa", "rsa-es"):
        for alg in ("RS256", "ES256"):
            head = {"alg": alg, "typ": "at+jwt", "kid": kid}
            sign = functools.partial(rsa_key.sign, padding=padding.PKCS1v15(), algorithm=SHA256())
            await other.refuses(other.signed_by(head, sign))


async def test_a_key_in_the_header_is_not_believed_fault_E5(door):
    attacker = TokenSigningKey.generate()
    jwk = attacker.public.to_jwk()
    for head in (
        header(attacker) | {"jwk": jwk},
        header(KEY) | {"jwk": jwk},
        {"alg": "ES256", "typ": "at+jwt", "jwk": jwk},
    ):
        await door.refuses(signed(head, door.body(), key=attacker))
    await door.refuses(signed(header(KEY) | {"jwk": KEY.public.to_jwk()}, door.body()))
    await door.refuses(
        signed(header(attacker), door.body(), key=attacker), signed(header(KEY), door.body(), key=attacker)
    )


async def test_no_address_in_a_token_is_ever_opened_fault_E6(door):
    global _watched  # noqa: PLW0603  # an audit hook has no other way to hear of a test
    attacker = TokenSigningKey.generate()
    await door.refuses(
        signed(header(attacker), door.body(), key=attacker)
    )  # spends the early fetch for unknown ids
    asked = list(door.server.requests)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        port = listener.getsockname()[1]
        addresses = [
            f"http://127.0.0.1:{port}/jwks.json", f"https://localhost:{port}/", f"//127.0.0.1:{port}/",
            "file:///etc/passwd", "http://169.254.169.254/latest/meta-data/", door.server.origin + WELL_KNOWN,
            door.server.origin + "/other", ISSUER + WELL_KNOWN, "data:application/json,{}", "",
        ]  # fmt: skip
        assert _watching()
        for key in (attacker, KEY):
            for address in addresses:
                texts = [
                    signed(header(key) | {name: address}, door.body(), key=key)
                    for name in ("jku", "x5u", "url", "iss")
                ]
                texts.append(signed(header(key) | {"kid": address}, door.body(), key=key))
                texts.append(
                    signed(header(attacker), door.body(iss=address or "x", jku=address), key=attacker)
                )
                _watched = []
                try:
                    await door.refuses(*texts)
                    assert _watched == []
                finally:
                    _watched = None
        with pytest.raises(TimeoutError):
            listener.accept()
    assert door.server.requests == asked
    assert set(asked) == {WELL_KNOWN}


async def test_key_ids_open_no_file_and_no_database_fault_E7(door):
    global _watched  # noqa: PLW0603  # as above
    kids: list[Any] = [
        "../../dev/null", "' OR 1=1--", "\0", "x" * (1 << 20), [KEY.kid], 1, "", None, {}, True,
        KEY.kid + "\0", KEY.kid + " ",
        KEY.kid.swapcase(), "/dev/null", "|id", "%2e%2e", KEY.kid[:-1], "\u0430", "-" * 64, "_",
    ]  # fmt: skip
    await door.refuses(door.with_header(kid="spends-the-early-fetch"))
    assert _watching()
    _watched = []
    try:
        await door.refuses(*(door.with_header(kid=kid) for kid in kids))
        assert _watched == []
    finally:
        _watched = None


async def test_ten_thousand_unknown_key_ids_cause_no_storm_fault_E8(door):
    times = count(500, 10_000)
    texts = [door.with_header(kid=f"made-up-{number}") for number in range(100)]
    asked = len(door.server.requests)
    started = time.process_time()
    for number in range(times):
        assert await door.status(texts[number % 100]) == 401
    assert (time.process_time() - started) / times < 0.001
    assert len(door.server.requests) - asked <= 1


async def test_a_certificate_chain_in_the_header_is_not_believed_fault_E9(door):
    now = SystemClock().now()
    authority = Authority.create(now, SystemEntropy())
    issued = authority.issue_server(["localhost"], now)
    chain = [base64.b64encode(der).decode() for der in issued.chain_der()]
    for head in (
        header() | {"x5c": chain},
        {"alg": "ES256", "typ": "at+jwt", "x5c": chain},
        header() | {"x5t#S256": "A" * 43},
    ):
        await door.refuses(door.signed_by(head, issued.sign), signed(head, door.body()))


async def test_critical_and_unencoded_headers_fault_E10(door):
    for crit in (["x"], [], ["exp"], ["alg"], ["b64"], "exp", None, [1]):
        await door.refuses(door.with_header(crit=crit), door.with_header(crit=crit, b64=False, x=1))
    await door.refuses(
        door.with_header(b64=False), door.with_header(b64=True), door.with_header(exp=SECONDS + 9)
    )
    twice = encode_json(header())[:-1]
    for more in (b',"crit":["x"],"crit":[]}', b',"alg":"ES256"}', b',"kid":"x"}', b',"\\u0061lg":"ES256"}'):
        await door.refuses(signed(twice + more, door.body()))


async def test_a_compressed_token_is_refused_before_it_is_inflated_fault_E11(door):
    bomb = encode_b64u(zlib.compress(bytes(50 << 20), 9))
    head = encode_b64u(encode_json({"alg": "ECDH-ES", "enc": "A256GCM", "zip": "DEF", "kid": KEY.kid}))
    texts = [f"{head}..{'A' * 16}.{bomb}.{'A' * 22}", f"{head}..{'A' * 16}.{bomb[:4000]}.{'A' * 22}"]
    texts += [
        door.with_header(zip="DEF"),
        signed(header() | {"zip": "DEF"}, zlib.compress(encode_json(door.body()))),
    ]
    await door.refuses(*texts)
    tracemalloc.start()
    try:
        assert await door.status(texts[1]) == 401
        assert await door.status(texts[2]) == 401
        assert tracemalloc.get_traced_memory()[1] < 250_000
    finally:
        tracemalloc.stop()


async def test_password_based_encryption_costs_nothing_fault_E12(door):
    for p2c in (2**31 - 1, 0, -1, "1000", None):
        head = encode_json({"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2s": "A" * 16, "p2c": p2c})
        text = f"{encode_b64u(head)}.{'A' * 54}.{'A' * 16}.{'A' * 22}.{'A' * 22}"
        for one in (text, door.with_header(alg="PBES2-HS256+A128KW", p2c=p2c), door.with_header(p2c=p2c)):
            started = time.thread_time()
            assert await door.status(one) == 401
            assert time.thread_time() - started < 0.005
    assert door.reached == 0


async def test_json_serialisations_are_refused_fault_E13(door):
    first, second, third = door.good().split(".")
    one = {"protected": first, "signature": third}
    for form in (
        {"payload": second} | one,
        {"payload": second, "signatures": [one]},
        {"payload": second, "signatures": [one, one]},
        {"payload": second, "header": header(), "signature": third},
        [door.good()],
        door.good(),
    ):
        text = json.dumps(form)
        await door.refuses(text, encode_b64u(text.encode()), text.replace(" ", ""))


async def test_encrypted_and_nested_tokens_are_refused_fault_E14(door):
    key = ECKey.import_key(
        {name: value for name, value in KEY.public.to_jwk().items() if name not in ("alg", "use")}
    )
    inner = [door.unsigned({"alg": "none"}), door.unsigned(header()), door.good(), json.dumps(door.body())]
    for text in inner:
        for alg, enc in (("ECDH-ES", "A128CBC-HS256"), ("ECDH-ES+A128KW", "A128GCM")):
            sealed = jwe.encrypt_compact({"alg": alg, "enc": enc, "cty": "JWT", "kid": KEY.kid}, text, key)
            await door.refuses(sealed)
        outer = {"alg": "dir", "enc": "A256GCM"}
        await door.refuses(jwe.encrypt_compact(outer, text, OctKey.import_key(KEY.kid.encode()[:32])))
        await door.refuses(
            signed(body=text.encode()) if text.startswith("ey") else signed({"alg": "ES256"}, text.encode())
        )
        await door.refuses(signed(header() | {"cty": "JWT"}, text.encode()))


async def test_base64url_has_one_spelling_fault_E15(door):
    good = door.good()
    first, second, third = good.split(".")
    for mark in ("=", "==", "+", "/", " ", "\n", "\r\n", "\t", "?", "\0", "%3D", "\u00a0", ","):
        for text in (
            f"{first}{mark}.{second}.{third}",
            f"{first}.{second}{mark}.{third}",
            f"{good}{mark}",
            f"{mark}{good}",
        ):
            await door.refuses(text)
        await door.refuses(
            f"{first[:9]}{mark}{first[9:]}.{second}.{third}", f"{first}.{second}.{third[:9]}{mark}{third[9:]}"
        )
    signs = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    place = signs.index(third[-1])
    await door.refuses(*(f"{first}.{second}.{third[:-1]}{signs[place + spare]}" for spare in range(1, 16)))
    await door.refuses(
        f"{first}.{second}",
        f"{good}.",
        f".{good}",
        f"{good}.{third}",
        f"{good}.a.b",
        first,
        ".",
        "..",
        "...",
        "",
    )
    standard = base64.b64encode(decode_b64u(third)).decode()
    await door.refuses(f"{first}.{second}.{standard}", f"{first}.{second}.{standard.rstrip('=')}=")


async def test_signatures_out_of_range_or_form_fault_E16(door):
    first, second, third = door.good().split(".")
    raw = decode_b64u(third)
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")

    def pair(one: int, two: int) -> bytes:
        return one.to_bytes(32, "big") + two.to_bytes(32, "big")

    top = (1 << 256) - 1
    bad = [
        pair(0, 0), pair(r, 0), pair(0, s), pair(_ORDER, s), pair(r, _ORDER), pair(_ORDER, _ORDER), pair(top, top),
        pair(1, 1), pair(s, r), pair(_ORDER - r, s), pair(r, s ^ 1), raw[:63], raw + b"\0", b"\0" + raw, raw[:32], b"",
        encode_dss_signature(r, s), bytes(64), bytes(132),
    ]  # fmt: skip
    if r + _ORDER <= top:
        bad.append(pair(r + _ORDER, s))
    await door.refuses(*(f"{first}.{second}.{encode_b64u(one)}" for one in bad))


async def test_times_fault_E17(door):
    for claim in ("exp", "nbf", "iat", "auth_time"):
        await door.refuses(door.without(claim))
        values: tuple[Any, ...] = (
            None,
            str(SECONDS + 300),
            SECONDS + 0.5,
            -1,
            True,
            False,
            [SECONDS],
            {},
            "",
            1 << 63,
            10**30,
        )
        for value in values:
            await door.refuses(door.with_body(**{claim: value}))
        raw = encode_json(door.body()).replace(
            f'"{claim}":{door.body()[claim]}'.encode(), f'"{claim}":%s'.encode() % b"1e300", 1
        )
        assert b"1e300" in raw
        for number in (b"1e300", b"1e9", b"NaN", b"Infinity", b"-0", b"01", b"0x1", b"9" * 10_00):
            await door.refuses(signed(body=raw.replace(b"1e300", number)))
    await door.refuses(door.with_body(exp=0), door.with_body(exp=SECONDS), door.with_body(exp=SECONDS + 3601))
    await door.refuses(door.with_body(nbf=SECONDS + 61), door.with_body(iat=SECONDS + 61, nbf=SECONDS))
    await door.refuses(door.with_body(iat=SECONDS - 900, nbf=SECONDS - 900, exp=SECONDS - 60))
    for edge in (
        {"nbf": SECONDS + 60},
        {"iat": SECONDS + 60},
        {"iat": SECONDS - 900, "nbf": SECONDS - 900, "exp": SECONDS - 59},
    ):
        assert await door.status(door.with_body(**edge)) == 200
    assert NOW % 1000 == 0


async def test_issuer_and_audience_fault_E18(door):
    origin = door.server.origin
    for iss in (
        origin + "/",
        origin.upper(),
        origin.replace("http", "HTTP"),
        origin[:-1],
        origin + "0",
        ISSUER,
        "",
        None,
        [origin],
    ):
        await door.refuses(door.with_body(iss=iss))
    await door.refuses(door.without("iss"), door.without("aud"))
    auds: list[Any] = [
        [], [AUDIENCE], [AUDIENCE, "https://other.example"], ["https://other.example"], None, "", AUDIENCE + "/",
        AUDIENCE + ".evil.example", "x" + AUDIENCE, AUDIENCE[:-1], AUDIENCE.upper(), AUDIENCE + ":443", {"a": AUDIENCE},
        AUDIENCE + " https://other.example", True, origin,
    ]  # fmt: skip
    await door.refuses(*(door.with_body(aud=aud) for aud in auds))


async def test_what_else_the_server_signs_is_no_access_token_and_the_reverse_fault_E19(door):
    now = SystemClock().now()
    authority = Authority.create(now, SystemEntropy())
    signer = authority.issue_document_signer(now)
    root = authority.root.certificate
    sealing = SealingPrivateKey.generate(Suite.X25519, SystemEntropy())
    document = KeyDocument(
        issuer=door.server.origin,
        number=1,
        issued_at=now,
        expires_at=type(now)(now + 600_000),
        sealing=(PublishedSealingKey(kid="seal", key=sealing.public, is_current=True),),
        signing=(KEY.public,),
    )
    text = build_key_document(document, signer=signer, root=root)
    pin = root_fingerprint(root)
    assert verify_key_document(text, pin=pin, now=now, at_least=0).number == 1
    await door.refuses(text)
    for typ in (
        "JWT",
        "watchword-keys+jwt",
        "logout+jwt",
        "dpop+jwt",
        "secevent+jwt",
        "client-authentication+jwt",
    ):
        await door.refuses(door.with_header(typ=typ))
    # the payload of one under the header and key of the other
    await door.refuses(signed(body=decode_json(decode_b64u(text.split(".")[1]))))
    for other in (token(now), signed(body=door.body()), signed(decode_b64u(text.split(".")[0]), door.body())):
        with pytest.raises(WatchwordError):
            verify_key_document(other, pin=pin, now=now, at_least=0)


def test_the_key_set_shows_no_private_or_symmetric_part_fault_E32():
    for jwk in decode_json(key_set(KEY, TokenSigningKey.generate()))["keys"]:
        assert set(jwk) == {"kty", "crv", "x", "y", "kid", "alg", "use"}
