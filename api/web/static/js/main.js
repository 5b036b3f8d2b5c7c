// Start: take a key from the address, ask for one if there is none, then show the page that the address names.
import { get, key, takeKeyFromAddress } from "./api.js";
import { funnels } from "./builder/page.js";
import { data } from "./data.js";
import { el, icon } from "./dom.js";
import { ago, moment, useZone } from "./format.js";
import { ingestion } from "./ingestion.js";
import { overview } from "./overview.js";
import { people } from "./people.js";
import { person } from "./person.js";
import { address, start } from "./router.js";
import { signIn, whatIsWrong } from "./signin.js";
import { failure, settled, waiting } from "./states.js";

const PAGES = [
  ["overview", "Overview", overview],
  ["funnels", "Funnels", funnels],
  ["ingestion", "Ingestion", ingestion],
  ["people", "People", people],
  ["data", "Data", data],
];
const app = document.getElementById("app");
let move = null; // set once the router runs

takeKeyFromAddress();
window.addEventListener("hashchange", () => {
  if (takeKeyFromAddress()) open();
});
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the fragment belongs to the router
  document.getElementById("content")?.focus();
});
window.addEventListener("apifailure", ({ detail }) => report(detail));
window.addEventListener("apianswer", () => document.getElementById("trouble")?.replaceChildren());
if (key.get()) open();
else signIn(app, null, open);

async function open() {
  try {
    const project = await get("project");
    useZone(project.zone);
    app.replaceChildren(shell(project));
    if (move) move();
    else move = start(show);
  } catch (error) {
    report(error);
  }
}

function report(error) {
  if (error.name === "AbortError") return;
  if (error.status === 401 || error.status === 403) {
    const text = whatIsWrong(error, key.get() ?? "");
    key.forget();
    signIn(app, text, open);
  } else {
    (document.getElementById("trouble") ?? app).replaceChildren(failure(error));
  }
}

function shell(project) {
  const link = ([name, label]) =>
    el("li", {}, el("a", { href: address(name), "data-page": name }, icon(name), el("span", {}, label)));
  return el(
    "div",
    { class: "shell" },
    el(
      "div",
      { class: "side" },
      el("a", { class: "brand", href: address("overview") }, el("img", { src: "/assets/icon.svg", alt: "" }), "jcurve"),
      el("nav", { "aria-label": "Pages" }, el("ul", {}, PAGES.map(link))),
      el(
        "div",
        { class: "tools" },
        el(
          "p",
          { class: "project" },
          el("b", { class: "clip" }, project.project),
          el("span", { class: "small faint" }, `${project.zone} · ${project.currency}`),
        ),
        el("a", { class: "small quiet docs", href: "/docs" }, "API documentation"),
        el(
          "div",
          { class: "row" },
          el(
            "button",
            {
              class: "button plain compact",
              type: "button",
              "aria-label": "Light or dark",
              title: "Light or dark",
              onclick: () => window.theme.toggle(),
            },
            icon("theme"),
          ),
          el(
            "button",
            {
              class: "button plain compact",
              type: "button",
              "aria-label": "Leave: forget the key",
              title: "Leave: forget the key",
              onclick: leave,
            },
            icon("leave"),
          ),
        ),
      ),
    ),
    el("main", { class: "main", id: "content", tabindex: "-1" }, el("div", { id: "trouble" }), el("div", { id: "page" })),
  );
}

function leave() {
  key.forget();
  signIn(app, null, open);
}

async function show(place, signal) {
  const found = PAGES.find(([name]) => name === place.page) ?? PAGES[0];
  const [name, label, page] = place.page === "people" && place.rest.length ? ["people", "Person", person] : found;
  for (const link of document.querySelectorAll("nav [data-page]")) {
    if (link.dataset.page === name) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${label} · jcurve`;
  const root = document.getElementById("page");
  if (!root) return;
  document.getElementById("trouble").replaceChildren(); // of the page before
  const stays = root.dataset.page === label && label !== "Person" && label !== "Funnels";
  if (!stays) root.replaceChildren(el("div", { class: "page" }, waiting("3rem"), waiting("8.375rem"), waiting("40rem")));
  root.dataset.page = label;
  try {
    const status = await get("status", {}, { signal });
    const content = await page({ ...place, signal, status, freshness: freshness(status) });
    if (stays) await settled(content); // the numbers on the page stay until the next ones are here
    if (signal.aborted) return;
    const focused = pressed();
    root.replaceChildren(content);
    if (focused) root.querySelector(focused)?.focus({ preventScroll: true });
    else if (!stays) scrollTo(0, 0);
  } catch (error) {
    if (signal.aborted) return;
    root.replaceChildren();
    report(error);
  }
}

/** Which choice has the focus: a choice makes the page anew, and the keyboard shall stay where it was. */
function pressed() {
  const { dataset, parentElement } = document.activeElement;
  return dataset.value ? `[aria-label="${parentElement.ariaLabel}"] [data-value="${dataset.value}"]` : null;
}

function freshness({ complete_until: mark, now }) {
  return el(
    "p",
    { class: "small figures" },
    mark ? `Complete until ${moment(mark)} (${ago(mark, now)})` : "Nothing received yet",
  );
}
