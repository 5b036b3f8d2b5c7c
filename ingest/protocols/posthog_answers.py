"""What PostHog's SDKs want to hear: that events are taken, what became of each (v1), no flags, and a quiet configuration."""

from __future__ import annotations

from typing import Final

import msgspec

from ingest.answers import Answer, json_answer
from ingest.cors import Headers
from ingest.outcome import Outcome
from ingest.request import Request

OK: Final = json_answer(b'{"status":"Ok"}')
STORED: Final = {"result": "ok"}
BRIEFLY: Final[Headers] = ((b"cache-control", b"private, max-age=60"),)

_NO_FLAGS: Final = {
    "flags": {},
    "featureFlags": {},
    "featureFlagPayloads": {},
    "errorsWhileComputingFlags": False,
}
_CONFIG: Final = {  # all that this server does not do is off, or an SDK would load it from here; surveys are not named at
    # all, because posthog-js loads their script even where they are said to be off
    "supportedCompression": ["gzip", "gzip-js"],
    "hasFeatureFlags": False,
    "analytics": {"endpoint": "/i/v0/e/"},
    "elementsChainAsString": True,
    "defaultIdentifiedOnly": True,
    "autocapture_opt_out": False,
    "autocaptureExceptions": False,
    "captureDeadClicks": False,
    "capturePerformance": False,
    "sessionRecording": False,
    "heatmaps": False,
    "siteApps": [],
    "toolbarParams": {},
    "isAuthenticated": False,
}
FLAGS: Final = json_answer(_NO_FLAGS)
DECIDE: Final = json_answer(_CONFIG | _NO_FLAGS)  # older SDKs ask for both in one


def config(token: str) -> dict[str, object]:
    return {"token": token, **_CONFIG}


def script(token: str) -> Answer:
    """The same for a page that loads the SDK by a snippet."""
    entry = msgspec.json.encode({"config": config(token), "siteApps": []}).replace(b"</", b"<\\/")
    key = msgspec.json.encode(token).replace(b"</", b"<\\/")
    body = b"(w=>{(w._POSTHOG_REMOTE_CONFIG=w._POSTHOG_REMOTE_CONFIG||{})[" + key + b"]=" + entry + b"})(window);"
    length = str(len(body)).encode()
    return Answer(200, body, ((b"content-type", b"application/javascript"), (b"content-length", length), *BRIEFLY))


def dropped(reason: Outcome) -> dict[str, str]:
    return {"result": "drop", "details": reason.value}


def echo(request: Request) -> Headers:
    given = request.header(b"posthog-request-id")
    return ((b"posthog-request-id", given[:200]),) if given else ()


def failure(status: int, tag: str, message: str, request: Request) -> Answer:
    """v1's own fields, and those that every error of ours has."""
    body = {"error": tag, "error_description": message, "error_uri": "https://posthog.com/docs/api"}
    return json_answer(body | {"code": status, "message": message, "detail": message}, status, echo(request))
