"""Why a token is refused. Outwardly there is one answer, `invalid_token`; the step is for logs and tests."""

import enum

from watchword.errors import UnauthenticatedError


class Step(enum.IntEnum):
    """The steps of docs/protocol/tokens.md, in order; the first that fails refuses."""

    # Reading, without a key.
    SIZE = 1
    PARTS = 2
    BASE64URL = 3
    HEADER_JSON = 4
    HEADER_MEMBERS = 5
    ALGORITHM = 6
    TYPE = 7
    KEY_ID = 8
    SIGNATURE_FORM = 9
    # Verification, with the key that the issuer publishes under the key id.
    KEY = 10
    SIGNATURE = 11
    PAYLOAD_JSON = 12
    CLAIMS = 13
    ISSUER = 14
    AUDIENCE = 15
    LIFE = 16
    ISSUED_AT = 17
    NOT_BEFORE = 18
    EXPIRY = 19
    # Presentation: how the token came to the application.
    BOUND = 20
    UNBOUND = 21


class TokenError(UnauthenticatedError):
    """The token is refused at `step`. The peer learns `invalid_token` and no more."""

    def __init__(self, step: Step) -> None:
        super().__init__(step.name.lower())
        self.step = step
