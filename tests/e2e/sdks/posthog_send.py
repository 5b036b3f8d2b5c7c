"""``posthog_send URL KEY PACE MODE``: the real posthog makes calls; prints their ids, and the errors it met.

PACE ``once``: one call of each kind, one of them by "undefined"; else as ``pace``, and prints how many. MODE: v0 or v1.
"""

import json
import sys
from datetime import UTC, datetime

from posthog import Posthog

from tests.e2e.sdks.pace import play

url, key, pace, mode = sys.argv[1:]
errors: list[str] = []
client = Posthog(
    key,
    host=url,
    capture_mode=mode,
    flush_interval=0.3,
    max_retries=8,
    gzip=mode == "v0",
    on_error=lambda error, _: errors.append(str(error)),
)
made: object
then = datetime(2025, 3, 30, 1, 30, 0, 123_000, tzinfo=UTC)
if pace == "once":
    signed_up = {"plan": "pro", "price": 19.99, "tags": ["a", None], "emoji": "🦔 café"}
    identified = {"$anon_distinct_id": "anon-1", "$set": {"email": "zoë@example.com"}}
    made = [
        client.capture("$identify", distinct_id="user-1", properties=identified, timestamp=then),
        client.capture("Signed Up", distinct_id="user-1", properties=signed_up, timestamp=then),
        client.capture("Ghost Seen", distinct_id="undefined"),
        client.capture("Project Created", distinct_id="42", groups={"company": "acme"}),
        client.capture("Visited", distinct_id="anon-2", properties={"$process_person_profile": False}),
        client.set(distinct_id="user-1", properties={"name": "Zoë 🦔"}),
        client.group_identify("company", "acme", {"name": "Acme GmbH"}, distinct_id="user-1"),
        client.capture(
            "$pageview", distinct_id="user-1", properties={"$current_url": "https://a.example/docs?utm_source=news"}
        ),
        client.capture("$screen", distinct_id="user-1", properties={"$screen_name": "Home", "$session_id": "s-1"}),
        client.alias("user-1", "user-0"),  # as it lies on the wire: user-0 is another name of user-1
    ]
else:

    def tick(number: int, who: str, text: str) -> None:
        client.capture("Ticked", distinct_id=who, properties={"n": number, "text": text})

    made = play(pace, tick, client.flush)
client.shutdown()
print(json.dumps({"made": made, "errors": errors}, default=str))
