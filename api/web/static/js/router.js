// Addresses: `#/people/user:42?stage=paid`. The part after `?` holds what the reader chose, so that a link shows the same page.

export function read() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const parts = path.split("/").filter(Boolean).map(decodeURIComponent);
  return { page: parts[0] ?? "overview", rest: parts.slice(1), query: Object.fromEntries(new URLSearchParams(query)) };
}

export function address(page, rest = [], query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const tail = given.length ? `?${new URLSearchParams(given)}` : "";
  return `#/${[page, ...rest].map(encodeURIComponent).join("/")}${tail}`;
}

export function go(page, rest, query) {
  location.hash = address(page, rest, query);
}

/** Call `show(place, signal)` now and on every change; the signal is aborted when the reader moves on. */
export function start(show) {
  let leaving = new AbortController();
  const move = () => {
    leaving.abort();
    leaving = new AbortController();
    show(read(), leaving.signal);
  };
  window.addEventListener("hashchange", move);
  move();
  return move;
}
