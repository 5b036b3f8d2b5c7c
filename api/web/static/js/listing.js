// A table's rows, page by page: the first page is there, the next ones come when asked for.
import { el } from "./dom.js";
import { count } from "./format.js";
import { failure } from "./states.js";

/** `next` is the cursor of the next page, null at the end; `load(cursor)` gives `{items, next}`; `total` may be unknown. */
export function moreRows(body, next, { row, load, total }) {
  let cursor = next;
  const told = el("p", { class: "small quiet figures", role: "status" });
  const button = el("button", { class: "button", type: "button" }, "Show more");
  const tell = () => {
    const shown = count(body.childElementCount);
    told.textContent =
      total === undefined ? (cursor ? `the latest ${shown}` : `all ${shown}`) : `${shown} of ${count(total)}`;
    button.hidden = !cursor;
  };
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      const page = await load(cursor);
      cursor = page.next;
      body.append(...page.items.map(row));
      tell();
    } catch (error) {
      button.after(failure(error));
    }
    button.disabled = false;
  });
  tell();
  return el("div", { class: "body line more" }, told, button);
}
