"""Mangled JSON and base64url for the modules of the pages, and what Python reads in each."""

import random
from typing import Any, Final

from watchword.core.encoding import decode_b64u, decode_json, encode_canonical_json
from watchword.errors import MalformedError

_SEEDS: Final = (
    b'{"v":1,"suite":"MLKEM768-X25519","kid":"a","purpose":"login","iss":"https://id.example"}',
    b'{"a":[1,-2,0,{"b":null}],"\\u0061b":"\\ud83d\\ude00 \\n","c":true,"":""}',
    '{"é":"ß😀","list":[[],{},[[0]]],"n":9007199254740991}'.encode(),
    b' [ "x" , 1 ,\t-1 ,\r\n false ] ',
)
_PIECES: Final = (
    b'"',
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"0",
    b"-",
    b".",
    b"e",
    b"\\",
    b"\\u",
    b"d800",
    b"\xff",
    b" ",
)
_ALPHABET: Final = "AQgwBCZz09-_+/= \nÄ"
_LARGEST: Final = (1 << 53) - 1
REFUSED: Final = "refused"


def asked_of_readers(chance: random.Random, count: int) -> dict[str, Any]:
    """What the modules are given; `AskedOfReaders` in web/test/mangled.ts reads it."""
    texts = ["".join(chance.choices(_ALPHABET, k=chance.randint(0, 9))) for _ in range(count)]
    return {
        "json": [mangled(chance, chance.choice(_SEEDS)).hex() for _ in range(count)],
        "base64url": texts,
    }


def mangled(chance: random.Random, data: bytes) -> bytes:
    """Cut, doubled, exchanged or with a piece put in, once or twice."""
    for _ in range(chance.randint(0, 2)):
        start = chance.randrange(len(data) + 1)
        end = min(len(data), start + chance.randint(0, 4))
        piece = chance.choice(
            (b"", data[start:end] * 2, chance.choice(_PIECES), bytes((chance.randrange(256),)))
        )
        data = data[:start] + piece + data[end:]
    return data


def check_readers(asked: dict[str, Any], answered: dict[str, Any]) -> None:
    """Both read the same, or both refuse."""
    read = [(text, json_read(bytes.fromhex(text))) for text in asked["json"]]
    found = [
        answer if answer == REFUSED else encode_canonical_json(answer[0]).decode()
        for answer in answered["json"]
    ]
    assert [(text, right) for (text, right), answer in zip(read, found, strict=True) if answer != right] == []
    decoded = [b64u_read(text) for text in asked["base64url"]]
    assert decoded == answered["base64url"]


def json_read(data: bytes) -> str:
    """As canonical JSON: JavaScript has an order of its own. It would round some numbers, and refuses those."""
    try:
        value = decode_json(data)
    except MalformedError:
        return REFUSED
    return (
        encode_canonical_json(value).decode() if all(abs(n) <= _LARGEST for n in numbers(value)) else REFUSED
    )


def numbers(value: Any) -> list[int]:
    if isinstance(value, dict | list):
        inside = value.values() if isinstance(value, dict) else value
        return [number for each in inside for number in numbers(each)]
    return [value] if type(value) is int else []


def b64u_read(text: str) -> str:
    try:
        return decode_b64u(text).hex()
    except MalformedError:
        return REFUSED
