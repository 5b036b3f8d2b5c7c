"""``rudder_send URL KEY PACE``: the real rudder-sdk-python makes calls; prints them, and the errors it met.

PACE ``once``: one call of each kind, one of them by "undefined". ``many``: 60 events of 20 KB and, in the same batch of
more than 4 MiB, as many of 130 KB as go into it. Else as ``pace``, and prints how many they were.
"""

import json
import sys
from datetime import UTC, datetime

from rudderstack.analytics.client import Client

from tests.e2e.sdks.pace import play

url, key, pace = sys.argv[1:]
errors: list[str] = []
client = Client(key, host=url, upload_interval=0.2, on_error=lambda error, _: errors.append(str(error)))
then = datetime(2025, 3, 30, 1, 30, 0, 123_000, tzinfo=UTC)
made: object


def tick(number: int, who: str, text: str) -> None:
    try:
        client.track(who, "Ticked", {"n": number, "text": text})
    except RuntimeError as error:
        errors.append(str(error)[:100])


if pace == "once":
    calls = [
        client.identify("user-1", {"email": "zoë@example.com", "name": "Zoë 🦔"}, anonymous_id="anon-1", timestamp=then),
        client.track("user-1", "Signed Up", {"plan": "pro", "price": 19.99, "tags": ["a", None], "emoji": "🦔 café"}),
        client.track("undefined", "Ghost Seen"),
        client.track(42, "Project Created", {"n": 1}),
        client.track(None, "Visited", {"n": 2}, anonymous_id="anon-2"),
        client.group("user-1", "acme", {"name": "Acme GmbH"}),
        client.page("user-1", "Docs", "Getting started", {"url": "https://a.example/docs?utm_source=news", "path": "/docs"}),
        client.screen("user-1", "App", "Home"),
        client.alias("user-0", "user-1"),
    ]
    made = [message for _, message in calls]
elif pace == "many":
    sizes = [("Filled", 20_000)] * 60 + [("Overfilled", 130_000)] * 32
    made = [client.track("user-1", name, {"text": "x" * size})[1] for name, size in sizes]
else:
    made = play(pace, tick, client.flush)
client.shutdown()
print(json.dumps({"made": made, "errors": errors}, default=str))
