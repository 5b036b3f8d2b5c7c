"""Names, channels and devices: the texts that calls are dressed in. Everything is invented or generic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


FIRST_NAMES: Final = _words(
    "Ada Amara Anders Aiko Bela Bruno Carla Chen Dalia Dmitri Elif Emeka Farah Felix Gita Goran Hana Hugo Ines Ivan Jana "
    "Jamal Kaito Klara Lars Leila Maya Mateo Nadia Noor Olga Omar Paula Priya Quinn Rafael Rosa Sami Sofia Tariq Tessa Uma "
    "Viktor Wanda Xenia Yara Yusuf Zoe"
)
LAST_NAMES: Final = _words(
    "Abel Aoki Baker Bianchi Castro Cohen Dubois Duarte Eriksen Evans Fischer Flores Garcia Gupta Haas Hashimoto Ito Ivanov "
    "Jansen Joshi Keller Kimura Larsen Lopez Mbeki Moreau Novak Nguyen Okafor Olsen Petrov Popescu Quiroga Rossi Ruiz Sato "
    "Silva Tanaka Tran Ueda Vargas Weber Wong Yilmaz Zhang Zimmer"
)
COMPANY_FIRST: Final = _words(
    "Amber Aspen Basalt Birch Cedar Cobalt Copper Coral Delta Ember Fern Flint Garnet Harbor Hazel Indigo Iris Juniper Lark "
    "Linden Lumen Maple Meadow Mistral Nimbus Onyx Orchard Pebble Quartz Raven Saffron Sierra Slate Summit Tamarind Tidal "
    "Umber Verdant Willow Zephyr"
)
COMPANY_LAST: Final = _words(
    "Analytics Bank Biotech Books Clinics Cloud Dynamics Energy Foods Freight Games Health Insights Labs Logistics Media "
    "Mobility Networks Optics Partners Robotics Schools Software Studios Systems Travel Works"
)
USER_AGENTS: Final = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605.1.15",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
)
LOCALES: Final = ("en-US", "en-GB", "de-DE", "fr-FR", "es-ES", "pt-BR", "ja-JP")
CHURN_REASONS: Final = ("too expensive", "missing features", "switched tools", "project ended")
PLANS: Final = {"personal": 12, "team": 49, "business": 149}  # monthly price in USD
SITE: Final = "https://www.tasklark.example"
APP: Final = "https://app.tasklark.example"


@dataclass(frozen=True)
class Landing:
    """How a channel shows in the first page of a visit: its referrer and its campaign (``context.campaign``)."""

    referrer: str = ""
    campaign: Mapping[str, str] | None = None


CHANNELS: Final[Mapping[str, tuple[Landing, ...]]] = {
    "direct": (Landing(),),
    "organic search": (
        Landing("https://www.google.com/"),
        Landing("https://www.bing.com/"),
        Landing("https://duckduckgo.com/"),
    ),
    "paid search": (Landing("https://www.google.com/", {"source": "google", "medium": "cpc", "name": "brand-terms"}),),
    "paid social": (
        Landing("https://www.linkedin.com/", {"source": "linkedin", "medium": "paid_social", "name": "ops-leads"}),
    ),
    "social": (
        Landing("https://www.linkedin.com/"),
        Landing("https://t.co/"),
        Landing("", {"source": "reddit", "medium": "social"}),
    ),
    "email": (Landing("", {"source": "newsletter", "medium": "email", "name": "monthly"}),),
    "partner": (Landing("", {"source": "agency-network", "medium": "partner"}),),
    "campaign": (Landing("", {"source": "launch-week", "name": "launch-week"}),),
    "referral": (Landing("https://blog.toolshelf.example/best-task-apps"), Landing("https://reviews.example.org/tasklark")),
    "invite": (Landing("", {"source": "product", "medium": "invite"}),),
}
CHANNEL_WEIGHTS: Final[Mapping[str, int]] = {
    "direct": 24,
    "organic search": 26,
    "paid search": 12,
    "paid social": 6,
    "social": 10,
    "email": 5,
    "partner": 4,
    "campaign": 4,
    "referral": 9,
}
