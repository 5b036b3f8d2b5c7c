// People: find one by any id, or list those who reached a stage.
import { get } from "./api.js";
import { choices } from "./choices.js";
import { el } from "./dom.js";
import { moment, title } from "./format.js";
import { moreRows } from "./listing.js";
import { address, go } from "./router.js";
import { fillWith } from "./states.js";
import { gettingStarted, notBuilt } from "./start.js";

const PAGE = 50;

export async function people({ query, signal, status, freshness }) {
  if (!status.received.total) return gettingStarted({ signal });
  if (status.lag.lake_to_build_seconds === null) return notBuilt(freshness);
  const funnels = await get("funnels", {}, { signal });
  const stages = (funnels.items.find((funnel) => funnel.name === "plg") ?? funnels.items[0])?.steps ?? [];
  const stage = stages.includes(query.stage) ? query.stage : stages[0];
  const whose = query.whose === "accounts" ? "accounts" : "people";
  const choose = (change) => go("people", [], { ...query, ...change });
  const place = el("div");
  const list = (cursor) => get(`stages/${encodeURIComponent(stage)}/${whose}`, { limit: PAGE, cursor }, { signal });
  fillWith(place, "24rem", signal, async () => stageList(await list(), { stage, whose, list })).catch((error) =>
    window.dispatchEvent(new CustomEvent("apifailure", { detail: error })),
  );
  return el(
    "div",
    { class: "page" },
    el("header", {}, el("div", {}, el("h1", {}, "People"), freshness), finder()),
    el(
      "section",
      { class: "card", "aria-labelledby": "stage-title" },
      el(
        "header",
        {},
        el("h2", { id: "stage-title" }, "Who reached a stage"),
        el(
          "div",
          { class: "line" },
          choices(
            "Stage",
            stages.map((name) => [name, title(name)]),
            stage,
            (name) => choose({ stage: name }),
          ),
          choices(
            "Whose",
            [
              ["people", "People"],
              ["accounts", "Accounts"],
            ],
            whose,
            (name) => choose({ whose: name }),
          ),
        ),
      ),
      place,
    ),
  );
}

export function finder(text = "") {
  const field = el("input", {
    class: "input",
    type: "search",
    name: "id",
    required: true,
    value: text,
    placeholder: "user id, e.g. user:42",
    spellcheck: "false",
    autocomplete: "off",
    "aria-label": "Find a person by any id",
  });
  const find = (event) => {
    event.preventDefault();
    if (field.value.trim()) go("people", [field.value.trim()]);
  };
  return el(
    "form",
    { class: "finder", role: "search", onsubmit: find },
    field,
    el("button", { class: "button primary" }, "Find"),
  );
}

function stageList(answer, { stage, whose, list }) {
  if (!answer.items.length) return el("p", { class: "body quiet" }, `No ${whose} reached “${title(stage)}” yet.`);
  const body = el(
    "tbody",
    {},
    answer.items.map((item) => row(item, whose)),
  );
  const heads = [whose === "people" ? "Person" : "Account", "Entered", "By event"];
  return [
    el(
      "div",
      { class: "scroll" },
      el(
        "table",
        { class: "members" },
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            heads.map((text) => el("th", { scope: "col" }, text)),
          ),
        ),
        body,
      ),
    ),
    moreRows(body, answer.next, { row: (item) => row(item, whose), load: list, total: answer.total }),
  ];
}

function row(item, whose) {
  const id = whose === "people" ? item.person : item.account;
  const told = item.name ?? item.email ?? null;
  const name = whose === "people" ? el("a", { href: address("people", [id]) }, told ?? id) : el("span", {}, told ?? id);
  return el(
    "tr",
    {},
    el("th", { scope: "row" }, name, told && el("span", { class: "mono small faint" }, ` ${id}`)),
    el("td", { class: "figures" }, moment(item.entered)),
    el("td", { class: "mono small faint clip" }, item.by ?? ""),
  );
}
