// The last refused events: the reason in words, and the bytes as they came.
import { el } from "./dom.js";
import { clock, moment, words } from "./format.js";

/** A row that the reader opened stays open when the list is asked for again. */
export function rejections(items, place) {
  if (!items.length) return el("p", { class: "body quiet" }, "Nothing was rejected.");
  const open = new Set([...place.querySelectorAll("details[open]")].map((row) => row.dataset.name));
  return el(
    "ul",
    { class: "rejections" },
    items.map((item) => {
      const name = `${item.received_at} ${item.raw}`;
      return el(
        "li",
        {},
        el(
          "details",
          { "data-name": name, open: open.has(name) },
          el(
            "summary",
            {},
            el("span", { class: "chip bad" }, words(item.reason)),
            el("span", { class: "clip" }, item.detail ?? ""),
            el(
              "time",
              { class: "faint small figures", datetime: item.received_at, title: moment(item.received_at) },
              clock(item.received_at),
            ),
          ),
          el("p", { class: "small quiet" }, [item.source && `source ${item.source}`, item.path].filter(Boolean).join(" · ")),
          el("pre", { tabindex: "0" }, el("code", {}, pretty(item.raw))),
        ),
      );
    }),
  );
}

function pretty(raw) {
  try {
    return JSON.stringify(JSON.parse(raw), null, 2);
  } catch {
    return raw;
  }
}
