"""``segment_send URL KEY PACE``: the real segment-analytics-python makes calls; prints them.

PACE ``plain``, ``gzip``: one call of each kind; else as ``pace``, and prints how many it made and what errors it met.
"""

import json
import sys
from datetime import UTC, datetime

from segment.analytics.client import Client

from tests.e2e.sdks.pace import play

url, key, pace = sys.argv[1:]
errors: list[str] = []
client = Client(key, host=url, gzip=pace == "gzip", upload_interval=0.2, on_error=lambda error, _: errors.append(str(error)))
then = datetime(2025, 3, 30, 1, 30, 0, 123_000, tzinfo=UTC)


def tick(number: int, who: str, text: str) -> None:
    try:
        client.track(who, "Ticked", {"n": number, "text": text})
    except RuntimeError as error:
        errors.append(str(error)[:100])


if pace in ("plain", "gzip"):
    signed_up = {"plan": "pro", "price": 19.99, "tags": ["a", None], "emoji": "🦔 café"}
    made = [
        client.identify("user-1", {"email": "zoë@example.com", "name": "Zoë 🦔"}, anonymous_id="anon-1", timestamp=then),
        client.track("user-1", "Signed Up", signed_up, timestamp=then),
        client.track(42, "Project Created", {"n": 1}, message_id=f"python-{pace}"),
        client.track(None, "Visited", {"n": 2}, anonymous_id="anon-2"),
        client.group("user-1", "acme", {"name": "Acme GmbH"}),
        client.page("user-1", "Docs", "Getting started", {"url": "https://a.example/docs?utm_source=news", "path": "/docs"}),
        client.screen("user-1", "App", "Home"),
        client.alias("user-0", "user-1"),
    ]
    client.shutdown()
    print(json.dumps([message for _, message in made], default=str))
else:
    count = play(pace, tick, client.flush)
    client.shutdown()
    print(json.dumps({"made": count, "errors": errors}))
