"""Names that nobody gets: they would be taken for the operator, the service, or a value with a meaning."""

import functools
from typing import Final

from watchword.protocol.names.skeleton import make_skeleton

_OF_OPERATORS: Final = """
    admin admins administrator administrators administration root superuser sudo sysadmin sysop operator
    operators owner moderator moderators mod staff team official support help helpdesk security registrar
    registrars registry watchword system daemon service services server
"""
_OF_HOSTS_AND_MAILBOXES: Final = """
    postmaster hostmaster webmaster mailer-daemon abuse noc info news usenet ftp www noreply no-reply mail
    email smtp imap pop3 dns ns1 ns2 wpad autoconfig autodiscover isatap localhost localdomain broadcasthost
"""  # RFC 2142, and what resolvers and mail programs look for by themselves
_OF_THE_INTERFACE: Final = """
    api app apps auth oauth oauth2 oidc login logout signin signout signup register registration enrol enroll
    account accounts device devices session sessions token tokens ticket tickets invite invites key keys jwks
    well-known metrics health healthz status static assets public private internal config settings profile
    user users username password recovery audit dashboard console control
"""
_OF_ADDRESSEES: Final = """
    me self you everyone everybody all here channel channels group groups guild nobody somebody anyone
    anonymous guest unknown deleted
"""
_OF_VALUES: Final = "null nil none undefined nan true false void default"
"""What programs take for something else."""

RESERVED_NAMES: Final = frozenset(
    f"{_OF_OPERATORS} {_OF_HOSTS_AND_MAILBOXES} {_OF_THE_INTERFACE} {_OF_ADDRESSEES} {_OF_VALUES}".split()
)


@functools.cache
def _reserved_skeletons() -> frozenset[str]:
    spellings = (spelling for name in RESERVED_NAMES for spelling in (name, name.upper()))
    return frozenset(make_skeleton(spelling) for spelling in spellings)


def is_reserved(*, key: str, skeletons: tuple[str, ...]) -> bool:
    """A reserved name, or one that looks like it in small or capital letters (`adm1n`: `1` is like `I`)."""
    return key in RESERVED_NAMES or not _reserved_skeletons().isdisjoint(skeletons)
