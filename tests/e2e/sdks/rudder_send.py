"""``python rudder_send.py URL KEY PACE``: the real rudder-sdk-python makes calls; prints them, and the errors it met.

PACE ``once``: one call of each kind, one of them by "undefined". ``large``: 60 events of 20 KB, and one larger than any
server takes. ``slow``: 40 small ones over four seconds.
"""

import json
import sys
import time
from datetime import UTC, datetime

from rudderstack.analytics.client import Client

url, key, pace = sys.argv[1:]
errors: list[str] = []
client = Client(key, host=url, upload_interval=0.2, on_error=lambda error, _: errors.append(str(error)))
then = datetime(2025, 3, 30, 1, 30, 0, 123_000, tzinfo=UTC)
if pace == "once":
    made = [
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
elif pace == "large":
    made = [client.track("user-1", "Filled", {"text": "x" * 20_000}) for _ in range(60)]
    time.sleep(1)  # so that they are a batch of their own
    made.append(client.track("user-1", "Overfilled", {"text": "x" * 4_150_000}))
else:
    made = []
    for number in range(40):
        made.append(client.track("user-1", "Ticked", {"n": number}))
        time.sleep(0.1)
client.shutdown()
print(json.dumps({"made": [message for _, message in made], "errors": errors}, default=str))
