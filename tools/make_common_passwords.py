"""Make `src/watchword/protocol/data/common_passwords.bin`, the filter that `common_passwords.py` describes.

Public lists hold few passwords of 15 characters, since few sites asked for that many. People who are asked
make a long one out of a short one, in a handful of ways. So the list is, in this order:

1. the entries of the two sources (`tools/data/passwords/README.md`) that have at least 8 characters,
interleaved; 2. well-known phrases, with and without spaces; 3. runs of digits and letters, forwards and
backwards, from every start; 4. walks over the keyboard: rows, columns, the block of digits; forwards and
backwards, repeated and in turn; 5. each of the 3,000 commonest entries, repeated until it has at least 15
characters; 6. each of the 1,000 commonest words with the tails that people put on (`123456789`, `2024`,
`1234567890!`); 7. each pair of the 70 commonest words.

From 2 on only what has 15 to 64 characters is kept. Run `python tools/make_common_passwords.py`; the same
sources give the same bytes, and a test compares them.
"""

import gzip
import hashlib
import itertools
import lzma
import string
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from watchword.protocol.common_passwords import MAGIC, PREFIX_SIZE, VERSION, prefix_of

HERE: Final = Path(__file__).resolve().parent
SOURCES: Final = HERE / "data/passwords"
TARGET: Final = HERE.parent / "src/watchword/protocol/data/common_passwords.bin"
SHORTEST: Final = 8
LONG: Final = 15
LONGEST: Final = 64
PHRASES: Final = """
    the quick brown fox|the quick brown fox jumps over the lazy dog|the lazy brown fox|to be or not to be
    to be or not to be that is the question|may the force be with you|i love you so much|i love you forever
    i love you very much|i love my family|i love my mother|i love my children|let me in please
    let me in right now|this is my password|this is a password|this is not a password|my password is password
    what is my password|i forgot my password|change me please|change me immediately|please change me now
    this is a secret|top secret password|super secret password|secret password|password password password
    welcome to the jungle|highway to hell forever|stairway to heaven|never gonna give you up|hakuna matata
    winter is coming|game of thrones|lord of the rings|star wars forever|harry potter forever
    in god we trust|jesus is my savior|jesus loves me|god is good all the time|trust no one|open sesame please
    live long and prosper|all your base are belong to us|supercalifragilisticexpialidocious|abracadabra
    antidisestablishmentarianism|administrator|administrator password|default password|temporary password
    one two three four five|one two three four|red hot chili peppers|manchester united|hello kitty forever
    liverpool forever|real madrid forever|the answer is 42|four score and seven years ago|once upon a time
    qwerty qwerty qwerty|hello world hello world|hello my name is|good morning vietnam|live laugh love
""".replace("\n", "|")
ROWS: Final = ("1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm")
COLUMNS: Final = ("1qaz", "2wsx", "3edc", "4rfv", "5tgb", "6yhn", "7ujm", "8ik,", "9ol.", "0p;/")
OTHER_ROWS: Final = (
    "qwertzuiop",
    "azertyuiop",
    "qsdfghjklm",
    "yxcvbnm",
    "wxcvbn",
    "1234567890-=",
    "!@#$%^&*()",
)
TAILS: Final = (
    "1", "12", "123", "1234", "12345", "123456", "1234567", "12345678", "123456789", "1234567890",
    "12345678910", "123!", "1234!", "123456!", "123456789!", "1234567890!", "123123", "123123123",
    "111111", "111111111", "000000", "654321", "987654321", "9876543210", "123321", "112233",
    "1234567891011", "2020", "2021", "2022", "2023", "2024", "2025", "2026", "2024!", "2025!", "2026!",
    "!", "!!", "qwerty", "password", "abc123", "123abc", "forever",
)  # fmt: skip


def sources() -> list[str]:
    """The entries of both, most common first: they rank by different counts, so they take turns."""
    django = gzip.decompress((SOURCES / "django-common-passwords.txt.gz").read_bytes()).decode().split("\n")
    zxcvbn = lzma.decompress((SOURCES / "zxcvbn-passwords.txt.xz").read_bytes()).decode().split("\n")
    turns = itertools.chain.from_iterable(itertools.zip_longest(django, zxcvbn, fillvalue=""))
    return _unique(entry.lower() for entry in turns if entry.isascii())


def common_words(entries: Iterable[str], count: int) -> list[str]:
    words = (entry for entry in entries if entry.isalpha() and len(entry) >= 4)
    return list(itertools.islice(words, count))


def phrases() -> Iterator[str]:
    for phrase in filter(None, (part.strip() for part in PHRASES.split("|"))):
        yield from (phrase, phrase.replace(" ", ""), phrase.replace(" ", "-"), phrase.replace(" ", "_"))


def runs() -> Iterator[str]:
    """`123456789012345`, `zyxwvutsrqponml`, `112233445566778`, `121212121212121`, `abc123abc123abc`."""
    circles = (string.digits, "1234567890", "123456789", string.ascii_lowercase)
    for circle in circles:
        for way in (circle, circle[::-1], "".join(2 * c for c in circle), "".join(3 * c for c in circle)):
            yield from _cuts(way)
    for first, second in itertools.permutations(string.digits + string.ascii_lowercase[:6], 2):
        yield from ((first + second) * size for size in (8, 10))
    for head, tail in itertools.product(("abc", "abcd", "abcde", "abcdef", "abcdefg", "abcdefgh"), TAILS):
        yield from (head + tail, 2 * (head + tail), 3 * (head + tail), tail + head)


def walks() -> Iterator[str]:
    """`qwertyuiopasdfghjkl`, `1qaz2wsx3edc4rfv`, `qazwsxedcrfvtgb`, `mnbvcxzlkjhgfdsa`."""
    for keys in (ROWS, COLUMNS, tuple(column[1:4] for column in COLUMNS), ("789", "456", "123")):
        yield from _cuts("".join(keys))
        yield from _cuts("".join(keys)[::-1])
        yield from _cuts("".join(key[::-1] for key in keys))
        yield from _cuts("".join(key if place % 2 else key[::-1] for place, key in enumerate(keys)))
    for first, second in itertools.product(ROWS + OTHER_ROWS, repeat=2):
        yield from (
            first + second,
            first + second[::-1],
            first[:8] + second[:8],
            first[:5] + second[:5] + first[:5],
        )
        yield "".join(a + b for a, b in zip(first, second, strict=False))
    for row, tail in itertools.product(ROWS + OTHER_ROWS, TAILS):
        yield from (row + tail, tail + row, row[:6] + tail, 2 * row[:6] + tail)


def repetitions(entries: Iterable[str]) -> Iterator[str]:
    for entry in entries:
        if len(entry) >= 3:
            least = -(-LONG // len(entry))
            yield from (entry * least, entry * (least + 1))


def long_forms(entries: list[str]) -> list[str]:
    """2 to 7 of the list above."""
    words = common_words(entries, 1000)
    made = itertools.chain(
        phrases(),
        runs(),
        walks(),
        repetitions(entries[:3000]),
        (word + tail for tail in TAILS for word in words),
        (first + second for first, second in itertools.permutations(words[:70], 2)),
    )
    return _unique(entry for entry in made if LONG <= len(entry) <= LONGEST)


def all_entries() -> list[str]:
    entries = sources()
    return _unique([entry for entry in entries if len(entry) >= SHORTEST] + long_forms(entries))


def make() -> bytes:
    prefixes = sorted({prefix_of(entry) for entry in all_entries()})
    return MAGIC + bytes((VERSION, PREFIX_SIZE)) + len(prefixes).to_bytes(4, "big") + b"".join(prefixes)


def _cuts(circle: str) -> Iterator[str]:
    """Every start, and the lengths at which people stop."""
    endless = circle * (2 + 2 * LONGEST // len(circle))
    for start in range(len(circle)):
        yield from (
            endless[start : start + size] for size in (*range(LONG, LONG + 6), *range(2 * LONG, 3 * LONG, 5))
        )


def _unique(entries: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(entries))


if __name__ == "__main__":
    data = make()
    TARGET.write_bytes(data)
    made = all_entries()
    print(f"{len(made)} entries, {sum(len(entry) >= LONG for entry in made)} of at least {LONG} characters")
    print(f"{TARGET.name}: {len(data)} bytes, SHA-256 {hashlib.sha256(data).hexdigest()}")
