"""The server as a session knows it: where it is, the root it is held to, and its keys."""

from collections.abc import Callable

from watchword.client.effects import Flow, T
from watchword.client.flows.sealed import recipient_of
from watchword.client.held import Held, Ways
from watchword.client.line import Line
from watchword.client.steps import SessionFlow, Work
from watchword.client.trust import TrustedServer, fetch_key_document
from watchword.errors import KeyUnknownError, NotTrustedError
from watchword.protocol.envelope import Recipient
from watchword.protocol.keydocument import KeyDocument, verify_key_document


class Peer:
    """`trust` finds the server, once, when it is first needed."""

    def __init__(self, trust: Callable[[], TrustedServer], held: Held, ways: Ways) -> None:
        self._trust, self._held, self._ways = trust, held, ways
        self._line: Line | None = None
        self._document: KeyDocument | None = None
        self._seen_number = 1

    def line(self) -> SessionFlow[Line]:
        if self._line is None:
            trusted: TrustedServer = yield Work(run=self._trust)
            ways = self._ways
            self._line = Line(
                trusted=trusted,
                retries=ways.retries,
                entropy=ways.entropy,
                clock=ways.clock,
                stretch=ways.stretch,
            )
        return self._line

    def sealed(self, flow: Callable[[Recipient], Flow[T]]) -> SessionFlow[T]:
        """Run a sealed exchange to the server's current key; fetch the key document anew if that key is gone."""
        line = yield from self.line()
        try:
            return (yield from line.run(flow(recipient_of((yield from self.keys())))))
        except KeyUnknownError:
            self._document = None  # its number is remembered
            return (yield from line.run(flow(recipient_of((yield from self.keys())))))

    def keys(self) -> SessionFlow[KeyDocument]:
        """The server's current keys, verified under the pinned root. Inside a `Whole`."""
        if self._document is None or self._ways.clock.now() >= self._document.expires_at:
            line = yield from self.line()
            document = yield from line.run(
                fetch_key_document(
                    line.trusted,
                    clock=self._ways.clock,
                    at_least=self._number(),
                    device=self._held.header_key(),
                )
            )
            if self._held.vault is not None and document.issuer != self._held.vault.owner.issuer:
                raise NotTrustedError(f"this server calls itself {document.issuer} now")
            self._seen_number = max(document.number, self._number())
            yield from self._held.keep_number(self._seen_number)
            self._document = document
        return self._document

    def given(self, text: str) -> SessionFlow[KeyDocument]:
        """A key document that came with an answer, verified as a fetched one."""
        trusted = (yield from self.line()).trusted
        return verify_key_document(text, pin=trusted.pin, now=self._ways.clock.now(), at_least=self._number())

    def _number(self) -> int:
        """The newest key document seen: an older one is refused."""
        return max(self._seen_number, self._held.document_number())
