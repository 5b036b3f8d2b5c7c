// The funnel builder: the question on one side, its answer on the other. It answers by itself while answers come quickly.
import { get, post } from "../api.js";
import { el } from "../dom.js";
import { count } from "../format.js";
import { address } from "../router.js";
import { gettingStarted } from "../start.js";
import { failure, waiting } from "../states.js";
import { loadCatalogue } from "./catalogue.js";
import { clearFaults, showFaults } from "./faults.js";
import { tools } from "./keep.js";
import { opener, show } from "./opener.js";
import { peoplePanel } from "./people.js";
import { comparedRange, fresh, fromQuery, isWhole, read, request, toQuery } from "./question.js";
import { result } from "./result.js";
import { rules } from "./rules.js";
import { steps } from "./steps.js";

const PAUSE = 350; // milliseconds without a change before the question is asked
const MOMENTS = 400; // of the survival curve, as many as its picture can show
const QUICK = 3000; // an answer that took longer is asked for by the button only

export async function funnels({ rest, query, signal, status, freshness }) {
  if (!status.received.total) return gettingStarted({ signal });
  const [catalogue, known] = await Promise.all([loadCatalogue(signal), get("funnels", {}, { signal })]);
  const saved = rest[0] ? await get(`saved-funnels/${encodeURIComponent(rest[0])}`, {}, { signal }) : null;
  return new Builder({ catalogue, known: known.items, saved, query, signal, now: status.now, freshness }).root;
}

class Builder {
  constructor({ catalogue, known, saved, query, signal, now, freshness }) {
    Object.assign(this, { catalogue, known, saved, signal, now, freshness });
    this.held = (query.ask && fromQuery(query)) || (saved ? read(saved.question, { last: saved.last }) : fresh());
    this.unfolded = new Map();
    this.slow = false;
    this.touched = !!query.ask;
    this.found = null;
    this.due = null; // how the question is to be drawn anew, once it may be
    this.pressed = false;
    this.said = el("p", { class: "hidden-text", role: "status" });
    this.question = el("div", { class: "question" });
    this.trouble = el("div", { class: "trouble" });
    this.answer = el("div", { class: "answer" });
    this.run = el(
      "button",
      { class: "button primary run", type: "button", onclick: () => this.ask({ byHand: true }) },
      "Run",
    );
    this.heading = el("h1", {}, saved?.title ?? "Funnels");
    this.panel = peoplePanel(
      () => ({ ...this.found.question, as_of: this.found.answer.as_of }),
      () => this.found.held,
    );
    this.root = this.page();
    this.draw();
    if (isWhole(this.held)) this.ask();
    else this.answer.replaceChildren(...this.welcome());
  }

  page() {
    const root = el(
      "div",
      { class: "page builder" },
      el("header", {}, el("div", {}, this.heading, this.freshness), opener(this.known, this.saved)),
      this.said,
      el(
        "div",
        { class: "sides" },
        el("div", { class: "side-question" }, this.question, el("div", { class: "run-line" }, this.run)),
        el("div", { class: "side-answer" }, this.trouble, this.answer),
      ),
    );
    this.question.addEventListener("pointerdown", () => {
      this.pressed = true;
    });
    for (const end of ["pointerup", "pointercancel"])
      addEventListener(end, () => this.pressed && this.released(), { capture: true, signal: this.signal });
    root.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      document.activeElement.blur(); // a field tells its value when it is left
      this.ask({ byHand: true });
    });
    return root;
  }

  welcome() {
    return [
      el(
        "section",
        { class: "card" },
        el(
          "div",
          { class: "empty" },
          el("h3", {}, "Choose the steps"),
          el(
            "p",
            { class: "quiet" },
            `${count(this.catalogue.events.length - 1)} event names came so far. The funnel is drawn as soon as each step names one.`,
          ),
        ),
      ),
    ];
  }

  draw() {
    this.question.replaceChildren(steps(this), rules(this));
  }

  // What the parts of the builder may ask of it.

  /** The properties that there are, with the cohorts that the question itself defines. */
  properties() {
    const known = this.catalogue.properties;
    const own = this.held.cohorts.map(({ name }) => ({ value: `cohort:${name}`, group: "Cohorts" }));
    return [...known, ...own.filter(({ value }) => !known.some((one) => one.value === value))];
  }

  property(name) {
    return name.startsWith("cohort:") ? { types: ["flag"], examples: [true, false] } : this.catalogue.property(name);
  }

  isOpen(name) {
    return this.unfolded.get(name) ?? false;
  }

  open(name, on) {
    this.unfolded.set(name, on);
  }

  say(text) {
    this.said.textContent = text;
  }

  /** `shape`: fields came or went, so that the builder is drawn anew; `focus`: where the keyboard is then. */
  changed({ shape = false, ...how } = {}) {
    if (shape) this.redraw(how);
    this.touched = true;
    this.store();
    clearTimeout(this.timer);
    if (!isWhole(this.held)) return void this.answer.classList.add("stale");
    if (!this.slow) this.timer = setTimeout(() => this.ask(), PAUSE);
    else this.stale(true);
  }

  /**
   * Now, unless the change came from a field that is being left: then what was pressed must be there when it is let go, or
   * the click is lost, and the keyboard must have got where it is going, or it is nowhere.
   */
  redraw(how) {
    if (!this.pressed && this.question.contains(document.activeElement)) return this.drawAnew({ ...this.due, ...how });
    this.due = { ...this.due, ...how };
    if (!this.pressed) this.drawSoon();
  }

  /** After the click, whose own change draws what is due, too. */
  released() {
    this.pressed = false;
    this.drawSoon();
  }

  drawSoon() {
    setTimeout(() => {
      if (!this.due || this.pressed) return;
      const gone = this.question.contains(document.activeElement); // the field was left for another one
      this.drawAnew({ ...this.due, ...(gone ? { focus: null } : {}) });
    });
  }

  drawAnew({ focus = null, last = false }) {
    this.due = null;
    const kept = focus ? () => this.question.querySelector(focus) : trail(document.activeElement, this.question);
    this.draw();
    kept?.()?.focus({ preventScroll: true });
    if (last) this.lastFilter();
  }

  /** Answers take their time here: the one shown is not the question's any more until the button is pressed. */
  stale(on) {
    this.answer.classList.toggle("stale", on);
    this.run.textContent = on ? "Run: the question has changed" : "Run";
  }

  /** A new filter is there to be filled in. */
  lastFilter() {
    const empty = [...this.question.querySelectorAll(".condition input[aria-label=Property]")].find((input) => !input.value);
    empty?.focus();
  }

  store() {
    history.replaceState(null, "", this.place());
  }

  place() {
    return address("funnels", this.saved ? [this.saved.name] : [], this.touched ? toQuery(this.held, this.now) : {});
  }

  async ask({ byHand = false } = {}) {
    clearTimeout(this.timer);
    if (this.signal.aborted) return;
    if (!isWhole(this.held)) {
      if (byHand) this.question.querySelector("input[role=combobox]:placeholder-shown")?.focus();
      return;
    }
    this.asking?.abort();
    const asking = (this.asking = new AbortController());
    this.answer.setAttribute("aria-busy", "true");
    if (!this.found) this.answer.replaceChildren(waiting("30rem"));
    const began = performance.now();
    const held = structuredClone(this.held); // what is shown stays what was asked, whatever is changed meanwhile
    try {
      const [question, range] = [request(held, this.now), comparedRange(held, this.now)];
      const [answer, before] = await Promise.all([
        post(`funnel?survival=${MOMENTS}`, question, asking),
        range ? post(`funnel?survival=${MOMENTS}`, request(held, this.now, { range }), asking) : null,
      ]);
      const took = performance.now() - began;
      this.slow = this.found !== null && took > QUICK; // the first answer after a start of the server says little
      this.found = { answer, before, took, held, question };
      clearFaults(this.question);
      this.trouble.replaceChildren();
      this.show();
      this.say(`${count(answer.entrants)} entered, ${count(answer.converted)} converted`);
    } catch (error) {
      if (error.name === "AbortError" || this.signal.aborted) return;
      this.failed(error, byHand);
    }
    if (this.asking === asking) {
      this.answer.removeAttribute("aria-busy");
      this.stale(false);
    }
  }

  failed(error, byHand) {
    if (error.status === 401) return window.dispatchEvent(new CustomEvent("apifailure", { detail: error }));
    const homeless = error.status === 422 ? showFaults(this.question, error.errors) : null;
    if (!this.found) this.answer.replaceChildren();
    if (homeless && error.errors.length > homeless.length) {
      const told = error.errors.length - homeless.length;
      this.trouble.replaceChildren(
        el(
          "div",
          { class: "notice bad", role: "alert" },
          el("strong", {}, told === 1 ? "One thing to set right" : `${told} things to set right`),
          el("p", { class: "small" }, "They are marked where they stand.", ...homeless.map((one) => ` ${one.message}.`)),
        ),
      );
      if (byHand) this.question.querySelector("[aria-invalid]")?.focus();
    } else this.trouble.replaceChildren(failure(error));
  }

  show() {
    const list = (what, title) => this.panel(what, title);
    const page = {
      board: this,
      saved: this.saved,
      answer: () => this.found.answer,
      address: () => `${location.origin}${location.pathname}${this.place()}`,
      opened: (kept) => this.kept(kept),
    };
    const parts = result(this.found, { board: this, list, tools: tools(page) });
    this.answer.replaceChildren(...parts.filter(Boolean));
  }

  /** What was saved is what is open now; after a removal nothing is. */
  kept(saved) {
    show(address("funnels", saved ? [saved.name] : []));
  }
}

/** Where the focus is, as a way to find the same field when it is drawn anew. */
function trail(node, within) {
  if (!node || !within.contains(node)) return null;
  if (node.dataset.grip) return () => within.querySelector(`[data-grip="${node.dataset.grip}"]`);
  const place = node.closest("[data-path]");
  if (!place) return null;
  const label = node.getAttribute("aria-label");
  const own = `${node.localName}${label ? `[aria-label="${CSS.escape(label)}"]` : ":not([aria-label])"}`;
  const at = [...place.querySelectorAll(own)].indexOf(node);
  return () => within.querySelector(`[data-path="${CSS.escape(place.dataset.path)}"]`)?.querySelectorAll(own)[at];
}
