// What leaves the page: a link, a saved funnel, the numbers as a table, the picture, the request as JSON or for curl.
import { post, put, remove, table } from "../api.js";
import { exported } from "../chart.js";
import { el } from "../dom.js";
import { failure } from "../states.js";
import { picture } from "./curves.js";
import { headline, request, sentence } from "./question.js";

/** Buttons above a result. `page`: {board, answer(), address(), saved, opened(saved), removed()}. */
export function tools(page) {
  const told = el("span", { class: "hidden-text", role: "status" });
  const copy = (what) => async () => {
    await navigator.clipboard.writeText(what()).then(
      () => say("Copied"),
      () => show(what()), // no clipboard on plain http
    );
  };
  const button = el("button", { class: "button compact", type: "button", onclick: () => save(page) }, "Save");
  const link = el("button", { class: "button compact", type: "button", onclick: copy(() => page.address()) }, "Copy link");
  const entries = [
    ["Table as CSV", () => download("funnel.csv", csv(page))],
    ["Picture as PNG", () => download("funnel.png", drawn(page, "png"))],
    ["Picture as SVG", () => download("funnel.svg", drawn(page, "svg"))],
    ["Request as JSON", () => download("funnel.json", new Blob([json(page)], { type: "application/json" }))],
    ["Copy as JSON", copy(() => json(page))],
    ["Copy as curl", copy(() => curl(page))],
  ];
  const menu = el(
    "details",
    { class: "menu" },
    el("summary", { class: "button compact" }, "Export"),
    el(
      "ul",
      {},
      entries.map(([label, act]) =>
        el(
          "li",
          {},
          el(
            "button",
            {
              type: "button",
              onclick: () => {
                menu.open = false;
                Promise.resolve(act()).catch((error) => show(error.message));
              },
            },
            label,
          ),
        ),
      ),
    ),
  );
  menu.addEventListener("focusout", ({ relatedTarget }) => {
    if (relatedTarget && !menu.contains(relatedTarget)) menu.open = false;
  });
  menu.addEventListener("keydown", ({ key }) => {
    if (key !== "Escape") return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
  const say = (text) => {
    told.textContent = text;
    const [node, before] = [link, link.textContent];
    node.textContent = text;
    setTimeout(() => {
      node.textContent = before === text ? "Copy link" : before;
    }, 1400);
  };
  return el("div", { class: "line tight" }, told, link, button, menu);
}

const json = ({ board }) => JSON.stringify(request(board.held, board.now), null, 2);

/** With a place for the key: a secret has no business in a clipboard. */
export function curl({ board }) {
  const body = JSON.stringify(request(board.held, board.now)).replaceAll("'", "'\\''");
  const head = `curl -s ${location.origin}/api/funnel`;
  return `${head} \\\n  -H "Authorization: Bearer $JCURVE_READ_KEY" \\\n  -H "Content-Type: application/json" \\\n  -d '${body}'\n`;
}

const csv = ({ board }) => table("funnel", board.found.question);

function drawn({ board, answer }, form) {
  const subtitle = sentence(board.found.held, board.now);
  return exported(picture(answer(), { title: headline(answer()), subtitle }), form);
}

export async function download(name, content) {
  const url = URL.createObjectURL(await content);
  const link = el("a", { href: url, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}

function dialog(heading, ...content) {
  const node = el(
    "dialog",
    { class: "box", "aria-labelledby": "box-title" },
    el("h2", { id: "box-title" }, heading),
    content,
  );
  node.addEventListener("close", () => node.remove());
  node.addEventListener("click", (event) => event.target === node && node.close());
  document.body.append(node);
  node.showModal();
  return node;
}

function show(text) {
  const area = el("textarea", { class: "input mono", rows: "10", readonly: true, "aria-label": "To copy" });
  area.value = text;
  const node = dialog(
    "Copy it from here",
    area,
    el("button", { class: "button", type: "button", onclick: () => node.close() }, "Close"),
  );
  area.select();
}

/** Under a new name, or what was opened with its changes. */
function save(page) {
  const { board, saved } = page;
  const told = el("div");
  const title = el("input", {
    class: "input",
    name: "title",
    required: true,
    maxlength: "120",
    value: saved?.title ?? "",
    placeholder: "Sign-up to first project",
  });
  const body = () => ({
    title: title.value,
    question: request(board.held, board.now, { moving: true }),
    last: board.held.last,
  });
  const act = (send) => async (event) => {
    event.preventDefault();
    if (!title.reportValidity()) return;
    try {
      const kept = await send();
      node.close();
      page.opened(kept);
    } catch (error) {
      told.replaceChildren(failure(error));
    }
  };
  const add = act(() => post("saved-funnels", body()));
  const change = saved && act(() => put(`saved-funnels/${encodeURIComponent(saved.name)}`, body()));
  const gone = saved && act(() => remove(`saved-funnels/${encodeURIComponent(saved.name)}`).then(() => null));
  const node = dialog(
    "Save this funnel",
    el(
      "form",
      { onsubmit: change || add, class: "box-form" },
      el("label", { class: "field" }, el("span", {}, "Title"), title),
      el(
        "p",
        { class: "small quiet" },
        board.held.last ? "Its range moves along with the days." : "Its range stays as it is.",
      ),
      told,
      el(
        "div",
        { class: "line" },
        change && el("button", { class: "button primary" }, "Save changes"),
        el(
          "button",
          { class: change ? "button" : "button primary", type: change ? "button" : "submit", onclick: change ? add : null },
          change ? "Save as new" : "Save",
        ),
        gone && el("button", { class: "button plain bad", type: "button", onclick: gone }, "Remove"),
        el("button", { class: "button plain", type: "button", onclick: () => node.close() }, "Cancel"),
      ),
    ),
  );
  title.focus();
}
