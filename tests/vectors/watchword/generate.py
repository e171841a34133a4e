"""Write `jwe.json`, `hpke.json` and `passwords.json` anew: `python tests/vectors/watchword/generate.py`.

HPKE seals are random, so each run writes others; seals that another implementation made are kept as they are.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from watchword.core.secret import Secret
from watchword.crypto.hpke import SealingPrivateKey, Suite
from watchword.crypto.jwe import encode_jwe_with_nonce
from watchword.crypto.passwords import StretchParams, login_secret, stretch, wrapping_key

HERE = Path(__file__).parent
US = "watchword"
INFO = b"watchword/v1/envelope\0header"
TEXTS = (b"", b'{"identifier":"ada"}')
KEY, KID, TYP = bytes(range(32)), "reply:1", "watchword-login+jwe"
FIELD = (1 << 255) - 19
ENC_SIZES = {Suite.HYBRID: 1120, Suite.X25519: 32}


def write(name: str, content: dict[str, Any]) -> None:
    (HERE / name).write_text(json.dumps(content, indent=1) + "\n")


def flip(data: bytes, position: int) -> bytes:
    return data[:position] + bytes((data[position] ^ 1,)) + data[position + 1 :]


def hpke_seed(number: int) -> Secret:
    return Secret(bytes((7 * place + number + 1) & 0xFF for place in range(32)))


def hpke_good(suite: Suite) -> Iterator[dict[str, str]]:
    for number, text in enumerate(TEXTS):
        key = SealingPrivateKey.from_seed(suite, hpke_seed(number))
        yield {
            "suite": suite.value,
            "sealed_by": US,
            "seed": key.seed().reveal().hex(),
            "public": key.public.to_bytes().hex(),
            "info": INFO.hex(),
            "plaintext": text.hex(),
            "sealed": key.public.seal(text, info=INFO).hex(),
        }


def hpke_bad(suite: Suite) -> Iterator[dict[str, str]]:
    key, enc = SealingPrivateKey.from_seed(suite, hpke_seed(1)), ENC_SIZES[suite]
    sealed = key.public.seal(TEXTS[1], info=INFO)
    head, point, rest = sealed[: enc - 32], sealed[enc - 32 : enc], sealed[enc:]
    high_bit = point[:31] + bytes((point[31] | 0x80,))
    changed = {
        "first bit of the encapsulation flipped": flip(sealed, 0),
        "last byte of the tag changed": flip(sealed, len(sealed) - 1),
        "one byte too short": sealed[:-1],
        "one byte too long": sealed + b"\0",
        "only the encapsulation": sealed[:enc],
        "empty": b"",
        "encapsulated point zero": head + bytes(32) + rest,
        "encapsulated point of order eight": head + ORDER_EIGHT + rest,
        "encapsulated point not canonical, the high bit set": head + high_bit + rest,
        "encapsulated point not canonical, p + 9": head + (FIELD + 9).to_bytes(32, "little") + rest,
    }
    common = {"suite": suite.value, "seed": key.seed().reveal().hex()}
    for why, data in changed.items():
        yield common | {"why": why, "info": INFO.hex(), "sealed": data.hex()}
    yield common | {"why": "another info", "info": flip(INFO, 9).hex(), "sealed": sealed.hex()}
    other = SealingPrivateKey.from_seed(suite, hpke_seed(2)).public.seal(b"x", info=INFO)
    yield common | {"why": "sealed to another key", "info": INFO.hex(), "sealed": other.hex()}


ORDER_EIGHT = bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800")


def bad_public_keys() -> Iterator[dict[str, str]]:
    for suite in Suite:
        data = SealingPrivateKey.from_seed(suite, hpke_seed(0)).public.to_bytes()
        changed = {
            "point zero": data[:-32] + bytes(32),
            "point of order eight": data[:-32] + ORDER_EIGHT,
            "point not canonical, p": data[:-32] + FIELD.to_bytes(32, "little"),
            "one byte too short": data[:-1],
            "one byte too long": data + b"\0",
        }
        if suite is Suite.HYBRID:
            changed["ML-KEM coefficient out of range"] = b"\xff\xff\xff" + data[3:]
        for why, bad in changed.items():
            yield {"suite": suite.value, "why": why, "public": bad.hex()}


def hpke() -> dict[str, Any]:
    path = HERE / "hpke.json"
    kept = json.loads(path.read_text())["good"] if path.exists() else []
    foreign = [one for one in kept if one["sealed_by"] != US]
    return {
        "good": [one for suite in Suite for one in hpke_good(suite)] + foreign,
        "bad": [one for suite in Suite for one in hpke_bad(suite)],
        "bad_public_keys": list(bad_public_keys()),
    }


def encode(text: bytes, *, key: bytes = KEY, kid: str = KID, typ: str = TYP, nonce: int = 1) -> str:
    return encode_jwe_with_nonce(text, Secret(key), kid=kid, typ=typ, nonce=nonce.to_bytes(12, "big"))


def jwe() -> dict[str, Any]:
    common = {"key": KEY.hex(), "kid": KID, "typ": TYP}
    good = [
        common | {"nonce": n.to_bytes(12, "big").hex(), "plaintext": text.hex(), "jwe": encode(text, nonce=n)}
        for n, text in enumerate((*TEXTS, bytes(100)))
    ]
    text = encode(TEXTS[1])
    header, _, nonce, ciphertext, tag = text.split(".")
    changed = {
        "another key": encode(TEXTS[1], key=bytes(32)),
        "another kid": encode(TEXTS[1], kid="reply:2"),
        "another typ": encode(TEXTS[1], typ="watchword-begin+jwe"),
        "encrypted key present": f"{header}.AA.{nonce}.{ciphertext}.{tag}",
        "padding": f"{text}==",
        "tag cut to 12 bytes": f"{header}..{nonce}.{ciphertext}.{tag[:16]}",
        "tag cut into the ciphertext": f"{header}..{nonce}.{ciphertext[:-3]}.{ciphertext[-3:]}{tag}",
        "nonce of 15 bytes": f"{header}..{nonce}AAAA.{ciphertext}.{tag}",
        "spare bits of the tag set": f"{header}..{nonce}.{ciphertext}.{tag[:-1]}{chr(ord(tag[-1]) + 1)}",
        "four parts": f"{header}..{nonce}.{ciphertext}",
        "six parts": f"{text}.",
        "empty": "",
    }
    return {"good": good, "bad": [common | {"why": why, "jwe": bad} for why, bad in changed.items()]}


def passwords() -> dict[str, Any]:
    salt = bytes(range(16))
    cases = []
    for password, params in (
        ("correct horse battery staple", StretchParams()),
        ("pässwörd ✓ 🔑 of length", StretchParams(passes=4)),
    ):
        stretched = stretch(Secret.from_text(password), salt, params)
        cases.append(
            {
                "password": password,
                "salt": salt.hex(),
                "params": params.to_json(),
                "stretched": stretched.reveal().hex(),
                "login_secret": login_secret(stretched, salt=salt, params=params).reveal().hex(),
                "wrapping_key": wrapping_key(stretched, salt=salt, params=params).reveal().hex(),
            }
        )
    return {"good": cases}


if __name__ == "__main__":
    write("hpke.json", hpke())
    write("jwe.json", jwe())
    write("passwords.json", passwords())
