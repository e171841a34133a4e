"""Many passwords, names and addresses for the modules of the pages, and what Python says of each.

No domain is among them that only UTS 46 takes, as browsers do: IDNA 2008 refuses a few more, and the server has it.
"""

import random
import sys
import unicodedata
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any, Final

from watchword.protocol import common_passwords
from watchword.protocol.names import InvalidNameError, parse_display_name, parse_email, parse_username
from watchword.protocol.names.reserved import RESERVED_NAMES
from watchword.protocol.passwords import PasswordRefusedError, check_new, prepare

FILE: Final = Path(common_passwords.__file__).parent / "data/common_passwords.bin"
SERVICE: Final = "Straßen-Amt"
_CONTEXTS: Final = "l·l\u0375α\u05f3א\u30fbカ٠٩۰۹\u200c\u200d\u094dकب\u0640\ua872"
_SPACES: Final = "\u00a0\u1680\u2000\u200a\u202f\u205f\u3000\u200b\u2028\t\n\x00\x7f"
_CASES: Final = "ßẞİıΣςσſKÅᾳᾼŉǰΐᏸꭰԱևﬀﬃ"
_MARKS: Final = "\u0301\u0308\u0327\u0307\u034f\u1100\u1161\u11a8\u0344\u2126\ufb1d\U0001d15e\u0f73"
_LOOKALIKES: Final = "аеорсхіІlI1|0Оοоⅿｍᴦɩ\u0307"
_EMAIL_SIGNS: Final = "abz09@@..-_+'&~!\"()äб@"
_JOINED: Final = "\u200c\u200d\u2764\ufe0f👨👩 \u202e\ufeff\u2065\ue000\uffff\ufdd0"
SHOWN: Final = {
    "Ana\u00a0Maria": "Ana Maria",
    " \u3000Ada\u2003Lovelace ": "Ada Lovelace",
    "👨\u200d👩\u200d👧 Kim": "👨\u200d👩\u200d👧 Kim",
    "\u2764\ufe0f\u200d🔥": "\u2764\ufe0f\u200d🔥",
    "می\u200cخواهم": "می\u200cخواهم",
    "क\u094d\u200dष": "क\u094d\u200dष",
    "x" * 100 + "\u00a0": "x" * 100,
    "👩" * 100: "👩" * 100,
    "Ada\U0001fadf": "Ada\U0001fadf",
    "": "",
    "\u00a0": "",
}
"""Names to show, and how they are kept."""
NOT_SHOWN: Final = (
    "Ada\u202eecalevoL",
    "\u2066Ada",
    "Ada\u200f",
    "Ada\tL",
    "Ada\nL",
    "Ada\x1b[2J",
    "Ada\u2028L",
    "\ufeffAda",
    "Ada\u200b",
    "Ada\u00ad",
    "\u200dAda",
    "Ada\u200d",
    "A\u200d\u200cda",
    "A \u200dda",
    "\ue000",
    "\ud800",
    "\uffff",
    "\U0010fffe",
    "\U000e0041",
    "x" * 101,
)
_SMALL: Final = "aábß1.-_Z é"


def texts(chance: random.Random, count: int, alphabets: tuple[str, ...], longest: int) -> Iterator[str]:
    """Of alphabets where rules meet, of one block, or of all that this Python knows."""
    for _ in range(count):
        block = chance.randrange(0x20, 0x3000)
        anywhere = "".join(known(chance) for _ in range(4))
        near = "".join(
            chr(point) for point in range(block, block + 48) if unicodedata.category(chr(point)) != "Cn"
        )
        alphabet = chance.choice([*alphabets, near or "a", anywhere, _SMALL + anywhere])
        yield "".join(chance.choices(alphabet, k=chance.randint(1, longest)))


def known(chance: random.Random) -> str:
    while True:
        character = chr(chance.randrange(chance.choice((0x300, 0x3000, 0x20000, sys.maxunicode + 1))))
        if unicodedata.category(character) != "Cn":
            return character


def passwords(chance: random.Random, count: int) -> list[str]:
    fixed = [
        "",
        "\ud800",
        "a\udc00b",
        "x" * 256,
        "x" * 257,
        "é" * 256,
        "e\u0301" * 257,
        "x" * 1025,
        "\u0378",
        "😀" * 256,
    ]
    fitting = ["l·l", "\u0375α", "א\u05f3", "カ\u30fb", "क\u094d\u200dक", "क\u094d\u200cक", "ب\u200cب"]
    fitting += ["ب\u0640\u064b\u200c\u064bب", "٠٩", "۰۹"]
    failing = ["l·a", "a·l", "·", "\u0375a", "a\u05f3", "a\u30fb", "क\u200dक", "ا\u200cب", "ب\u200ca", "٠۰"]
    return [
        *fixed,
        *fitting,
        *failing,
        *texts(chance, count, (_CONTEXTS, _SPACES + "ab", _CASES, _MARKS + "eo", _CONTEXTS + _MARKS), 24),
    ]


def judged(chance: random.Random, count: int) -> Iterator[dict[str, str]]:
    about = {"username": "ada.lovelace", "email": "countess@byron.example", "service": SERVICE}
    parts = [
        "ada.lovelace",
        "ADA.LOVELACE",
        "countess",
        "byron",
        "straßen-amt",
        "STRASSEN-AMT",
        "password",
        "1234567",
        "12345678",
    ]
    parts += [
        "qwertyuiop",
        "😀",
        "ß",
        "-1990!",
        "correct horse battery staple",
        "a",
        "\u3000",
        "é",
        "é".upper(),
        "sunshine",
    ]
    for _ in range(count):
        times = chance.randint(1, 4)
        text = "".join(chance.choices(parts, k=chance.randint(1, 3))) * times
        yield {"password": text[: chance.randint(len(text) - 3, len(text))], **about}
    yield {"password": "ada.lovelace1990!", "username": "ada.lovelace", "service": ""}


def names(chance: random.Random, count: int) -> list[str]:
    alphabets = (
        _LOOKALIKES + "admin",
        _CONTEXTS,
        _CASES + "ab",
        _MARKS + "ab",
        "אבc1٠-",
        "aб",
        "ab.-_0",
        "٠۰०a",
    )
    shaped = [
        "acc_1",
        "0f8fad5b-d9cb-469f-a165-70867728950e",
        "a b",
        "a@b",
        "",
        "a",
        "a" * 65,
        "\ud800",
        "ADM1N",
        "rооt",
        "İd",
        "admi\u0307n",
        "ADMİN",
        "J\u0307wks",
        "𩚏𩄀",
    ]
    looking = [name.upper() for name in RESERVED_NAMES] + [
        swapped(chance, name) for name in sorted(RESERVED_NAMES)
    ]
    return [*shaped, *looking, *texts(chance, count, alphabets, 9)]


def swapped(chance: random.Random, name: str) -> str:
    """A reserved name with letters exchanged for what looks like them, or does not."""
    like = {
        "a": "аɑáᗅ",
        "o": "о0οօ",
        "i": "1lІıi\u0307",
        "e": "еє",
        "s": "ѕꜱ",
        "c": "сϲ",
        "p": "рρ",
        "l": "1Iǀ",
        "m": "rn",
        "d": "ԁ",
    }
    return "".join(chance.choice([each, *like.get(each, each)]) for each in name)


def emails(chance: random.Random, count: int) -> list[str]:
    locals_ = [
        "a",
        "a.b",
        ".a",
        "a..b",
        "a+b",
        "ä",
        "аb",
        "a" * 64,
        "a" * 65,
        "ñ" * 33,
        "a b",
        'a"',
        "a\u0301x",
    ]
    domains = [
        "b.example",
        "B.Example",
        "b",
        "b.1",
        "-b.example",
        "b_.example",
        "x" * 64 + ".de",
        "a.b.c.",
        "xn--bcher-kva.example",
    ]
    domains += [
        "bücher.example",
        ".".join(["x" * 60] * 5),
        "b..de",
        "[::1]",
        "b.exa/mple",
    ]
    pairs = [f"{local}@{domain}" for local, domain in product(locals_, domains)]
    return [
        *pairs,
        "",
        "@",
        "a@",
        "@b.de",
        "a@b@c.de",
        "a" * 257,
        *texts(chance, count, (_EMAIL_SIGNS, "a@b.c"), 14),
    ]


def asked_of_rules(chance: random.Random, count: int) -> dict[str, Any]:
    """What the modules are given; `AskedOfRules` in web/test/rules.ts reads it."""
    return {
        "commonPasswords": str(FILE),
        "prepared": passwords(chance, count),
        "judged": list(judged(chance, count // 4)),
        "names": names(chance, count),
        "emails": emails(chance, count // 4),
        "shown": [*SHOWN, *NOT_SHOWN, *texts(chance, count, (_SPACES, _CONTEXTS, _JOINED), 12)],
        "folded": [chr(point) for point in range(0x20000) if foldable(point)],
    }


def foldable(point: int) -> bool:
    return unicodedata.category(chr(point)) not in {"Cn", "Co", "Cs"}


def check_rules(asked: dict[str, Any], answered: dict[str, Any]) -> None:
    """Every answer is Python's own."""
    check_spoken(asked, answered)
    check_each(asked["judged"], answered["judged"], judgement)
    assert answered["count"] == len(common_passwords.common_passwords())


def check_spoken(asked: dict[str, Any], answered: dict[str, Any]) -> None:
    """The same, of the rules that need nothing but Unicode."""
    check_each(asked["prepared"], answered["prepared"], lambda text: [prepare(text).reveal().decode()])
    check_each(asked["names"], answered["names"], lambda text: refusal_only(parse_username, text))
    check_each(asked["emails"], answered["emails"], lambda text: refusal_only(parse_email, text))
    check_each(asked["shown"], answered["shown"], lambda text: refusal_only(parse_display_name, text))
    check_each(asked["folded"], answered["folded"], str.casefold)


def check_each(questions: list[Any], answers: list[Any], expected: Callable[[Any], Any]) -> None:
    different = [
        (question, answer, right)
        for question, answer in zip(questions, answers, strict=True)
        if answer != (right := answer_of(expected, question))
    ]
    assert different == [], f"{len(different)} of {len(questions)}"


def answer_of(expected: Callable[[Any], Any], question: Any) -> Any:
    try:
        return expected(question)
    except (PasswordRefusedError, InvalidNameError) as refused:
        return refused.reason.value


def judgement(asked: dict[str, str]) -> None:
    check_new(
        asked["password"], username=asked["username"], email=asked.get("email"), service=asked["service"]
    )


def refusal_only(parse: Callable[[str], object], text: str) -> None:
    parse(text)
