"""Writes `key-document.json` beside it. Keys and signatures are new each time; what the entries say stays."""

import dataclasses
import json
from pathlib import Path
from typing import Any

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
            {"what": "the first that this client sees", "document": TEXT, "payload": PAYLOAD, "at_least": 0},
        ],
        "bad": bad(),
    }
    path = Path(__file__).with_name("key-document.json")
    path.write_text(json.dumps(vectors, indent=1) + "\n")


if __name__ == "__main__":
    main()
