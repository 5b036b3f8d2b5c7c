"""Random small worlds in which everything happens that models tell apart: for tests that hold two engines to each other.

Times lie on a coarse grid, so that they coincide and windows are met exactly; texts hold what engines treat differently.
"""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import Final

from tests.transforms.world import Row, at, call

STAGES: Final = """
[stages.registered]
account.members = 2
person.any = [{ event = "Signed Up" }]

[stages.begun.person]
after = "registered"
within = "6d"
any = [{ event = "Project Created" }, { event = "Task Completed", times = 2, window = "3d" }]
left_by = [{ event = "Signed In", times = 2, window = "1d" }]
[stages.begun.account]
members = 1

[stages.busy.person]
any = [{ event = "Task Completed", people = 2, window = "2d" }, { event = "Project Created", times = 2 }]
[stages.busy.account]
after = "begun"
all = [{ event = "Task Completed", people = 2, window = "9d" }, { event = "Signed In" }]

[stages.crowded.account]
after = "begun"
any = [
    { any_of = [NAMES], people = 2 },
    { any_of = [NAMES], people = 2, window = "20d" },
    { any_of = [NAMES], people = 2, window = "9d" },
    { any_of = ["Task Completed", "Signed In", "Signed Up", "Invite Sent"], people = 2, window = "9d" },
]

[stages.late.person]
after = "begun"
within = "9d"
any = [{ event = "Signed In" }, { any_of = ["Task Completed", "Project Created"], times = 2, window = "4d" }]

[stages.paid.person]
any = [{ event = "Project Created" }]
left_by = [{ event = "Signed In" }, { any_of = ["Task Completed", "Project Created"], times = 3, window = "1d" }]
[stages.paid.account]
any = [{ event = "Project Created", times = 2, window = "2d" }]
left_by = [{ event = "Signed In" }]

[stages.picky.person]
any = [{ event = "Task Completed", where = [
    { any = [
        { property = "properties.size", op = "gte", value = 3 },
        { property = "properties.tags", op = "contains", value = "b" },
        { property = "properties.when", op = "lt", value = "2026-03-04" },
        { property = "page_path", op = "matches", value = "^/a.c$" },
    ] },
    { property = "properties.plan", op = "ne", value = "free" },
] }]
""".replace("NAMES", '"Task Completed", "Project Created", "Signed In", "Signed Up", "Invite Sent", "Invite Accepted"')
FUNNELS: Final = "[funnels.all]\nsteps = ['registered', 'begun', 'busy', 'paid']\nwindow = '9d'\n"
VIRALITY: Final = """
[virality]
stage = "registered"
horizon = "3d"
[virality.sent]
event = "Invite Sent"
invite_id = "invite id"
email = "to.mail"
layer = "layer"
[virality.accepted]
event = "Invite Accepted"
invite_id = "invitation \\"id\\""
"""
TRAFFIC: Final = """
[internal]
domains = ["inside.example"]
ids = ["user:w1u0"]
where = [{ property = "properties.test", op = "eq", value = true }]
"""
ACCOUNTS: Final = "[accounts]\nemail_domains = ['*']\n"

_EVENTS: Final = (
    *("Signed Up", "Signed In", "Project Created", "Task Completed", "Invite Sent", "Invite Accepted"),
    "Account Removed User",
)
_VALUES: Final[tuple[object, ...]] = (
    *(
        "Ada",
        " \u00a0Ada\u3000",
        "",
        "\u0130\u03a3\u03a3",
        'a"b\\c\n\u0001',
        "\U0001f600",
        None,
        True,
        0,
        -0.0,
        7,
        12345678.9,
    ),
    *(1e21, 1e-7, 3.5e-5, 1e16, 2**63, 2**70, [1, 2.5, {"b": None, "a": "x"}], {"z": 1, "a": [True]}, []),
)
_MAILS: Final = ("@acme.example", "@Acme.Example ", "@inside.example", "@gmail.com", "@no_dot", "@x.y.example\n", "@@a.b")
_PAGES: Final = (
    *(None, None, "https://www.site.example/a?b#c", "https://app.site.example", "http://Google.com/search", "https://t.co"),
    *(
        "https://a\\b.example/%",
        "https://news.\u0130.example:81/",
        "https://facebook.com\n/x",
        "about:blank",
        "https://x_y.example",
    ),
)
_MEDIUMS: Final = (None, None, None, None, "CPC", "Email", "social", "\u0130nvite", "paid_social", "other")


def messy(chance: Random, world: int) -> list[Row]:
    """The events of one world, whose ids all begin with ``w<world>``, in a random order."""
    users, devices = [f"w{world}u{n}" for n in range(5)], [f"w{world}d{n}" for n in range(5)]
    accounts = [f"w{world}a{n}" for n in range(3)]
    rows = [_event(chance, f"w{world}e{n:02}", users, devices, accounts) for n in range(chance.randrange(70))]
    chance.shuffle(rows)
    return rows


def _event(chance: Random, event_id: str, users: list[str], devices: list[str], accounts: list[str]) -> Row:
    kind = chance.choice(
        ("track", "track", "track", "track", "page", "page", "screen", "identify", "identify", "group", "alias")
    )
    user = chance.choice(users) if kind in ("identify", "group", "alias") else chance.choice((None, *users))
    device = chance.choice(devices) if user is None else chance.choice((None, *devices))
    time = at(chance.choice((chance.randrange(9), 27)), 10 * chance.randrange(144))  # the 27th day has a change of clocks
    time += timedelta(microseconds=chance.choice((0, 0, 0, 1, 999_999)))
    columns: Row = {
        "event": chance.choice(_EVENTS) if kind == "track" else f"${kind}",
        "previous_id": chance.choice((*users, device)) if kind == "alias" else _linked(chance, kind, user, device),
        "account_id": chance.choice((None, None, None, *accounts)) if kind != "group" else chance.choice(accounts),
        "received_at": time + timedelta(minutes=chance.randrange(90)),
        "source": chance.choice(("web", "app")),
        "bot": chance.random() < 0.06,
        "page_url": chance.choice(_PAGES),
        "page_path": chance.choice((None, "/", "/abc", "/a\u2028c", "/a\nc")),
        "page_referrer": chance.choice(_PAGES),
        "utm_medium": chance.choice(_MEDIUMS),
        "utm_source": chance.choice((None, None, None, "letter")),
    }
    traits = _traits(chance, users, accounts) if kind in ("identify", "group") else _properties(chance, users)
    return call(event_id, time, kind=kind, user=user, anonymous=device, traits=traits) | columns


def _linked(chance: Random, kind: str, user: str | None, device: str | None) -> str | None:
    """Of some senders an event with two ids links them."""
    return device if user is not None and kind != "identify" and chance.random() < 0.2 else None


def _traits(chance: Random, users: list[str], accounts: list[str]) -> dict[str, object]:
    chosen: dict[str, object] = {
        "email": chance.choice(users) + chance.choice(_MAILS),
        "name": chance.choice(_VALUES),
        "firstName": chance.choice(_VALUES),
        "parent_id": chance.choice(("", *accounts)),
        'a "key"\u0130': chance.choice(_VALUES),
        "plan": chance.choice(_VALUES),
    }
    said = {key: value for key, value in chosen.items() if chance.random() < 0.4}
    once: tuple[object, ...] = ({"plan": chosen["name"], 'a "key"\u0130': chosen["firstName"]}, {}, "x", None)
    return said | ({"$set_once": once[len(said) % 4]} if "name" in said else {})  # of what was drawn already


def _properties(chance: Random, users: list[str]) -> dict[str, object]:
    invite = f"{users[0]}i{chance.randrange(4)}"
    chosen: dict[str, object] = {
        "invite id": invite,
        "invite_id": invite,
        'invitation "id"': invite,
        "to.mail": " " + chance.choice(users).upper() + chance.choice(_MAILS),
        "layer": chance.choice(_VALUES),
        "test": chance.choice((True, False, False, "true", 1)),
        "size": chance.choice((2, 3, 3.0, 2.5, "3", 2**70, None)),
        "tags": chance.choice((["a", "b"], ["B"], [], "abc", "x", [["b"]], 3)),
        "when": chance.choice(("2026-03-03", "2026-03-04T00:00:00Z", "2026-03-04T00:30:00+0200", "then", 20260303)),
        "plan": chance.choice(("free", "pro", None, 1)),
    }
    return {key: value for key, value in chosen.items() if chance.random() < 0.6}
