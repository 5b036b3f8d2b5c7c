"""The event that everything is measured with: a browser's track call of about 600 bytes."""

from __future__ import annotations

from typing import Final

import msgspec

SENT_AT: Final = "2026-02-20T10:00:00.000Z"


def event(number: int) -> dict[str, object]:
    """One of a thousand users, one of five events."""
    return {
        "type": "track",
        "messageId": f"ajs-next-1771581600000-{number:024x}",
        "timestamp": f"2026-02-{1 + number % 19:02d}T{number % 24:02d}:{number % 60:02d}:00.123Z",
        "userId": f"user-{number % 1000}",
        "anonymousId": f"0d9f1a52-5b8e-4a33-9f0e-{number % 1000:012d}",
        "event": ("Signed Up", "Project Created", "Task Completed", "Report Exported", "Task Viewed")[number % 5],
        "properties": {"plan": "team", "minutes": number % 240, "template": "sprint"},
        "context": {
            "library": {"name": "analytics.js", "version": "next-1.84.3"},
            "page": {"path": "/board", "url": "https://app.tasklark.example/board", "referrer": ""},
            "userAgent": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0.0.0 Safari/537.36",
            "locale": "en-US",
            "groupId": f"acct_{number % 200:05d}",
        },
    }


def single(number: int = 0) -> bytes:
    return msgspec.json.encode({**event(number), "sentAt": SENT_AT})


def batch(first: int = 0, size: int = 100) -> bytes:
    return msgspec.json.encode({"batch": [event(first + n) for n in range(size)], "sentAt": SENT_AT})
