"""What a browser says of itself: device, system, browser, and whether it calls itself a crawler."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple


class Agent(NamedTuple):
    device: str | None  # desktop, mobile or tablet
    os: str | None
    browser: str | None
    bot: bool


_BOT: Final = re.compile(  # Cubot makes phones
    r"(?<!cu)bot\b|crawl|spider|slurp|archiver|facebookexternalhit|mediapartners|lighthouse|pagespeed|bingpreview"
    r"|prerender|uptime|pingdom|monitoring|google-inspectiontool|feedfetcher|embedly|whatsapp/",
    re.IGNORECASE,
)
# In this order: each of these names itself beside the names of those it descends from.
_BROWSERS: Final = (
    ("Edge", re.compile(r"Edg(?:e|A|iOS)?/")),
    ("Opera", re.compile(r"OPR/|Opera")),
    ("Samsung Internet", re.compile(r"SamsungBrowser/")),
    ("Firefox", re.compile(r"Firefox/|FxiOS/")),
    ("Chrome", re.compile(r"Chrome/|CriOS/|Chromium/")),
    ("Safari", re.compile(r"Version/[\d.]+.*Safari/|AppleWebKit/.*Mobile/")),
    ("Internet Explorer", re.compile(r"MSIE |Trident/")),
)
_SYSTEMS: Final = (
    ("iOS", re.compile(r"iPhone|iPad|iPod")),
    ("Android", re.compile(r"Android")),
    ("Windows", re.compile(r"Windows")),
    ("macOS", re.compile(r"Mac OS X|Macintosh")),
    ("ChromeOS", re.compile(r"CrOS")),
    ("Linux", re.compile(r"Linux|X11")),
)


@lru_cache(maxsize=8_192)
def agent(user_agent: str) -> Agent:
    """``agent("analytics-python/2.4")`` knows nothing: a library is no device. HeadlessChrome is no crawler."""
    os = _first(_SYSTEMS, user_agent)
    browser = _first(_BROWSERS, user_agent)
    return Agent(_device(user_agent, os), os, browser, _BOT.search(user_agent) is not None)


def _first(names: tuple[tuple[str, re.Pattern[str]], ...], user_agent: str) -> str | None:
    return next((name for name, pattern in names if pattern.search(user_agent)), None)


def _device(user_agent: str, os: str | None) -> str | None:
    if os is None:
        return None
    if "iPad" in user_agent or "Tablet" in user_agent or (os == "Android" and "Mobile" not in user_agent):
        return "tablet"
    return "mobile" if os in ("iOS", "Android") or "Mobile" in user_agent else "desktop"
