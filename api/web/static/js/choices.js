// A row of buttons of which one is pressed.
import { el } from "./dom.js";

/** `options`: [[value, label], …]. Calls `choose(value)`; the pressed button moves at once. */
export function choices(label, options, current, choose) {
  const group = el("div", { class: "choices", role: "group", "aria-label": label });
  const press = (value) => {
    for (const button of group.children) button.setAttribute("aria-pressed", String(button.dataset.value === value));
  };
  group.append(
    ...options.map(([value, text]) =>
      el(
        "button",
        {
          type: "button",
          "data-value": value,
          onclick: () => {
            press(value);
            choose(value);
          },
        },
        text,
      ),
    ),
  );
  press(current);
  return group;
}
