"""Django: every request has a verified caller, `request.identity`, or is refused before any view sees it.

    WATCHWORD = {"ISSUER": "https://id.example.org", "AUDIENCE": "https://notes.example.org", "BEARER_OK": True}
    MIDDLEWARE = ["watchword.middleware.django.WatchwordMiddleware", ...]

Views, blocking or async, ask for more by `watchword.middleware.require`.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings as django_settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from watchword.errors import WatchwordError
from watchword.middleware.current import Admission, enter, leave
from watchword.middleware.guard import Guard
from watchword.middleware.refusals import ROUTE_ERRORS
from watchword.middleware.requirement import STATE_KEY
from watchword.middleware.settings import settings_of

SETTING: Final = "WATCHWORD"
"""The name in Django's settings: a dict of `Settings`, in capitals or not."""
GetResponse = Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]


class WatchwordMiddleware:
    """Stands in `MIDDLEWARE`, first or after what works for everybody (security headers, CORS).

    Raise `InvalidConfigError`, when Django loads it, for a mistake in the settings.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response
        given: Mapping[str, Any] = getattr(django_settings, SETTING, {})
        self._guard = Guard(**settings_of(given))
        self._async = iscoroutinefunction(get_response)
        if self._async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self._async:
            return self._answer_async(request)
        try:
            admission = self._guard.admit_blocking(request.path_info, _authorization(request))
        except WatchwordError as error:
            return self._deny(request, error)
        entered = enter(_shown(request, admission))
        try:
            return self._get_response(request)
        finally:
            leave(entered)

    async def _answer_async(self, request: HttpRequest) -> HttpResponseBase:
        try:
            admission = await self._guard.admit(request.path_info, _authorization(request))
        except WatchwordError as error:
            return self._deny(request, error)
        entered = enter(_shown(request, admission))
        try:
            return await cast("Awaitable[HttpResponseBase]", self._get_response(request))
        finally:
            leave(entered)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponseBase | None:
        """What views require and the caller lacks becomes a refusal like ours; Django calls this."""
        return self._deny(request, exception) if isinstance(exception, ROUTE_ERRORS) else None

    def _deny(self, request: HttpRequest, error: WatchwordError) -> HttpResponseBase:
        given = request.META.get("HTTP_X_REQUEST_ID")
        denial = self._guard.refuse(error, kind="http", request_id=given)
        return HttpResponse(denial.body, status=denial.status, headers=dict(denial.text_headers))


def _authorization(request: HttpRequest) -> list[str]:
    return [request.META[name] for name in ("HTTP_AUTHORIZATION",) if name in request.META]


def _shown(request: HttpRequest, admission: Admission) -> Admission:
    setattr(request, STATE_KEY, admission.identity)
    return admission
