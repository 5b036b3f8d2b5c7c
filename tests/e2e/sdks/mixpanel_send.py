"""``mixpanel_send URL KEY PACE USER``: the real mixpanel makes events of USER; prints their ids and its errors.

PACE ``once``: one of each kind, one of them by "undefined", then updates of people and groups; ``buffered``: the same in
lists. ``many``: 50 events of 220 KB at once. Else as ``pace``. It retries https alone: here http, too.
"""

import json
import sys
import uuid
from typing import Any

from mixpanel import BufferedConsumer, Consumer, Mixpanel, MixpanelException

from tests.e2e.sdks.pace import play

url, key, pace, user = sys.argv[1:]
where = {
    "events_url": f"{url}/track",
    "people_url": f"{url}/engage",
    "groups_url": f"{url}/groups",
    "import_url": f"{url}/import",
}
consumer: Any = (BufferedConsumer if pace in ("buffered", "many") else Consumer)(retry_limit=1000, **where)
session = getattr(consumer, "_consumer", consumer)._session
session.mount("http://", session.adapters["https://"])
session.adapters["https://"].max_retries.backoff_max = 0.5  # seconds
client = Mixpanel(key, consumer=consumer)
made: list[str] = []
errors: list[str] = []


def send(method: str, *what: Any) -> None:
    try:
        getattr(client, method)(*what)
    except MixpanelException as error:
        errors.append(str(error))


def track(who: str, event: str, properties: dict[str, object]) -> None:
    made.append(uuid.uuid4().hex)
    send("track", who, event, {"$insert_id": made[-1], **properties})


if pace in ("once", "buffered"):
    track(user, "Signed Up", {"price": 19.99, "tags": ["a", "b"], "emoji": "🦔 café", "time": 1743298200.123})
    track("$device:dev-1", "Visited", {"$current_url": "https://a.example/docs", "utm_source": "news"})
    track("undefined", "Ghost Seen", {})
    send("people_set", user, {"$email": "zoë@example.com", "$name": "Zoë 🦔"})
    send("people_unset", user, ["trial"])
    send("people_increment", user, {"logins": 1})
    send("group_set", "company", user, {"name": "Acme GmbH"})
    made.append(uuid.uuid4().hex)
    send("import_data", None, user, "Imported", 1743298200, {"$insert_id": made[-1]})
    send("merge", None, user, f"{user}-2")
    if pace == "buffered":
        consumer.flush()
    track(user, "Done", {})
elif pace == "many":
    for _ in range(50):
        track(user, "Filled", {"text": "x" * 220_000})
else:
    play(pace, lambda n, who, text: track(who, "Ticked", {"n": n, "text": text}), lambda: None)
if pace == "buffered":
    consumer.flush()
print(json.dumps({"made": made, "errors": errors}))
