// The last events as they arrive, newest first. New rows light up once; a pause keeps the list still to read it.
import { el } from "./dom.js";
import { clock, moment } from "./format.js";
import { address } from "./router.js";

export function liveEvents() {
  const body = el("tbody");
  const none = el("p", { class: "body quiet" }, "Waiting for events…");
  const seen = new Set();
  let still = false;
  const pause = el(
    "button",
    {
      class: "button compact",
      type: "button",
      "aria-pressed": "false",
      onclick: () => {
        still = !still;
        pause.setAttribute("aria-pressed", String(still));
        pause.textContent = still ? "Resume" : "Pause";
        pulse.classList.toggle("still", still);
      },
    },
    "Pause",
  );
  const pulse = el("i", { class: "pulse", "aria-hidden": "true" });
  const table = el(
    "table",
    { class: "events" },
    el(
      "thead",
      {},
      el(
        "tr",
        {},
        ["Received", "Event", "Who", "Account", "Source", "SDK"].map((text) => el("th", { scope: "col" }, text)),
      ),
    ),
    body,
  );
  const card = el(
    "section",
    { class: "card", "aria-labelledby": "live-title" },
    el("header", {}, el("div", { class: "titled" }, pulse, el("h2", { id: "live-title" }, "Last events")), pause),
    none,
    el("div", { class: "scroll tall", tabindex: "0", role: "region", "aria-label": "Last events", hidden: true }, table),
  );

  function show(items) {
    const first = seen.size === 0;
    body.replaceChildren(...items.map((event) => row(event, !first && !seen.has(event.event_id))));
    for (const event of items) seen.add(event.event_id);
    none.hidden = items.length > 0;
    card.lastElementChild.hidden = items.length === 0;
  }
  return { card, show, paused: () => still };
}

function row(event, fresh) {
  return el(
    "tr",
    { class: fresh ? "fresh" : null },
    el(
      "td",
      { class: "figures faint", title: `received ${moment(event.received_at)}, happened ${moment(event.time)}` },
      clock(event.received_at),
    ),
    el("th", { scope: "row" }, el("span", { class: `chip kind kind-${event.kind}` }, event.kind), " ", event.event ?? ""),
    el("td", { class: "mono small" }, who(event)),
    el("td", { class: "mono small" }, event.account_id ?? ""),
    el("td", { class: "small quiet" }, event.source ?? ""),
    el("td", { class: "small faint" }, event.library ?? ""),
  );
}

function who({ user_id: user, anonymous_id: anonymous }) {
  const id = user ? `user:${user}` : anonymous ? `anonymous:${anonymous}` : null;
  return id && el("a", { href: address("people", [id]), class: "clip id", title: id }, user ?? `${anonymous.slice(0, 8)}…`);
}
