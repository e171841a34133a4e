"""What `watchword sessions` says of an address that the server does not keep."""

from watchword.cli.person_commands import _place
from watchword.server.addresses import KEYED


def test_a_keyed_address_is_said_in_words():
    assert _place(f"{KEYED}0123456789abcdef") == "not kept"
    assert _place("203.0.113.0/24") == "203.0.113.0/24"
    assert _place("") == ""
