"""Paths that nobody asks for but programs that look for holes in other people's software.

Frozen lists, of what such programs ask every server for. None of it is, or will be, a path of ours: a test holds them
against our routes. A path is looked at in lower case and with escapes undone, twice, since scanners spell it in every
way that some server folds into one (`/%2eGIT/config`, `//wp-login.PHP`).
"""

import re
from typing import Final
from urllib.parse import unquote_to_bytes

_MAX_LOOKED_AT: Final = 512
"""Bytes from the left: what scanners are known by stands there, or at the right end, which is looked at as well."""
_UNFOLDINGS: Final = 2
"""Escaped, and escaped once more."""
_FOLDED: Final = re.compile(rb"[/\\]+")

_SEGMENTS: Final = frozenset(
    {
        b".aws",
        b".bash_history",
        b".config",
        b".docker",
        b".ds_store",
        b".env",
        b".git",
        b".git-credentials",
        b".gitlab-ci.yml",
        b".hg",
        b".htaccess",
        b".htpasswd",
        b".kube",
        b".npmrc",
        b".ssh",
        b".svn",
        b".vscode",
        b"actuator",
        b"administrator",
        b"boaform",
        b"cgi-bin",
        b"etc",
        b"goform",
        b"hnap1",
        b"jenkins",
        b"jmx-console",
        b"manager",
        b"myadmin",
        b"owa",
        b"phpmyadmin",
        b"pma",
        b"sdk",
        b"server-status",
        b"solr",
        b"vendor",
        b"web-inf",
        b"wordpress",
        b"wp-admin",
        b"wp-content",
        b"wp-includes",
        b"wp-json",
    }
)
"""First or any further segment of a path, whole."""
_STARTS: Final = (b".env.", b".git", b"phpmyadmin", b"wp-")
"""How a segment begins: `.env.local`, `.gitignore`, `wp-config.bak`, `phpMyAdmin-5.2`."""
_ENDS: Final = (
    b".asp",
    b".aspx",
    b".bak",
    b".cfm",
    b".cgi",
    b".do",
    b".env",
    b".ini",
    b".jsp",
    b".jspx",
    b".old",
    b".php",
    b".php3",
    b".php4",
    b".php5",
    b".php7",
    b".phtml",
    b".pl",
    b".rar",
    b".sh",
    b".sql",
    b".sqlite",
    b".swp",
    b".tar.gz",
    b".tgz",
    b".yml",
    b".zip",
)
"""How the last segment ends."""
_UP: Final = b".."


def is_scanner_path(raw_path: bytes) -> bool:
    """Whether only a scanner asks for this path; `raw_path` is as it came, without query."""
    if len(raw_path) > 2 * _MAX_LOOKED_AT:
        raw_path = raw_path[:_MAX_LOOKED_AT] + raw_path[-_MAX_LOOKED_AT:]
    segments = [_bare(each) for each in _FOLDED.split(_unfold(raw_path).lower()) if each]
    return any(_is_telling(each) for each in segments) or bool(segments and segments[-1].endswith(_ENDS))


def _unfold(path: bytes) -> bytes:
    for _ in range(_UNFOLDINGS):
        if b"%" not in path:
            break
        path = unquote_to_bytes(path)
    return path


def _bare(segment: bytes) -> bytes:
    """Without what some servers drop: path parameters, a NUL and what follows, spaces at the end."""
    return segment.partition(b";")[0].partition(b"\0")[0].rstrip(b" \t")


def _is_telling(segment: bytes) -> bool:
    return segment in _SEGMENTS or segment == _UP or segment.startswith(_STARTS)
