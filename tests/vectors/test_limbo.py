"""x509-limbo: whom our client and our middleware take for a server, in real TLS handshakes; and never for a signer.

A case is a chain, a name and whether that must be accepted. Python's ssl has no clock to set and reads no revocation
lists here, and a handshake needs the server's key: cases that need more are left out, and counted in the closing lines.
"""

import collections
import datetime as dt
import json
import ssl
import tempfile
from collections.abc import Callable
from typing import Any

import pytest

from watchword.client.transport import pinned_context
from watchword.core.clock import Instant
from watchword.crypto.certificates import check_document_signer, parse_certificate
from watchword.errors import MalformedError, NotTrustedError
from watchword.middleware.fetch import Source
from watchword.testing import measured
from watchword.testing.published import published

Case = dict[str, Any]
Context = Callable[[str], ssl.SSLContext]

STRICTER = {
    "cve::cve-2024-0567": "OpenSSL finds no way through a net of cross-signed roots",
    "rfc5280::ca-as-leaf": "strict: a certificate authority is no server",
    "rfc5280::root-and-intermediate-swapped": "OpenSSL stops at the first root that it can trust",
    "rfc5280::nc::nc-forbids-alternate-chain-ica": "OpenSSL tries one chain alone",
    "rfc5280::nc::nc-forbids-same-chain-ica": "OpenSSL tries one chain alone",
}
"""Refused by OpenSSL where the case may be accepted: at worst a connection that does not come about."""

LENIENT = {
    "cve::cve-2025-61727": "a wildcard under an excluded name; ours has no constraints of names",
    "rfc5280::nc::nc-forbids-dnsname-wildcard-san": "the same",
    "rfc5280::nc::nc-permits-invalid-dns-san": "of names that are not asked for",
    "rfc5280::nc::invalid-dnsname-leading-period": "read as a name and all below it",
    "rfc5280::nc::not-allowed-in-ee-noncritical": "without meaning in a server's certificate",
    "rfc5280::nc::not-allowed-in-ee-critical": "the same",
    "rfc5280::nc::permitted-dns-match-noncritical": "the constraint is obeyed all the same",
    "webpki::nc::intermediate-permitted-excluded-subtrees-both-null": "constrains nothing",
    "webpki::nc::intermediate-permitted-excluded-subtrees-both-empty-sequences": "constrains nothing",
    "rfc5280::pc::ica-noncritical-pc": "policies are not asked for",
    "rfc5280::san::underscore-dns": "such names are in use",
    "rfc5280::serial::too-long": "a number that nobody reads",
    "rfc5280::serial::zero": "the same",
    "webpki::aki::root-with-aki-missing-keyidentifier": "of a root that was trusted by hand",
    "webpki::san::san-critical-with-nonempty-subject": "a form without meaning",
    "webpki::malformed-aia": "an address that is not asked",
    "webpki::forbidden-dsa-root": "a root that was trusted by hand",
    "webpki::forbidden-rsa-not-divisible-by-8-in-root": "the same",
    "webpki::ee-basicconstraints-ca": "its key signs for its own name too",
    **dict.fromkeys(
        [
            "webpki::cn::ipv4-hex-mismatch",
            "webpki::cn::ipv4-leading-zeros-mismatch",
            "webpki::cn::ipv6-uppercase-mismatch",
            "webpki::cn::ipv6-uncompressed-mismatch",
            "webpki::cn::ipv6-non-rfc5952-mismatch",
            "webpki::cn::punycode-not-in-san",
            "webpki::cn::utf8-vs-punycode-mismatch",
            "webpki::cn::not-in-san",
            "webpki::cn::case-mismatch",
        ],
        "what stands in the subject is not looked at; the name is among the alternative ones",
    ),
}
"""Accepted by OpenSSL 3.0, which does not look at this; later ones may refuse more. No name is accepted wrongly."""


def cases() -> list[Case]:
    found: list[Case] = json.loads(published("limbo/limbo.json").read_text())["testcases"]
    assert len(found) >= 150
    return found


def reason_to_leave_out(case: Case) -> str:
    if "has-crl" in case["features"]:
        return "revocation lists are not read"
    if case["validation_time"]:
        return "needs another time than now"
    if not case["peer_certificate_key"]:
        return "no key to serve it with"
    if any(
        feature.startswith("pedantic-webpki") or "public-suffix" in feature for feature in case["features"]
    ):
        return "rules for public authorities alone"
    return ""


def serve(case: Case) -> ssl.SSLContext | None:
    """A server with this chain; None if the library does not load such a certificate or such a key."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")  # the server is not what is tested
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        chain = [case["peer_certificate"], *case["untrusted_intermediates"]]
        file.write("".join([case["peer_certificate_key"], *chain]))
        file.flush()
        try:
            context.load_cert_chain(file.name)
        except ssl.SSLError:
            return None
    return context


def handshake(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> bool:
    """Whether the client accepts the server."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = client.wrap_bio(to_client, to_server, server_hostname=name)
    other = server.wrap_bio(to_server, to_client, server_side=True)
    done = 0
    while done < 2:
        done = 0
        for side in (one, other):
            try:
                side.do_handshake()
                done += 1
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError:
                return False
    return True


def of_the_client(roots: str) -> ssl.SSLContext:
    return pinned_context(roots)


def of_the_middleware(roots: str) -> ssl.SSLContext:
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(roots)
        file.flush()
        return Source(issuer="https://id.example.org", ca_file=file.name)._context()


@pytest.mark.parametrize("make", [of_the_client, of_the_middleware])
def test_servers_are_accepted_and_refused_as_limbo_says(make: Context) -> None:
    run = collections.Counter[str]()
    for case in cases():
        if reason := reason_to_leave_out(case):
            run[reason] += 1
            continue
        server = serve(case)
        if server is None:
            run["not even loaded by the library"] += 1
            continue
        name = case["expected_peer_name"]
        if name is None:
            run["no name to ask for"] += 1
            continue
        accepted = handshake(make("".join(case["trusted_certs"])), server, name["value"])
        expected = case["expected_result"] == "SUCCESS"
        known = STRICTER if expected else LENIENT
        assert accepted is expected or case["id"] in known, f"{case['id']}: accepted: {accepted}"
        run[
            "as the case says" if accepted is expected else "otherwise, and named in the test with the reason"
        ] += 1
    told = ", ".join(f"{number} {what}" for what, number in run.most_common())
    measured.record(f"x509-limbo, server {make.__name__.replace('_', ' ')}", told)
    assert run["as the case says"] >= 80


def moment(case: Case) -> Instant:
    text = case["validation_time"]
    found = dt.datetime.fromisoformat(text) if text else dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    return Instant(int(found.timestamp() * 1000))


def refusal(case: Case) -> str:
    """How the chain is refused as a signer's; any other error than ours goes on. "" if it is accepted."""
    texts = (case["peer_certificate"], case["trusted_certs"][0])
    try:
        signer, root = [parse_certificate(ssl.PEM_cert_to_DER_cert(text)) for text in texts]
        check_document_signer(signer, root=root, now=moment(case))
    except (MalformedError, NotTrustedError) as error:
        return type(error).__name__
    return ""


@pytest.mark.filterwarnings("ignore:Parsed a serial number which wasn't positive")
def test_no_chain_of_limbo_signs_key_documents() -> None:
    """Not even the good ones: they are for servers. Whatever is wrong with them, it is one of our two errors."""
    why = collections.Counter({case["id"]: refusal(case) for case in cases()}.values())
    measured.record("x509-limbo, as signers of key documents", f"{why.total()} chains: {dict(why)}")
    assert not why[""]
    assert why["NotTrustedError"] > 100
