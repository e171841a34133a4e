"""What a program that is there could not get is told of like an absent one, and fails where packages could mend it."""

import pytest

from watchword.testing import components


@pytest.fixture(autouse=True)
def none_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(components, "absent", {})


@pytest.mark.parametrize(("strict", "packaged"), [("", True), ("", False), ("1", False)])
def test_what_could_not_be_had_is_recorded(
    strict: str, packaged: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(components.STRICT_VARIABLE, strict)
    with pytest.raises(pytest.skip.Exception, match="COMPONENT ABSENT: a registry: it is silent"):
        components.lacking("a registry", "it is silent", packaged=packaged)
    assert components.absent.keys() == {"a registry"}


def test_in_the_strict_mode_what_a_package_brings_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(components.STRICT_VARIABLE, "1")
    with pytest.raises(pytest.fail.Exception, match="WATCHWORD_STRICT=1 asks for it"):
        components.lacking("a registry", "it is silent")
    assert components.absent.keys() == {"a registry"}
