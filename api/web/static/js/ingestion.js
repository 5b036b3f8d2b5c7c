// Ingestion: what an engineer watches while wiring an SDK. Arrivals, refusals, lag, runs, disk; asked again every two seconds.
import { get } from "./api.js";
import { el } from "./dom.js";
import { liveEvents } from "./live.js";
import { plan } from "./plan.js";
import { reasons } from "./reasons.js";
import { rejections } from "./rejections.js";
import { snippets } from "./snippets.js";
import { sources } from "./sources.js";
import { fillWith } from "./states.js";
import { outcomes, runs, vitals } from "./vitals.js";

const EVERY = 2000;

export function ingestion({ signal, status }) {
  const places = {
    vitals: el("section", { class: "tiles", "aria-label": "Vital signs" }),
    outcomes: el("div"),
    rejected: el("div"),
    plan: el("div"),
    runs: el("div"),
  };
  const byReason = reasons();
  const settle = (work) => work.catch((error) => window.dispatchEvent(new CustomEvent("apifailure", { detail: error })));
  const show = (now) => {
    places.vitals.replaceChildren(...vitals(now));
    places.outcomes.replaceChildren(outcomes(now.outcomes));
    places.runs.replaceChildren(runs(now));
  };
  const live = liveEvents(() => settle(live.refresh({ signal, anyway: true })));
  show(status);
  const refresh = () =>
    Promise.all([
      get("status", {}, { signal }).then((now) => {
        show(now);
        return byReason.refresh(now.outcomes, { signal });
      }),
      live.refresh({ signal }),
      fillWith(places.rejected, "8rem", signal, async () =>
        rejections((await get("rejected/recent", { limit: 20 }, { signal })).items, places.rejected),
      ),
    ]);
  settle(repeat(refresh, signal));
  settle(fillWith(places.plan, "4rem", signal, async () => plan(await get("plan", {}, { signal }))));
  return el(
    "div",
    { class: "page" },
    el(
      "header",
      {},
      el("div", {}, el("h1", {}, "Ingestion"), el("p", { class: "small" }, "What arrives, what is refused, and why")),
    ),
    places.vitals,
    live.card,
    el(
      "section",
      { class: "pair" },
      card("Outcomes", "Every received event ends in exactly one", places.outcomes),
      card("Rejected", "Kept with its raw bytes: fix the cause, nothing is lost", places.rejected),
    ),
    card("Rejected by reason", "After a fix, or with another limit, an admin decodes them again", byReason.node),
    card("Tracking plan", "Events that break their JSON Schema, by rule", places.plan),
    card("Runs", "Builds, newest first", places.runs),
    card("Sources", "What sends, how it is set up, and its write keys", sources({ signal }).node),
    card("Send events here", "Any Segment SDK works", el("div", { class: "body" }, snippets())),
  );
}

function card(heading, text, ...content) {
  return el(
    "section",
    { class: "card" },
    el("header", {}, el("div", {}, el("h2", {}, heading), el("p", {}, text))),
    content,
  );
}

/** Again and again until the reader leaves; a hidden tab asks nothing. A failure is shown, and the next try clears it. */
async function repeat(work, signal) {
  while (!signal.aborted) {
    if (!document.hidden) {
      try {
        await work();
        window.dispatchEvent(new Event("apianswer"));
      } catch (error) {
        if (signal.aborted) return;
        if (error.status === 401) throw error;
        window.dispatchEvent(new CustomEvent("apifailure", { detail: error }));
      }
    }
    await new Promise((resolve) => setTimeout(resolve, EVERY));
  }
}
