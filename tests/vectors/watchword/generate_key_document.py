"""Write `key-document.json` anew: `python -m tests.vectors.watchword.generate_key_document`.

Keys and signatures are new each time; what the entries say stays.
"""

import base64
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding
from tests.kits.other_certificates import AUTHORITY as IS_AUTHORITY
from tests.kits.other_certificates import MORE, NOT_AUTHORITY, Draft, named, uris, usage

from watchword.core.clock import DAY, MINUTE, Instant
from watchword.core.encoding import decode_b64u, decode_json, encode_b64u, encode_json
from watchword.core.entropy import SystemEntropy
from watchword.crypto.authority import Authority, Issued
from watchword.crypto.hpke import SealingPrivateKey, Suite
from watchword.crypto.signing import TokenSigningKey
from watchword.protocol.keydocument import (
    KeyDocument,
    PublishedSealingKey,
    build_key_document,
    root_fingerprint,
)

NOW = Instant(1_800_000_000_000)
AUTHORITY, STRANGER = (Authority.create(NOW, SystemEntropy()) for _ in range(2))
SIGNER = AUTHORITY.issue_document_signer(NOW)
DOCUMENT = KeyDocument(
    issuer="https://id.example",
    number=7,
    issued_at=NOW,
    expires_at=Instant(NOW + 30 * DAY),
    sealing=tuple(
        PublishedSealingKey(
            kid=f"key{place}",
            key=SealingPrivateKey.generate(suite, SystemEntropy()).public,
            is_current=place < 2,
        )
        for place, suite in enumerate([Suite.HYBRID, Suite.X25519, Suite.X25519])
    ),
    signing=(TokenSigningKey.generate().public,),
)
TEXT = build_key_document(DOCUMENT, signer=SIGNER, root=AUTHORITY.root.certificate)
ROOT = AUTHORITY.root.certificate
HEADER, PAYLOAD = (decode_json(decode_b64u(part)) for part in TEXT.split(".")[:2])


def sign(header: dict[str, Any], payload: dict[str, Any], signer: Issued = SIGNER) -> str:
    signed = f"{encode_b64u(encode_json(HEADER | header))}.{encode_b64u(encode_json(PAYLOAD | payload))}"
    return f"{signed}.{encode_b64u(signer.sign(signed.encode()))}"


def built(signer: Issued, root: Issued = AUTHORITY.root) -> str:
    return build_key_document(DOCUMENT, signer=signer, root=root.certificate)


def bad() -> list[dict[str, Any]]:
    jwk, sealing = PAYLOAD["jwks"]["keys"][0], PAYLOAD["sealing"][0]
    ended = dataclasses.replace(DOCUMENT, expires_at=Instant(NOW + 900 * DAY))
    lower = Authority(
        root=AUTHORITY.intermediate, intermediate=AUTHORITY.intermediate, entropy=SystemEntropy()
    )
    direct = Authority(root=AUTHORITY.root, intermediate=AUTHORITY.root, entropy=SystemEntropy())
    first, second, third = TEXT.split(".")
    changed = encode_b64u(encode_json(PAYLOAD | {"number": 8}))
    return [
        {"step": 1, "why": "too long", "document": TEXT + "A" * 65536},
        {"step": 2, "why": "alg none", "document": sign({"alg": "none"}, {})},
        {"step": 2, "why": "another typ", "document": sign({"typ": "at+jwt"}, {})},
        {"step": 2, "why": "a member more in the header", "document": sign({"kid": "x"}, {})},
        {"step": 2, "why": "only one certificate", "document": sign({"x5c": HEADER["x5c"][:1]}, {})},
        {"step": 2, "why": "four parts", "document": f"{TEXT}.AAAA"},
        {"step": 3, "why": "another root", "document": built(STRANGER.issue_document_signer(NOW), STRANGER.root)},
        {"step": 4, "why": "signer of another root", "document": built(STRANGER.issue_document_signer(NOW))},
        {"step": 4, "why": "signer under the intermediate", "document": built(lower.issue_document_signer(NOW))},
        {"step": 4, "why": "a server certificate", "document": built(direct.issue_server(["id.example"], NOW))},
        {"step": 4, "why": "the intermediate", "document": built(AUTHORITY.intermediate)},
        {
            "step": 4,
            "why": "the signer has ended",
            "document": build_key_document(ended, signer=SIGNER, root=AUTHORITY.root.certificate),
            "now": SIGNER.ends_at + MINUTE,
        },
        {"step": 5, "why": "payload changed", "document": f"{first}.{changed}.{third}"},
        {"step": 5, "why": "no signature", "document": f"{first}.{second}."},
        {"step": 5, "why": "another signer's", "document": sign({}, {}, AUTHORITY.issue_document_signer(NOW))},
        {"step": 6, "why": "another version", "document": sign({}, {"v": 2})},
        {"step": 6, "why": "a member more", "document": sign({}, {"more": 1})},
        {"step": 6, "why": "number is a text", "document": sign({}, {"number": "7"})},
        {"step": 6, "why": "one kid twice", "document": sign({}, {"sealing": [sealing, sealing]})},
        {"step": 6, "why": "kid like a path", "document": sign({}, {"sealing": [sealing | {"kid": "../x"}]})},
        {"step": 6, "why": "a private member", "document": sign({}, {"jwks": {"keys": [jwk | {"d": jwk["x"]}]}})},
        {"step": 6, "why": "no signing key", "document": sign({}, {"jwks": {"keys": []}})},
        {"step": 7, "why": "ended", "document": TEXT, "now": DOCUMENT.expires_at + MINUTE},
        {"step": 7, "why": "from the future", "document": sign({}, {"issued_at": NOW // 1000 + 61})},
        {"step": 8, "why": "older than the last", "document": TEXT, "at_least": 8},
    ]  # fmt: skip


def chained(*chain: x509.Certificate) -> str:
    """The good payload under another chain, signed by the signer's key."""
    return encoded(*(certificate.public_bytes(Encoding.DER) for certificate in chain))


def encoded(*chain: bytes) -> str:
    return sign({"x5c": [base64.b64encode(der).decode() for der in chain]}, {})


def bad_headers() -> Iterator[tuple[str, str]]:
    """Step 2."""
    signer, root = (certificate.public_bytes(Encoding.DER) for certificate in (SIGNER.certificate, ROOT))
    twice = encode_b64u(encode_json(HEADER)[:-1] + b',"alg":"ES256"}')
    yield "a member of the header twice", f"{twice}.{TEXT.split('.', 1)[1]}"
    yield "header in base64 with padding", f"{TEXT.split('.')[0]}=.{TEXT.split('.', 1)[1]}"
    urlsafe = [base64.urlsafe_b64encode(der + b"\xff\xff\xff").decode() for der in (signer, root)]
    yield "certificates in base64url", sign({"x5c": urlsafe}, {})
    yield "a byte after a certificate", encoded(signer + b"\0", root)
    yield "a certificate cut by a byte", encoded(signer, root[:-1])
    yield "a certificate of indefinite length", encoded(signer, b"\x30\x80" + root[4:] + b"\0\0")
    yield "a certificate too large", encoded(signer, root + bytes(2048))
    yield "no certificate at all", encoded(b"", root)
    other = dataclasses.replace(
        Draft.signer(AUTHORITY.root, SIGNER), key=ec.generate_private_key(ec.SECP384R1())
    )
    yield "a signer of P-384", chained(other.made(), ROOT)
    yield "three certificates", encoded(signer, root, root)


def bad_roots() -> Iterator[tuple[str, str]]:
    """Step 3: roots with the pinned key."""
    good = Draft.root(AUTHORITY.root)
    stranger = ec.generate_private_key(ec.SECP256R1())
    for why, root in (
        ("an extension more", good.having(MORE)),
        ("without its key id", good.without(x509.SubjectKeyIdentifier)),
        ("no authority", good.having(NOT_AUTHORITY)),
        ("no usage for certificates", good.having(usage(signs=True))),
        ("signed by another key", dataclasses.replace(good, signs=stranger)),
        ("issued under another name", dataclasses.replace(good, issuer=named("other"))),
        ("ended", dataclasses.replace(good, starts_at=Instant(NOW - 366 * DAY - MINUTE))),
        ("not yet begun", dataclasses.replace(good, starts_at=Instant(NOW + MINUTE + 1000))),
    ):
        yield f"a root with the pinned key: {why}", chained(SIGNER.certificate, root.made())


def bad_signers() -> Iterator[tuple[str, str]]:
    """Step 4: signers with the right key."""
    good = Draft.signer(AUTHORITY.root, SIGNER)
    for why, signer in (
        ("an authority", good.having(IS_AUTHORITY)),
        ("no usage for signatures", good.having(usage())),
        ("an extension more", good.having(MORE)),
        ("without its issuer's key id", good.without(x509.AuthorityKeyIdentifier)),
        ("for another use", good.having(uris("urn:watchword:other"))),
        ("a second name", good.having(uris("urn:watchword:key-document", "urn:watchword:other"))),
        ("named as a host", good.having(x509.SubjectAlternativeName([x509.DNSName("id.example")]))),
        ("issued under another name", dataclasses.replace(good, issuer=named("other"))),
        ("signed by itself", dataclasses.replace(good, signs=good.key)),
        ("not yet begun", dataclasses.replace(good, starts_at=Instant(NOW + MINUTE + 1000))),
    ):
        yield f"a signer: {why}", chained(signer.made(), ROOT)


def bad_signatures() -> Iterator[tuple[str, str]]:
    """Step 5."""
    signed, _, signature = TEXT.rpartition(".")
    raw = decode_b64u(signature)
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    yield "a signature of zeros", f"{signed}.{encode_b64u(bytes(64))}"
    yield "a signature in DER", f"{signed}.{encode_b64u(utils.encode_dss_signature(r, s))}"
    yield "the halves of the signature exchanged", f"{signed}.{encode_b64u(raw[32:] + raw[:32])}"


def bad_payloads() -> Iterator[tuple[str, str]]:
    """Step 6."""
    jwk, sealing = PAYLOAD["jwks"]["keys"][0], PAYLOAD["sealing"][0]
    public = decode_b64u(sealing["public"])
    changes: dict[str, dict[str, Any]] = {
        "number 2^53": {"number": 1 << 53},
        "number zero": {"number": 0},
        "number true": {"number": True},
        "an empty issuer": {"iss": ""},
        "an issuer too long": {"iss": "https://" + "a" * 248},
        "no sealing key": {"sealing": []},
        "too many sealing keys": {"sealing": [sealing | {"kid": f"key{place}"} for place in range(17)]},
        "an unknown suite": {"sealing": [sealing | {"suite": "P-256"}]},
        "an unknown state": {"sealing": [sealing | {"state": "next"}]},
        "a sealing key of another suite's size": {"sealing": [sealing | {"suite": "X25519"}]},
        "an ML-KEM coefficient out of range": {
            "sealing": [sealing | {"public": encode_b64u(b"\xff\xff\xff" + public[3:])}]
        },
        "a point of small order": {"sealing": [sealing | {"public": encode_b64u(public[:-32] + bytes(32))}]},
        "a signing key beside the curve": {"jwks": {"keys": [jwk | {"x": jwk["y"], "y": jwk["x"]}]}},
        "a signing kid like a path": {"jwks": {"keys": [jwk | {"kid": "../x"}]}},
        "a signing key for encryption": {"jwks": {"keys": [jwk | {"use": "enc"}]}},
        "a member more beside the keys": {"jwks": {"keys": [jwk], "more": 1}},
    }
    for why, change in changes.items():
        yield why, sign({}, change)
    for why, text in {
        "a member of the payload twice": encode_json(PAYLOAD)[:-1] + b',"v":1}',
        "a fraction": encode_json(PAYLOAD).replace(b'"number":7', b'"number":7.0'),
        "not JSON": b"{",
        "a byte order mark": b"\xef\xbb\xbf" + encode_json(PAYLOAD),
    }.items():
        signed = f"{TEXT.partition('.')[0]}.{encode_b64u(text)}"
        yield why, f"{signed}.{encode_b64u(SIGNER.sign(signed.encode()))}"


def more_bad() -> Iterator[dict[str, Any]]:
    for step, makers in {
        2: bad_headers,
        3: bad_roots,
        4: bad_signers,
        5: bad_signatures,
        6: bad_payloads,
    }.items():
        for why, document in makers():
            yield {"step": step, "why": why, "document": document}


def main() -> None:
    vectors = {
        "pin": root_fingerprint(AUTHORITY.root.certificate).hex(),
        "now": NOW,
        "at_least": 7,
        "good": [
            {"what": "a document", "document": TEXT, "payload": PAYLOAD},
            {
                "what": "in its last moment",
                "document": TEXT,
                "payload": PAYLOAD,
                "now": DOCUMENT.expires_at + MINUTE - 1,
            },
            {
                "what": "in its first moment",
                "document": sign({}, {"issued_at": NOW // 1000 + 60}),
                "payload": PAYLOAD | {"issued_at": NOW // 1000 + 60},
            },
            {"what": "the first that this client sees", "document": TEXT, "payload": PAYLOAD, "at_least": 0},
            {
                "what": "under certificates drafted by hand",
                "document": chained(
                    Draft.signer(AUTHORITY.root, SIGNER).made(), Draft.root(AUTHORITY.root).made()
                ),
                "payload": PAYLOAD,
            },
        ],
        "bad": sorted([*bad(), *more_bad()], key=lambda entry: entry["step"]),
    }
    path = Path(__file__).with_name("key-document.json")
    path.write_text(json.dumps(vectors, indent=1) + "\n")


if __name__ == "__main__":
    main()
