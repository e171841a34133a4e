"""From method and raw path to a route. A path has one spelling: no decoding, no normalising, no redirects."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from watchword.server.http.endpoint import Route

_SEGMENT: Final = r"[A-Za-z0-9_~-][A-Za-z0-9._~-]*"
"""What may stand for a path parameter: no dot segments, no escapes, no parameters after a semicolon."""
_NO_PARAMETERS: Final[Mapping[str, str]] = {}


@dataclass(slots=True)
class Place:
    """All routes of one path."""

    template: str
    routes: dict[str, Route] = field(default_factory=dict)

    @property
    def allow(self) -> str:
        methods = set(self.routes)
        return ", ".join(sorted(methods | {"HEAD"} if "GET" in methods else methods))

    @property
    def guarded(self) -> bool:
        """Whether nothing of this path may be seen without an identity, not even which methods it has."""
        return all(route.auth for route in self.routes.values())

    @property
    def page(self) -> bool:
        """Whether people come here."""
        return any(route.page for route in self.routes.values())

    def find(self, method: str) -> Route | None:
        return self.routes.get("GET" if method == "HEAD" else method)


class RouteTable:
    """Exact paths by dictionary; parametrised ones by pattern, in the order given.

    Starlette's router would do more than is wanted (redirects, decoding), and costs 50 ms and 2 MB at each start.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        """Raise `ValueError` when a method of a path is declared twice."""
        self._exact: dict[str, Place] = {}
        self._patterns: list[tuple[re.Pattern[str], Place]] = []
        places: dict[str, Place] = {}
        for route in routes:
            place = places.setdefault(route.path, Place(route.path))
            if place.routes.setdefault(route.method, route) is not route:
                raise ValueError(f"{route.method} {route.path} is declared twice")
        for path, place in places.items():
            self._add(path, place)

    def _add(self, path: str, place: Place) -> None:
        if "{" in path:
            self._patterns.append((_compile(path), place))
        else:
            self._exact[path] = place

    def find(self, raw_path: str) -> tuple[Place | None, Mapping[str, str]]:
        """The place of exactly this path, and its parameters."""
        place = self._exact.get(raw_path)
        if place is not None:
            return place, _NO_PARAMETERS
        for pattern, candidate in self._patterns:
            match = pattern.fullmatch(raw_path)
            if match:
                return candidate, match.groupdict()
        return None, _NO_PARAMETERS


def _compile(path: str) -> re.Pattern[str]:
    """The pattern of a path like `/api/sessions/{session}`, which `Route` has checked."""
    parts = [
        f"(?P<{part[1:-1]}>{_SEGMENT})" if part.startswith("{") else re.escape(part)
        for part in path.split("/")
    ]
    return re.compile("/".join(parts))
