"""A book that is told keyed hashes instead of sources counts the same, and keeps no address."""

from watchword.core.secret import Secret
from watchword.server.bans.book import Told
from watchword.server.bans.keyed_book import KeyedBook
from watchword.server.bans.policy import Tally

KEY = Secret(bytes(range(32)))


class Listed:
    """Writes down what it is asked."""

    def __init__(self) -> None:
        self.counted: list[tuple[str, bytes]] = []
        self.forgotten: list[str] = []

    def count(self, source: str, tag: bytes, told: Told) -> None:
        self.counted.append((source, tag))
        told(Tally(failures=len(self.counted), names=0))

    def forget(self, source: str) -> None:
        self.forgotten.append(source)

    async def load(self) -> None:
        """Nothing was kept."""

    async def flush(self) -> None:
        """Nothing is kept."""


def test_the_same_source_is_the_same_and_no_address_is_told() -> None:
    inner, told = Listed(), list[Tally]()
    book = KeyedBook(inner, KEY)
    for source in ("192.0.2.7", "192.0.2.8", "192.0.2.7"):
        book.count(source, b"name", told.append)
    book.forget("192.0.2.7")
    hidden = [source for source, _ in inner.counted]
    assert hidden[0] == hidden[2] == inner.forgotten[0] != hidden[1]
    assert all("192" not in source and len(source) == 32 for source in hidden)
    assert {tag for _, tag in inner.counted} == {b"name"}
    assert [tally.failures for tally in told] == [1, 2, 3]


def test_another_key_hides_a_source_otherwise() -> None:
    inner = Listed()
    for key in (KEY, Secret(bytes(32))):
        KeyedBook(inner, key).forget("192.0.2.7")
    assert len(set(inner.forgotten)) == 2
