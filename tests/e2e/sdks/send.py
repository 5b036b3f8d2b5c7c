"""``python send.py URL KEY GZIP``: the real segment-analytics-python makes one call of each kind; prints what it made."""

import json
import sys
from datetime import UTC, datetime

from segment.analytics.client import Client

url, key, gzip = sys.argv[1:]
client = Client(key, host=url, gzip=gzip == "gzip")
then = datetime(2025, 3, 30, 1, 30, 0, 123_000, tzinfo=UTC)
made = [
    client.identify("user-1", {"email": "zoë@example.com", "name": "Zoë 🦔"}, anonymous_id="anon-1", timestamp=then),
    client.track(
        "user-1", "Signed Up", {"plan": "pro", "price": 19.99, "tags": ["a", None], "emoji": "🦔 café"}, timestamp=then
    ),
    client.track(42, "Project Created", {"n": 1}, message_id=f"python-{gzip}"),
    client.track(None, "Visited", {"n": 2}, anonymous_id="anon-2"),
    client.group("user-1", "acme", {"name": "Acme GmbH"}),
    client.page("user-1", "Docs", "Getting started", {"url": "https://a.example/docs?utm_source=news", "path": "/docs"}),
    client.screen("user-1", "App", "Home"),
    client.alias("user-0", "user-1"),
]
client.shutdown()
print(json.dumps([message for _, message in made], default=str))
