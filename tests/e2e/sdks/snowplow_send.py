"""``snowplow_send URL KEY PACE PATIENCE``: the real snowplow-tracker makes events; prints their ids in order, and
how many were not taken within PATIENCE seconds.

PACE ``once``: one of each kind, one of them by "undefined"; ``pixel``: the same by GET. ``many``: two batches, the first
too large. Else as ``pace``.
"""

import json
import sys
import time
from typing import Any

from snowplow_tracker import (
    Emitter,
    PagePing,
    PageView,
    ScreenView,
    SelfDescribing,
    SelfDescribingJson,
    StructuredEvent,
    Subject,
    Tracker,
)

from tests.e2e.sdks.pace import play

url, key, pace, patience = sys.argv[1:]
taken: list[object] = []
emitter = Emitter(
    url,
    method="get" if pace == "pixel" else "post",
    batch_size={"slow": 1, "many": 3}.get(pace, 7),
    on_success=taken.extend,
    max_retry_delay_seconds=1,
)
subject = Subject().set_user_id("user-1").set_domain_user_id("dev-1").set_domain_session_id("s1").set_lang("de")
tracker = Tracker("ns1", emitter, subject, key)
made: list[str] = []


def send(event: Any) -> None:
    made.append(str(tracker.track(event)))


def described(name: str, data: dict[str, object], **more: Any) -> SelfDescribing:
    return SelfDescribing(SelfDescribingJson(f"iglu:com.acme/{name}/jsonschema/1-0-0", data), **more)


if pace in ("once", "pixel"):
    plan = SelfDescribingJson("iglu:com.acme/user_context/jsonschema/1-0-0", {"plan": "pro", "name": "Zoë 🦔"})
    send(PageView("https://a.example/docs?utm_source=news", "Docs – «start»", "https://g.example/", context=[plan]))
    send(PagePing("https://a.example/docs", min_x=10, max_y=200))
    send(StructuredEvent("shop", "add", "Zoë 🦔", "pcs", 2.5))
    send(described("order", {"price": 19.99, "tags": ["a", "b"], "emoji": "🦔 café"}, true_timestamp=1743298200123))
    send(described("identify", {"email": "zoë@example.com"}))
    send(ScreenView(id_="a0b1", name="Home"))
    send(described("ghost", {}, event_subject=Subject().set_user_id("undefined").set_domain_user_id("null")))
elif pace == "many":
    for size in (1, 1_000_000, 1_000_000):
        send(described("filled", {"text": "x" * size}))
    send(described("fitting", {"text": "x" * 10_000}))
else:

    def tick(number: int, who: str, text: str) -> None:
        of = Subject().set_user_id(who).set_domain_user_id(who)
        send(described("ticked", {"n": number, "text": text}, event_subject=of))

    play(pace, tick, tracker.flush)
tracker.flush()
deadline = time.monotonic() + float(patience)
while len(taken) < len(made) and time.monotonic() < deadline:
    time.sleep(0.05)
emitter._cancel_retry_timer()
print(json.dumps({"made": made, "left": len(made) - len(taken)}))
