"""Being signed in without the login page, for tests that are of what comes after it.

A page stretches the password in WebAssembly: two seconds of a processor for each login. Here the server gives out a
credential as after a right password, and a device is enrolled with it over HTTP, as a browser's: the session, its
device and its cookie are the server's own. What such a browser lacks is the record of its device's keys.
"""

import ssl

import httpx
import msgspec
from tests.kits.journeys import DASHBOARD
from tests.kits.visitor import COOKIE, Visitor

from watchword.client.flows.account import DeviceKeys
from watchword.client.flows.sealed import recipient_of
from watchword.core.encoding import encode_b64u
from watchword.core.entropy import SystemEntropy
from watchword.core.ids import AccountId
from watchword.protocol.device_proof import prove_device
from watchword.protocol.envelope import Purpose, Recipient, seal_envelope
from watchword.protocol.keydocument import verify_key_document
from watchword.protocol.messages import EnrolPayload, SealedRequest
from watchword.protocol.wire import encode_message
from watchword.server.assembly import Services, _one_time
from watchword.server.db.unit import Unit
from watchword.server.devices.credentials import EnrolmentCredentials
from watchword.testing.server import RunningServer, TestAccount


def enter(visitor: Visitor, account: TestAccount) -> None:
    """Come to the dashboard, in a session of one's own."""
    visitor.keep_session(_enrol(visitor.server, account, visitor.page.evaluate("navigator.userAgent")))
    visitor.open(DASHBOARD)
    visitor.arrives(DASHBOARD)


def _enrol(server: RunningServer, account: TestAccount, user_agent: str) -> str:
    """The value of the cookie that a browser of this name gets, which is a new device."""
    entropy = SystemEntropy()
    keys = DeviceKeys.generate(entropy)
    payload = EnrolPayload(
        credential=server.run(lambda services: _credential(services, server, account)),
        device_name="a browser",
        keys=keys.public(),
        reply_key=encode_b64u(entropy.bytes(32)),
        browser=True,
    )
    envelope = seal_envelope(encode_message(payload), _recipient(server), Purpose.ENROL)
    body = SealedRequest(envelope=envelope.text, signature=prove_device(keys.signing, envelope.digest))
    tls = ssl.create_default_context(cafile=str(server.ca_file))
    with httpx.Client(verify=tls, trust_env=False, timeout=60) as http:
        answer = http.post(
            f"{server.url}/api/devices", json=msgspec.to_builtins(body), headers={"user-agent": user_agent}
        )
    assert answer.status_code < 300, answer.text
    return answer.headers["set-cookie"].partition(";")[0].removeprefix(f"{COOKIE}=")


async def _credential(services: Services, server: RunningServer, account: TestAccount) -> str:
    """What a login without a device is answered with."""
    found = AccountId.parse(account.id)
    unit = Unit(key=found.value)
    credentials = EnrolmentCredentials(services._devices, _one_time(services._core))
    credential = credentials.issue(unit, found, server.clock.now())
    await services._core.database.commit(unit)
    return credential


def _recipient(server: RunningServer) -> Recipient:
    keys = server._core.keys
    document = verify_key_document(
        keys.key_document(), pin=keys.root_fingerprint(), now=server.clock.now(), at_least=1
    )
    return recipient_of(document)
