// What to do next, where there is nothing to show yet.
import { get } from "./api.js";
import { code } from "./copy.js";
import { el } from "./dom.js";
import { duration } from "./format.js";
import { go } from "./router.js";
import { snippets } from "./snippets.js";

const EVERY = 2000;
const BUILD = "jcurve build --data DIR";
const STALE = 60; // seconds; less is the usual way from log to tables

/** No event yet: how to send one, and a page that moves on by itself as soon as it is here. */
export function gettingStarted({ signal }) {
  watch(signal);
  return el(
    "div",
    { class: "page narrow" },
    el(
      "header",
      {},
      el(
        "div",
        {},
        el("h1", {}, "Send your first event"),
        el("p", {}, "Point an SDK at this server; the page goes on by itself when something arrives."),
      ),
    ),
    el("section", { class: "card" }, el("div", { class: "body" }, snippets())),
    el(
      "p",
      { class: "listening", role: "status" },
      el("i", { class: "pulse", "aria-hidden": "true" }),
      "Waiting for the first event",
    ),
    el(
      "p",
      { class: "small quiet" },
      "Only looking around? ",
      el("code", {}, "make demo"),
      " fills a project with the history of a make-believe company.",
    ),
  );
}

async function watch(signal) {
  while (!signal.aborted) {
    await new Promise((resolve) => setTimeout(resolve, EVERY));
    const status = await get("status", {}, { signal }).catch(() => null);
    if (status?.received.total && !signal.aborted) return go("ingestion");
  }
}

/** Nobody in this range: the numbers are zero, not missing; or the last build came before the events. */
export function emptyRange(unit, behind) {
  const late = behind > STALE;
  return el(
    "div",
    { class: "empty" },
    el("h3", {}, `No ${unit === "account" ? "accounts" : "people"} entered in this range`),
    el(
      "p",
      { class: "quiet" },
      late
        ? `Choose a wider one above. The last build is ${duration(behind)} behind the events; to bring it up to date now:`
        : "Choose a wider one above.",
    ),
    late && code(BUILD),
  );
}

/** Events, but no tables made from them yet. */
export function notBuilt(freshness) {
  return el(
    "div",
    { class: "page" },
    el("header", {}, el("div", {}, el("h1", {}, "Almost there"), freshness)),
    el(
      "section",
      { class: "card" },
      el(
        "div",
        { class: "empty" },
        el("h3", {}, "Events are here, the funnel is not built yet"),
        el("p", { class: "quiet" }, "Builds run by themselves every hour. To see numbers now, on the server:"),
        code(BUILD),
      ),
    ),
  );
}
