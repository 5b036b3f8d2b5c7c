"""From an event's ``context`` to the columns promoted from it: a tuple of steps, each adding what it knows.

A step may only add (``put_``), and reads nothing but the context; the answer is remembered, since an SDK sends the same
context with thousands of events.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qs, urlsplit

import msgspec

from ingest.agent import agent
from ingest.limits import opened
from ingest.protocols import tolerant
from ingest.scalar import Scalar, identifier, text


class Page(msgspec.Struct, gc=False):
    url: str | None = None
    path: str | None = None
    referrer: str | None = None


class Campaign(msgspec.Struct, gc=False):
    source: str | None = None
    medium: str | None = None
    name: str | None = None
    term: str | None = None
    content: str | None = None


class Named(msgspec.Struct, gc=False):
    """Of ``library``, ``app``, ``os``, ``device`` and ``location``: the fields that any of them has."""

    name: str | None = None
    version: Scalar = None
    type: str | None = None
    country: str | None = None


class Context(msgspec.Struct, rename="camel", gc=False):
    page: Page | None = None
    campaign: Campaign | None = None
    library: Named | None = None
    app: Named | None = None
    os: Named | None = None
    device: Named | None = None
    location: Named | None = None
    locale: str | None = None
    user_agent: str | None = None
    group_id: Scalar = None
    groups: msgspec.Raw = msgspec.Raw()
    session_id: Scalar = None
    traits: msgspec.Raw = msgspec.Raw()
    request_agent: str = msgspec.field(default="", name="$request_agent")  # not sent: put in by ``promoted``


class Promoted(msgspec.Struct, gc=False):
    """The columns of ``EVENTS`` that come from the context, and the traits that stand in it (empty: none)."""

    account_id: str | None = None
    session_id: str | None = None
    library: str | None = None
    page_url: str | None = None
    page_path: str | None = None
    page_referrer: str | None = None
    utm_source: str | None = None
    utm_medium: str | None = None
    utm_campaign: str | None = None
    utm_term: str | None = None
    utm_content: str | None = None
    device: str | None = None
    os: str | None = None
    browser: str | None = None
    locale: str | None = None
    app_version: str | None = None
    country: str | None = None
    bot: bool = False
    traits: bytes = b""
    opened: int = 0  # objects and lists in the context
    own: bool = False  # the request came from the sender's own device, so that its address and country are the sender's


def put_account(row: Promoted, context: Context) -> None:
    row.account_id = identifier(context.group_id) or first_id(bytes(context.groups))


def put_session(row: Promoted, context: Context) -> None:
    row.session_id = text(context.session_id)


def put_library(row: Promoted, context: Context) -> None:
    library = context.library
    if library is not None and library.name:
        version = text(library.version)
        row.library = f"{library.name}/{version}" if version else library.name


def put_page(row: Promoted, context: Context) -> None:
    page = context.page
    if page is not None:
        row.page_url, row.page_path = page.url, page.path
        row.page_referrer = None if page.referrer in NO_REFERRER else page.referrer


def put_campaign(row: Promoted, context: Context) -> None:
    campaign = context.campaign or (campaign_of(row.page_url) if row.page_url and "utm_" in row.page_url else None)
    if campaign is not None:
        row.utm_source, row.utm_medium, row.utm_campaign = campaign.source, campaign.medium, campaign.name
        row.utm_term, row.utm_content = campaign.term, campaign.content


def put_agent(row: Promoted, context: Context) -> None:
    """Mobile SDKs name device and system themselves; a browser says both in its user agent."""
    if context.user_agent:
        row.device, row.os, row.browser, row.bot = agent(context.user_agent)
    if context.os is not None and context.os.name:
        row.os = context.os.name
    if row.device is None and context.device is not None and context.device.type:
        row.device = "mobile" if context.device.type.lower() in ("ios", "android") else context.device.type


def put_origin(row: Promoted, context: Context) -> None:
    """A browser says in the request's own user agent what it is, a phone in the context; a server does neither."""
    phone = context.os is not None and (context.os.name or "").lower() in PHONES
    row.own = phone or (context.request_agent != "" and agent(context.request_agent).device is not None)


def put_place(row: Promoted, context: Context) -> None:
    row.locale = context.locale
    row.country = None if context.location is None else context.location.country


def put_app(row: Promoted, context: Context) -> None:
    row.app_version = None if context.app is None else text(context.app.version)


def put_traits(row: Promoted, context: Context) -> None:
    row.traits = bytes(context.traits)


PHONES: Final = ("ios", "ipados", "android")
NO_REFERRER: Final = (None, "", "$direct")  # RudderStack's and PostHog's SDKs say so where there is none

Step = Callable[[Promoted, Context], None]
STEPS: Final[tuple[Step, ...]] = (
    put_account,
    put_session,
    put_library,
    put_page,
    put_campaign,
    put_agent,
    put_origin,
    put_place,
    put_app,
    put_traits,
)

_CONTEXT: Final = msgspec.json.Decoder(Context)


@lru_cache(maxsize=16_384)  # a company of 20,000 people sends 30,000 different ones in a quarter
def promoted(context: bytes, user_agent: str) -> Promoted:
    """Read-only, since it is shared. ``context`` is a JSON object; ``user_agent`` is the request's, if that has none."""
    try:
        read = _CONTEXT.decode(context)
    except msgspec.ValidationError:
        read = tolerant.read(context, Context)
    read.user_agent, read.request_agent = read.user_agent or user_agent, user_agent
    row = Promoted(opened=opened(context, len(context)))
    for step in STEPS:
        step(row, read)
    return row


def first_id(groups: bytes) -> str | None:
    """The first id in ``{"company": "acme"}`` or ``["acme"]``."""
    if groups[:1] not in (b"{", b"["):
        return None
    ids = msgspec.json.decode(groups)
    values = ids.values() if isinstance(ids, dict) else ids
    found = (identifier(value) for value in values if isinstance(value, str | int | float))
    return next((name for name in found if name), None)


def campaign_of(url: str) -> Campaign | None:
    """The ``utm_`` parameters of a URL, for SDKs on servers, which leave reading them to us."""
    try:
        query = parse_qs(urlsplit(url).query)
    except ValueError:
        return None
    found = {name: query.get(f"utm_{name}", [None])[0] for name in ("source", "medium", "campaign", "term", "content")}
    if not any(found.values()):
        return None
    return Campaign(found["source"], found["medium"], found["campaign"], found["term"], found["content"])
