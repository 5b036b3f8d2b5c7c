"""``amplitude_send URL KEY PACE PATIENCE``: the real amplitude-analytics makes events; prints them and what it was
told of each within PATIENCE seconds (of a wrong key it tells nothing).

PACE ``once``: one of each kind, one of them by "undefined". ``many``: 90 events of 20 KB. Else as ``pace``.
"""

import json
import sys
import time
import uuid

from amplitude import Amplitude, BaseEvent, Config, EventOptions, GroupIdentifyEvent, Identify, IdentifyEvent, Revenue

from tests.e2e.sdks.pace import play

url, key, pace, patience = sys.argv[1:]
made: list[str] = []
told: dict[str, int] = {}
interval = 1500 if pace == "many" else 100  # all of them in one batch, which is too large
settings = Config(server_url=url, flush_interval_millis=interval, flush_queue_size=100, flush_max_retries=1000)
settings.callback = lambda event, code, _: told.update({event.insert_id: code})
client = Amplitude(key, settings)


def send(event: BaseEvent) -> None:
    event.insert_id = str(uuid.uuid4())
    made.append(event.insert_id)
    client.track(event)


def numbered(number: int, text: str) -> dict[str, object]:
    """In pieces: the SDK cuts a text after 1,024 characters."""
    return {"n": number, "text": [text[at : at + 1000] for at in range(0, len(text), 1000)]}


if pace == "once":
    traits = (
        Identify()
        .set("email", "zoë@example.com")
        .set("name", "Zoë 🦔")
        .unset("trial")
        .add("logins", 1)
        .set_once("first", "a")
    )
    company = Identify().set("name", "Acme GmbH")
    bought = Revenue(price=3.99, quantity=3, product_id="p").to_revenue_event()
    bought.load_event_options(EventOptions(user_id="user-1"))
    send(IdentifyEvent(user_id="user-1", device_id="dev-1", user_properties=traits.user_properties, time=1743298200123))
    props = {"plan": "pro", "price": 19.99, "tags": ["a", "b"], "emoji": "🦔 café"}
    send(BaseEvent("Signed Up", user_id="user-1", device_id="dev-1", event_properties=props, session_id=1743298200000))
    send(BaseEvent("Ghost Seen", user_id="undefined"))
    send(BaseEvent("Visited", device_id="dev-2", event_properties={"n": 2}, groups={"company": "acme"}))
    send(bought)
    send(GroupIdentifyEvent(groups={"company": "acme"}, group_properties=company.user_properties))
    joined = Identify().set("company", "acme").user_properties
    send(IdentifyEvent(user_id="user-1", groups={"company": "acme"}, user_properties=joined))
elif pace == "many":
    for _ in range(90):
        send(BaseEvent("Filled", user_id="user-1", event_properties={f"text{at}": "x" * 1000 for at in range(20)}))
else:
    play(pace, lambda n, who, text: send(BaseEvent("Ticked", user_id=who, event_properties=numbered(n, text))), client.flush)
deadline = time.monotonic() + float(patience)
while len(told) < len(made) and time.monotonic() < deadline:
    time.sleep(0.05)
client.shutdown()
print(json.dumps({"made": made, "told": told}))
