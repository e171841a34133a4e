"""Flask: every request has a verified caller, `g.identity`, or is refused before the application sees it.

    app = Flask(__name__)
    Watchword(app, issuer="https://id.example.org", audience="https://notes.example.org", bearer_ok=True)

Views ask for more by `watchword.middleware.require`.
"""

from typing import Any, Final, Unpack, cast, overload

from flask import Flask, Response, g, request

from watchword.errors import InvalidConfigError, WatchwordError
from watchword.middleware.refusals import ROUTE_ERRORS
from watchword.middleware.requirement import IDENTITY_KEY, STATE_KEY
from watchword.middleware.settings import Settings, settings_of
from watchword.middleware.wsgi import WatchwordMiddleware

CONFIG_KEY: Final = "WATCHWORD"
"""The settings in `app.config`, as a dict, where the call has none."""
_EXTENSION: Final = "watchword"


class Watchword:
    """Guards a Flask application; the options are `Settings`, or those of `app.config["WATCHWORD"]`.

    Raise `InvalidConfigError` for a mistake in them.
    """

    @overload
    def __init__(self, app: Flask | None = None) -> None: ...
    @overload
    def __init__(self, app: Flask, **settings: Unpack[Settings]) -> None: ...
    def __init__(self, app: Flask | None = None, **settings: Any) -> None:
        if app is not None:
            self.init_app(app, **settings)

    @overload
    def init_app(self, app: Flask) -> None: ...
    @overload
    def init_app(self, app: Flask, **settings: Unpack[Settings]) -> None: ...
    def init_app(self, app: Flask, **settings: Any) -> None:
        """Guard `app`, where it is made later than this object."""
        if _EXTENSION in app.extensions:
            raise InvalidConfigError("this Flask application is guarded already")
        given = settings_of(settings or app.config.get(CONFIG_KEY, {}))
        guarded = WatchwordMiddleware(app.wsgi_app, **given)
        app.wsgi_app = guarded  # type: ignore[method-assign]  # as Flask's documentation has it
        app.extensions[_EXTENSION] = self
        app.before_request(_show_identity)

        def refuse(error: WatchwordError) -> Response:
            denial = guarded.refuse(error, request.environ)
            return Response(denial.body, denial.status, denial.text_headers)

        for kind in ROUTE_ERRORS:
            app.register_error_handler(kind, cast("Any", refuse))


def _show_identity() -> None:
    setattr(g, STATE_KEY, request.environ.get(IDENTITY_KEY))
