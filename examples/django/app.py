"""A Django project in one file that knows who is calling. See the README beside it."""

import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, JsonResponse
from django.urls import path

from watchword.middleware import current_identity, require

settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["localhost"],
    MIDDLEWARE=["watchword.middleware.django.WatchwordMiddleware"],
    WATCHWORD={
        "ISSUER": os.environ.get("WATCHWORD_ORIGIN", "https://localhost:8443"),
        "AUDIENCE": os.environ.get("APP_ORIGIN", "http://localhost:8000"),
        "BEARER_OK": True,  # tokens that are bound to no key: whoever copies one has it until it ends
        "PUBLIC": ["/health"],
    },
)


def hello(_request: HttpRequest) -> JsonResponse:
    """For every account."""
    caller = current_identity()
    return JsonResponse({"hello": caller.username, "account": caller.account, "level": caller.level})


@require(level=2)
def moderation(_request: HttpRequest) -> JsonResponse:
    """For accounts of level 2 and above."""
    return JsonResponse({"moderator": current_identity().username})


def health(_request: HttpRequest) -> JsonResponse:
    """For everybody: the one path that was declared public."""
    return JsonResponse({"ok": True})


urlpatterns = [path("", hello), path("moderation", moderation), path("health", health)]
app = get_wsgi_application()
