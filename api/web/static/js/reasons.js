// Rejected events by reason, source and path: how many, an example, and for who holds an admin key a button that replays them.
import { get, post } from "./api.js";
import { el } from "./dom.js";
import { count, moment, words } from "./format.js";

/** A part that asks for its rows by itself where the counts of `GET /api/status` moved: `refresh(outcomes, { signal })`.
 *  What a replay said stays until the next one. */
export function reasons() {
  const list = el("div");
  const said = el("p", { class: "small body", role: "status" });
  const replay = async (row, button) => {
    button.disabled = true;
    try {
      said.replaceChildren(told(row, await post("rejected/replay", { reason: row.reason, source: row.source, path: row.path })));
    } catch (error) {
      said.replaceChildren(error.message);
    } finally {
      button.disabled = false;
    }
  };
  let known = "";
  const refresh = async (outcomes, { signal }) => {
    const now = JSON.stringify(Object.entries(outcomes).filter(([name]) => name.startsWith("rejected")));
    if (now === known) return;
    const { items } = await get("rejected/counts", {}, { signal });
    known = now;
    list.replaceChildren(items.length ? table(items, replay) : el("p", { class: "body quiet" }, "Nothing was rejected."));
  };
  return { node: el("div", {}, list, said), refresh };
}

function told(row, answer) {
  const events = Object.values(answer.sound).reduce((sum, rows) => sum + rows, 0);
  const still = Object.values(answer.still_faulty).reduce((sum, rows) => sum + rows, 0);
  return `${words(row.reason)}: ${count(events)} sound now and on their way, ${count(still)} still faulty and kept.`;
}

function table(items, replay) {
  const head = ["Reason", "Events", "Source", "Last", "Example", ""];
  return el(
    "div",
    { class: "scroll" },
    el(
      "table",
      { class: "reasons" },
      el("thead", {}, el("tr", {}, head.map((text) => el("th", { scope: "col" }, text)))),
      el("tbody", {}, items.map((row) => line(row, replay))),
    ),
  );
}

function line(row, replay) {
  const button = el("button", { type: "button", class: "button", title: "Decode them again; takes an admin key" }, "Replay");
  button.addEventListener("click", () => replay(row, button));
  return el(
    "tr",
    {},
    el("th", { scope: "row" }, el("span", { class: "chip bad" }, words(row.reason))),
    el("td", { class: "figures" }, count(row.events)),
    el("td", {}, `${row.source} · ${row.path}`),
    el("td", { class: "small" }, moment(row.last)),
    el("td", { class: "small clip", title: row.raw ?? "" }, row.detail),
    el("td", {}, button),
  );
}
