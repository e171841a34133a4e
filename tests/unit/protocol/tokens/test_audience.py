"""One spelling for each origin; whatever has two readings has none."""

import pytest

from watchword.errors import MalformedError
from watchword.protocol.tokens import audience_of


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://app.example", "https://app.example"),
        ("HTTPS://App.Example:443/path?query#fragment", "https://app.example"),
        ("https://app.example:8443/", "https://app.example:8443"),
        ("https://app.example:80", "https://app.example:80"),
        ("https://app.example?x", "https://app.example"),
        ("http://localhost:8000/notes", "http://localhost:8000"),
        ("http://localhost:80", "http://localhost"),
        ("http://LOCALHOST", "http://localhost"),
        ("http://app.localhost:3000", "http://app.localhost:3000"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("http://127.255.0.9", "http://127.255.0.9"),
        ("http://[::1]:8000/", "http://[::1]:8000"),
        ("http://[0:0:0:0:0:0:0:1]", "http://[::1]"),
        ("https://[2001:DB8:0:0::1]:443", "https://[2001:db8::1]"),
        ("https://192.0.2.7", "https://192.0.2.7"),
        ("https://Bücher.example", "https://xn--bcher-kva.example"),
        ("https://BÜCHER.example/a", "https://xn--bcher-kva.example"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("https://例え.テスト", "https://xn--r8jz45g.xn--zckzah"),
        ("https://a", "https://a"),
        ("https://" + "a" * 63 + ".example", "https://" + "a" * 63 + ".example"),
    ],
)
def test_an_origin_has_one_spelling_that_is_stable(url, origin):
    assert audience_of(url) == origin
    assert audience_of(origin) == origin


@pytest.mark.parametrize(
    "url",
    [
        "", "app.example", "//app.example", "https:app.example", "https:/app.example", "https://", "https:///path",
        "ftp://app.example", "javascript:alert(1)", "http://app.example", "http://192.0.2.7", "http://128.0.0.1",
        "http://localhost.example", "http://notlocalhost", "http://[::2]", "http://[::ffff:127.0.0.1]",
        "https://user@app.example", "https://user:password@app.example", "https://good@evil.example",
        "https://a@b@evil.example", "https://app.example\\@evil.example", "https://app.example\\.evil.example",
        "https://app.example%2eevil", "https://app.example%00", "https://app.example:", "https://app.example:0",
        "https://app.example:080", "https://app.example:65536", "https://app.example:99999999", "https://app.example:+1",
        "https://app.example:1:2", "https://app.example.", "https://.app.example", "https://app..example",
        "https://-app.example", "https://app-.example", "https://app_x.example", "https://" + "a" * 64 + ".example",
        "https://" + "a." * 130 + "b", " https://app.example", "https://app.example ", "https://app.example\n",
        "https://app.exa\tmple", "https://app.example/a b", "https://app.example/\x00", "https://app.example/\\",
        "https://2130706433", "https://0x7f.1", "https://127.1", "https://0177.0.0.1", "https://1.2.3.4.5",
        "https://256.1.1.1", "https://app.0x1", "https://[::1", "https://::1", "https://[::1%25lo]", "https://[]",
        "https://[v1.x]", "https://[::1]x", "https://faß.example", "https://ς.example", "https://a\u200db.example",
        "https://ａｐｐ.example", "https://app。example", "https://ﬁ.example", "https://K\u212a.example",
        "https://☃.example", "https://\u0301a.example\u202e", "https://\ud800.example",
        "https://app.example/" + "a" * 2048,
    ],
)  # fmt: skip
def test_what_has_two_readings_or_none_is_refused_fault_A10(url):
    with pytest.raises(MalformedError):
        audience_of(url)
