// Who stands behind a number, in a panel at the side: a list page by page, and for each of them why.
import { post } from "../api.js";
import { el } from "../dom.js";
import { duration, moment } from "../format.js";
import { moreRows } from "../listing.js";
import { failure, waiting } from "../states.js";
import { explained } from "./explained.js";
import { download } from "./keep.js";

const PAGE = 100;
const MOST = 1000; // that a page of the API holds

/** `open(ask, title, total)`: `ask` says which of the question's units; `body()` gives the question. */
export function peoplePanel(body, held) {
  const place = el("div", { class: "panel-body" });
  const title = el("h2", { id: "panel-title" });
  const back = el("button", { class: "button plain compact", type: "button", hidden: true }, "← Back to the list");
  const close = el(
    "button",
    { class: "button plain compact", type: "button", "aria-label": "Close", onclick: () => panel.close() },
    "×",
  );
  const panel = el(
    "dialog",
    { class: "panel", "aria-labelledby": "panel-title" },
    el("header", {}, el("div", {}, back, title), close),
    place,
  );
  panel.addEventListener("click", (event) => event.target === panel && panel.close());
  panel.addEventListener("close", () => panel.remove());

  async function show(heading, load, { returns = null } = {}) {
    title.textContent = heading;
    back.hidden = !returns;
    back.onclick = returns;
    place.replaceChildren(waiting("16rem"));
    place.setAttribute("aria-busy", "true");
    try {
      const content = await load();
      place.replaceChildren(...[content].flat());
    } catch (error) {
      place.replaceChildren(failure(error));
    }
    place.removeAttribute("aria-busy");
    place.scrollTop = 0;
  }

  return function open(ask, heading) {
    const question = body();
    if (!panel.isConnected) document.body.append(panel);
    if (!panel.open) panel.showModal();
    const page = (after, limit = PAGE) =>
      post("funnel/people", { ...question, ...ask, limit, ...(after ? { after } : {}) });
    const list = () => show(heading, async () => listed(await page(), { page, why, held: held() }));
    const why = (id) =>
      show(id, async () => explained(await post("funnel/explain", { ...question, unit_id: id }), held()), { returns: list });
    return list();
  };
}

function listed(answer, { page, why, held }) {
  if (!answer.items.length) return el("p", { class: "quiet" }, "Nobody.");
  const steps = held.steps.map((_, index) => index + 1);
  const make = (item) => row(item, why, held);
  const body = el("tbody", {}, answer.items.map(make));
  const heads = [
    held.unit === "person" ? "Person" : held.unit === "account" ? "Account" : "Session",
    "Entered",
    ...steps.slice(1).map((at) => `Step ${at}`),
  ];
  return [
    el(
      "div",
      { class: "line" },
      el("p", { class: "small quiet" }, "Choose one to see why they stand there."),
      kept(page, held.steps.length),
    ),
    el(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": "Who" },
      el(
        "table",
        { class: "members listed" },
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            heads.map((text, at) => el("th", { scope: "col", class: at > 1 ? "number" : null }, text)),
          ),
        ),
        body,
      ),
    ),
    moreRows(body, answer.next, { row: make, load: page, total: answer.total }),
  ];
}

/** A button that keeps the whole list as a file, page by page. */
function kept(page, steps) {
  const button = el("button", { class: "button compact", type: "button" }, "Download CSV");
  button.onclick = async () => {
    button.disabled = true;
    try {
      const items = [];
      let after = null;
      do {
        const answer = await page(after, MOST);
        items.push(...answer.items);
        after = answer.next;
      } while (after);
      download("people.csv", new Blob([written(items, steps)], { type: "text/csv" }));
    } catch (error) {
      button.after(failure(error));
    }
    button.disabled = false;
  };
  return button;
}

function written(items, steps) {
  const times = Array.from({ length: steps }, (_, at) => `time_${at + 1}`);
  const rows = items.map(({ unit, state, entered, reached, times: each }) => [unit, state, entered, reached, ...each]);
  const cell = (value) => (/[",\r\n]/.test(value ?? "") ? `"${value.replaceAll('"', '""')}"` : (value ?? ""));
  const lines = [["unit", "state", "entered", "reached", ...times], ...rows].map((one) => one.map(cell).join(","));
  return `${lines.join("\n")}\n`;
}

function row(item, why, held) {
  const { unit: id, times, entered } = item;
  const name = el("button", { class: "link mono clip", type: "button", onclick: () => why(id), title: `${id}: why?` }, id);
  const taken = held.steps.slice(1).map((_, index) => {
    const at = times[index + 1];
    const after = at && (Date.parse(at) - Date.parse(entered)) / 1000;
    return el("td", { class: "number faint", title: at ? moment(at) : null }, at ? `+${duration(after)}` : "–");
  });
  return el("tr", {}, el("th", { scope: "row" }, name), el("td", { class: "figures" }, moment(entered)), taken);
}
