"""What the account's page shows, ready to be shown: the templates decide nothing but where it stands."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from watchword.core.clock import Instant
from watchword.core.ids import SessionId
from watchword.server.accounts.model import Account
from watchword.server.activity.model import Activity, ActivityKind
from watchword.server.addresses import KEYED
from watchword.server.pages.browsers import describe_browser, name_device, parse_browser
from watchword.server.pages.catalogue import Texts
from watchword.server.sessions.model import Session

_CARE: Final = frozenset(
    {
        ActivityKind.SIGN_IN_REFUSED,
        ActivityKind.PASSWORD_ACCEPTED,
        ActivityKind.PASSWORD_CHANGE_REFUSED,
        ActivityKind.STRANGERS_SHUT_OUT,
        ActivityKind.DEVICE_ENDED,
        ActivityKind.SUSPENDED,
    }
)
"""What somebody should look at twice."""
_ICONS: Final = {
    ActivityKind.SIGNED_IN: "in",
    ActivityKind.DEVICE_ENROLLED: "in",
    ActivityKind.STRANGERS_LET_IN: "lock",
    ActivityKind.SESSION_ENDED: "out",
    ActivityKind.OTHER_SESSIONS_ENDED: "out",
    ActivityKind.ALL_SESSIONS_ENDED: "out",
    ActivityKind.PASSWORD_CHANGED: "key",
    ActivityKind.TOKEN_ISSUED: "lock",
}
_IN_HAND: Final = frozenset({"iOS", "iPadOS", "Android"})
_COMMAND_LINE: Final = "Watchword command line"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileView:
    username: str
    display_name: str | None
    email: str | None
    level: int
    since: Instant

    @classmethod
    def of(cls, account: Account) -> "ProfileView":
        return cls(
            username=account.username,
            display_name=account.display_name,
            email=account.email,
            level=account.level,
            since=account.created_at,
        )

    @property
    def name(self) -> str:
        """How the person is spoken to."""
        return self.display_name or self.username


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionView:
    id: str
    name: str
    """Of the device; "" where nobody gave one and the browser is not known."""
    browser: str
    """"" where `name` says it already, as the names do that pages give."""
    icon: str
    address: str
    began_at: Instant
    ends_at: Instant
    current: bool

    @classmethod
    def of(cls, session: Session, current: SessionId, texts: Texts) -> "SessionView":
        browser = _browser(session.user_agent, texts)
        name = _called(session.device_name, session.user_agent, texts)
        return cls(
            id=str(session.id),
            name=name,
            browser="" if browser == name else browser,
            icon=_icon_of(session.user_agent),
            address=_place(session.address, texts),
            began_at=session.created_at,
            ends_at=min(session.expires_at, session.ends_at),
            current=session.id == current,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A detail of an event: `label` is the key of its name, which is read out and not shown."""

    label: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EventView:
    said: str
    """The key of its sentence, which may hold `count` and `level`."""
    count: int
    level: int | None
    icon: str
    care: bool
    parts: Sequence[Part]
    at: Instant
    since: Instant | None
    """When a group began."""
    more: bool
    hint: str
    """The key of what to do, or ""."""

    @classmethod
    def of(cls, activity: Activity, texts: Texts) -> "EventView":
        return cls(
            said=_sentence(activity),
            count=activity.count,
            level=activity.level,
            icon="care" if activity.kind in _CARE else _ICONS.get(activity.kind, "clock"),
            care=activity.kind in _CARE,
            parts=tuple(_parts(activity, texts)),
            at=activity.at,
            since=activity.since if activity.count > 1 else None,
            more=activity.more,
            hint="events.refused_hint" if activity.kind is ActivityKind.SIGN_IN_REFUSED else "",
        )


def _sentence(activity: Activity) -> str:
    if activity.kind is ActivityKind.LEVEL_SET and activity.level is not None:
        return "event.level_set_to"
    return f"event.{activity.kind.value}"


def _parts(activity: Activity, texts: Texts) -> Iterator[Part]:
    device = _called(activity.device_name, activity.user_agent, texts)
    if device:
        yield Part(label="device", text=device)
    if activity.audience:
        yield Part(label="app", text=activity.audience)
    if activity.addresses > 1:
        yield Part(label="address", text=texts.plain("events.addresses", count=activity.addresses))
    elif activity.address:
        yield Part(label="address", text=_place(activity.address, texts))


def _place(address: str, texts: Texts) -> str:
    """An address as it is kept; what is kept to compare alone tells a person nothing."""
    return texts.plain("address.not_kept") if address.startswith(KEYED) else address


def _browser(user_agent: str, texts: Texts) -> str:
    return describe_browser(user_agent, texts.pattern("browser.on"))


def _called(device_name: str, user_agent: str, texts: Texts) -> str:
    """The name that somebody gave; where the page made it of the browser, the browser itself says more, and newer."""
    given = device_name not in {"", name_device(user_agent)}
    return device_name if given else _browser(user_agent, texts) or device_name


def _icon_of(user_agent: str) -> str:
    """A picture of what it runs on, as far as whoever calls has said."""
    browser = parse_browser(user_agent)
    if browser.name == _COMMAND_LINE:
        return "line"
    return "phone" if browser.system in _IN_HAND else "desk"
