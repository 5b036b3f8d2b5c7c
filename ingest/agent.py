"""What a browser, an app or a crawler says of itself: device, system, browser, and whether it is a crawler.

The rules are those of ua-parser (Apache-2.0, https://github.com/ua-parser): 10 microseconds for a text not seen before. They
are read when the first text is, since the door, which has none to read, should not hold their 35 MB. Names are the common
ones: ``Chrome`` on a phone is ``Chrome``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from ua_parser import PartialResult, Resolver


class Agent(NamedTuple):
    device: str | None  # desktop, mobile or tablet
    os: str | None
    browser: str | None
    bot: bool


_LIBRARY: Final = Agent(None, None, None, False)
_BOT: Final = re.compile(  # beside what ua-parser calls a spider; Cubot makes phones
    r"(?<!cu)bot\b|crawl|spider|slurp|archiver|facebookexternalhit|mediapartners|lighthouse|pagespeed|bingpreview"
    r"|prerender|uptime|pingdom|monitoring|google-inspectiontool|feedfetcher|embedly|whatsapp/",
    re.IGNORECASE,
)
_BROWSERS: Final[Mapping[str, str]] = {
    "Chrome Mobile": "Chrome",
    "Chrome Mobile iOS": "Chrome",
    "Chrome Mobile WebView": "Chrome",
    "Chromium": "Chrome",
    "HeadlessChrome": "Chrome",
    "Mobile Safari": "Safari",
    "Mobile Safari UI/WKWebView": "Safari",
    "Android": "Android Browser",
    "Firefox Mobile": "Firefox",
    "Firefox iOS": "Firefox",
    "Edge Mobile": "Edge",
    "Opera Mobile": "Opera",
    "Opera Mini": "Opera",
    "Opera Touch": "Opera",
    "Opera Tablet": "Opera",
    "IE": "Internet Explorer",
    "IE Mobile": "Internet Explorer",
}
_SYSTEMS: Final[Mapping[str, str]] = {
    "Mac OS X": "macOS",
    "Mac OS": "macOS",
    "Chrome OS": "ChromeOS",
    **dict.fromkeys(("Ubuntu", "Debian", "Fedora", "Red Hat", "CentOS", "SUSE", "Arch Linux", "Gentoo", "Mint"), "Linux"),
    **dict.fromkeys(("Kubuntu", "Lubuntu", "Xubuntu", "Linux Mint", "Mageia", "Mandriva", "Slackware", "Puppy"), "Linux"),
}
_PHONES: Final = ("iOS", "Android")


@lru_cache(maxsize=8_192)
def agent(user_agent: str) -> Agent:
    """``agent("analytics-python/2.4")`` knows nothing: a library is no device. HeadlessChrome is no crawler."""
    if not user_agent:
        return _LIBRARY
    found = _parsed(user_agent)
    spider = found.device is not None and found.device.family == "Spider"
    bot = spider or _BOT.search(user_agent) is not None
    if found.os is None:
        return Agent(None, None, None, bot)
    os = _SYSTEMS.get(found.os.family, found.os.family)
    browses = user_agent.startswith(("Mozilla/", "Opera/"))
    browser = found.user_agent.family if found.user_agent is not None and browses and not spider else None
    return Agent(_device(user_agent, os, browses), os, _BROWSERS.get(browser, browser) if browser else None, bot)


def _device(user_agent: str, os: str, browses: bool) -> str:
    """Of Android's browsers those on phones say ``Mobile``; its apps say nothing."""
    if "iPad" in user_agent or "Tablet" in user_agent or (os == "Android" and browses and "Mobile" not in user_agent):
        return "tablet"
    return "mobile" if os in _PHONES or "Mobile" in user_agent else "desktop"


def _parsed(user_agent: str) -> PartialResult:
    from ua_parser import Domain

    return _rules()(user_agent, Domain.ALL)


@cache
def _rules() -> Resolver:
    from ua_parser.loaders import load_builtins
    from ua_parser.regex import Resolver

    return Resolver(load_builtins())
