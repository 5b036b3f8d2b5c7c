"""The answer that the browser and mobile SDKs wait for before they send anything: which integrations, and where to send to.

Without it analytics-next sends no event. ``apiHost`` and ``protocol`` lead it here, so that a page needs ``cdnURL`` only.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec


@dataclass(frozen=True, slots=True)
class PublicAddress:
    """Under which address the sender sees us: ``https`` and ``events.example.com/prefix``, without a slash at the end."""

    protocol: str
    host: str


def address_of(public_url: str) -> PublicAddress:
    parts = urlsplit(public_url if "://" in public_url else f"https://{public_url}")
    return PublicAddress(parts.scheme, f"{parts.netloc}{parts.path}".rstrip("/"))


def settings_for(key: str, address: PublicAddress) -> bytes:
    on = {"enabled": True}
    integration = {
        "apiKey": key,
        "apiHost": f"{address.host}/v1",
        "protocol": address.protocol,
        "unbundledIntegrations": [],
        "addBundledMetadata": True,
        "maybeBundledConfigIds": {},
        "versionSettings": {"version": "4.4.7", "componentTypes": ["browser"]},
    }
    return msgspec.json.encode(
        {
            "integrations": {"Segment.io": integration},
            "plan": {
                "track": {"__default": {**on, "integrations": {}}},
                "identify": {"__default": on},
                "group": {"__default": on},
            },
            "edgeFunction": {},
            "analyticsNextEnabled": True,
            "middlewareSettings": {},
            "enabledMiddleware": {},
            "metrics": {"sampleRate": 0},
            "legacyVideoPluginsEnabled": False,
            "remotePlugins": [],
        }
    )
