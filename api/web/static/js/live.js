// The last events as they arrive, newest first, rejected ones among them; filtered by event, who, source and outcome.
// New rows light up once; a pause keeps the list still to read it.
import { get } from "./api.js";
import { el } from "./dom.js";
import { clock, count, moment, words } from "./format.js";
import { address } from "./router.js";

const SHOWN = 50;
const TYPING = 250; // milliseconds without a key until the server is asked

/** `ask` is called when a filter changed, and should call `refresh`, as should whoever wants the list to be of now. */
export function liveEvents(ask) {
  const body = el("tbody");
  const none = el("p", { class: "body quiet" }, "Waiting for events…");
  let seen = null;
  let still = false;
  const filters = filterBar(() => {
    seen = null;
    ask();
  });
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
  const list = el("div", { class: "scroll tall", tabindex: "0", role: "region", "aria-label": "Last events", hidden: true }, table);
  const card = el(
    "section",
    { class: "card", "aria-labelledby": "live-title" },
    el("header", {}, el("div", { class: "titled" }, pulse, el("h2", { id: "live-title" }, "Last events")), pause),
    filters.node,
    none,
    list,
  );

  async function refresh({ signal, anyway = false }) {
    if (still && !anyway) return;
    const asked = filters.values();
    const answer = await get("live", { limit: SHOWN, ...asked }, { signal });
    if (JSON.stringify(asked) === JSON.stringify(filters.values())) show(answer, Object.keys(asked).length > 0);
  }

  function show({ items, looked_at: looked }, filtered) {
    body.replaceChildren(...items.map((event) => row(event, seen !== null && !seen.has(name(event)))));
    seen = new Set(items.map(name));
    filters.offer(items.map((event) => event.source));
    none.textContent = filtered ? `None of the last ${count(looked.events)} events matches.` : "Waiting for events…";
    none.hidden = items.length > 0;
    list.hidden = items.length === 0;
  }
  return { card, refresh };
}

const name = (event) => `${event.received_at} ${event.event_id ?? event.raw}`;

/** Four fields; `changed` is called once a reader stops typing. Sources are offered as they were seen. */
function filterBar(changed) {
  let waiting;
  const later = () => {
    clearTimeout(waiting);
    waiting = setTimeout(changed, TYPING);
  };
  const typed = (label, field) =>
    el("input", { class: "input", type: "search", name: field, placeholder: label, "aria-label": label, oninput: later });
  const event = typed("Event", "event");
  const user = typed("Who", "user");
  const source = choice("source", "Any source", [], changed);
  const outcomes = [
    ["accepted", "Accepted"],
    ["rejected", "Rejected"],
  ];
  const outcome = choice("outcome", "Any outcome", outcomes, changed);
  const fields = { event, user, source, outcome };
  const offer = (sources) => {
    const known = new Set([...source.options].map((option) => option.value));
    for (const one of new Set(sources)) if (one && !known.has(one)) source.append(el("option", { value: one }, one));
  };
  const values = () => {
    const given = Object.entries(fields).map(([field, input]) => [field, input.value.trim()]);
    return Object.fromEntries(given.filter(([, value]) => value));
  };
  return { node: el("search", { class: "line live-filters" }, event, user, source, outcome), offer, values };
}

function choice(field, any, options, changed) {
  const choices = [["", any], ...options].map(([value, text]) => el("option", { value }, text));
  return el("select", { class: "input", name: field, "aria-label": any, onchange: changed }, choices);
}

function row(event, fresh) {
  const rejected = event.outcome === "rejected";
  const happened = event.time ? `, happened ${moment(event.time)}` : "";
  return el(
    "tr",
    { class: fresh ? "fresh" : null },
    el("td", { class: "figures faint", title: `received ${moment(event.received_at)}${happened}` }, clock(event.received_at)),
    rejected
      ? el("th", { scope: "row", title: event.raw }, el("span", { class: "chip bad" }, words(event.reason)), " ", why(event))
      : el("th", { scope: "row" }, el("span", { class: `chip kind kind-${event.kind}` }, event.kind), " ", event.event ?? ""),
    el("td", { class: "mono small" }, who(event)),
    el("td", { class: "mono small" }, event.account_id ?? ""),
    el("td", { class: "small quiet" }, event.source ?? ""),
    el("td", { class: "small faint" }, event.library ?? ""),
  );
}

const why = (event) => el("span", { class: "clip why" }, event.detail ?? "");

function who({ user_id: user, anonymous_id: anonymous }) {
  const id = user ? `user:${user}` : anonymous ? `anonymous:${anonymous}` : null;
  return id && el("a", { href: address("people", [id]), class: "clip id", title: id }, user ?? `${anonymous.slice(0, 8)}…`);
}
