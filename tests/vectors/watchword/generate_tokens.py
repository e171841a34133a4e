"""Write `tokens.json` anew: `python -m tests.vectors.watchword.generate_tokens`. Signatures are random by nature."""

import json
from pathlib import Path
from typing import Any

from tests.kits.tokens import AUDIENCE, ISSUER, NOW, SECONDS, header, payload, signed

from watchword.core.encoding import decode_b64u, encode_b64u, encode_json
from watchword.crypto.signing import TokenSigningKey
from watchword.protocol.tokens import Step

HERE = Path(__file__).parent
KEY = TokenSigningKey.generate()


def make(head: dict[str, Any] | bytes | None = None, body: dict[str, Any] | bytes | None = None) -> str:
    return signed(header(KEY) if head is None else head, body, key=KEY)


def good() -> list[dict[str, Any]]:
    everything = payload() | {"name": "Ålice Ünal", "email": "alice@app.example", "cnf": {"jkt": "A" * 43}}
    cases = {
        "a token": (make(), NOW),
        "all optional claims": (make(body=everything), NOW),
        "no scope": (make(body=payload() | {"scope": ""}), NOW),
        "an unknown claim": (make(body=payload() | {"later": {"x": None}}), NOW),
        "the longest life": (make(body=payload() | {"exp": SECONDS + 3600}), NOW),
        "header members in another order": (
            make(b'{"kid":"%s","typ":"at+jwt","alg":"ES256"}' % KEY.kid.encode()),
            NOW,
        ),
        "the first millisecond": (make(), NOW - 60_000),
        "the last millisecond": (make(), NOW + 660_000 - 1),
    }
    return [{"what": what, "token": text, "now": now} for what, (text, now) in cases.items()]


def bad() -> list[dict[str, Any]]:
    first, second, third = make().split(".")
    stranger = signed(header(KEY), key=TokenSigningKey.generate())
    without = {name: value for name, value in payload().items() if name != "jti"}
    cases: list[tuple[Step, str, str, int]] = [
        (Step.SIZE, "8193 characters", f"{first}.{second}.{third}".ljust(8193, "A"), NOW),
        (Step.PARTS, "two parts", f"{first}.{second}", NOW),
        (Step.PARTS, "a fourth part", f"{first}.{second}.{third}.{third}", NOW),
        (Step.PARTS, "an empty signature", f"{first}.{second}.", NOW),
        (Step.BASE64URL, "padding", f"{first}.{second}.{third}==", NOW),
        (Step.BASE64URL, "a spare bit", f"{first}.{second}.{third[:-1]}{chr(ord(third[-1]) + 1)}", NOW),
        (Step.HEADER_JSON, "a member twice", make(encode_json(header(KEY))[:-1] + b',"alg":"ES256"}'), NOW),
        (Step.HEADER_JSON, "a list", make(b"[]"), NOW),
        (Step.HEADER_MEMBERS, "crit", make(header(KEY) | {"crit": ["exp"]}), NOW),
        (Step.HEADER_MEMBERS, "jwk", make(header(KEY) | {"jwk": KEY.public.to_jwk()}), NOW),
        (Step.HEADER_MEMBERS, "no typ", make({"alg": "ES256", "kid": KEY.kid}), NOW),
        (Step.ALGORITHM, "none", make(header(KEY) | {"alg": "none"}), NOW),
        (Step.ALGORITHM, "lower case", make(header(KEY) | {"alg": "es256"}), NOW),
        (Step.TYPE, "JWT", make(header(KEY) | {"typ": "JWT"}), NOW),
        (Step.KEY_ID, "a path", make(header(KEY) | {"kid": "../../dev/null"}), NOW),
        (Step.KEY_ID, "65 characters", make(header(KEY) | {"kid": "k" * 65}), NOW),
        (Step.SIGNATURE_FORM, "63 bytes", f"{first}.{second}.{encode_b64u(decode_b64u(third)[:63])}", NOW),
        (Step.KEY, "an unknown key id", make(header(KEY) | {"kid": "unknown"}), NOW),
        (Step.SIGNATURE, "another key", stranger, NOW),
        (Step.SIGNATURE, "r and s are zero", f"{first}.{second}.{'A' * 86}", NOW),
        (
            Step.SIGNATURE,
            "another payload",
            f"{first}.{encode_b64u(encode_json(payload() | {'level': 9}))}.{third}",
            NOW,
        ),
        (Step.PAYLOAD_JSON, "a claim twice", make(body=encode_json(payload())[:-1] + b',"level":9}'), NOW),
        (Step.PAYLOAD_JSON, "a fraction", make(body=encode_json(payload())[:-1] + b',"x":1.5}'), NOW),
        (Step.CLAIMS, "no jti", make(body=without), NOW),
        (Step.CLAIMS, "exp is true", make(body=payload() | {"exp": True}), NOW),
        (Step.CLAIMS, "aud is a list", make(body=payload() | {"aud": [AUDIENCE]}), NOW),
        (Step.CLAIMS, "cnf is null", make(body=payload() | {"cnf": None}), NOW),
        (Step.CLAIMS, "level is 10", make(body=payload() | {"level": 10}), NOW),
        (Step.ISSUER, "a trailing slash", make(body=payload() | {"iss": ISSUER + "/"}), NOW),
        (Step.AUDIENCE, "another application", make(body=payload() | {"aud": "https://other.example"}), NOW),
        (Step.LIFE, "a second more than an hour", make(body=payload() | {"exp": SECONDS + 3601}), NOW),
        (Step.ISSUED_AT, "61 seconds ahead", make(body=payload() | {"iat": SECONDS + 61}), NOW),
        (Step.NOT_BEFORE, "61 seconds ahead", make(body=payload() | {"nbf": SECONDS + 61}), NOW),
        (Step.EXPIRY, "the first millisecond after", make(), NOW + 660_000),
        (
            Step.BOUND,
            "cnf, presented as a bearer token",
            make(body=payload() | {"cnf": {"jkt": "A" * 43}}),
            NOW,
        ),
        (Step.UNBOUND, "no cnf, where bearer tokens are not taken", make(), NOW),
    ]
    return [
        {"step": int(step), "name": step.name.lower(), "why": why, "token": text, "now": now}
        for step, why, text, now in cases
    ]


def main() -> None:
    content = {
        "issuer": ISSUER,
        "audience": AUDIENCE,
        "jwks": {"keys": [KEY.public.to_jwk()]},
        "good": good(),
        "bad": bad(),
    }
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    (HERE / "tokens.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
