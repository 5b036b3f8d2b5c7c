// Several values that a filter compares with: a chip each, and a field for the next one. A value may hold commas.
import { el } from "../dom.js";
import { iconButton } from "./fields.js";
import { picker } from "./picker.js";

/** `read(text)` and `write(value)`: a value as it is typed; `choose(values)` is told each change. */
export function several(values, { options, read, write, choose, kinds }) {
  const list = el("ul", { class: "values", "aria-label": "Values" });
  const held = [...values];
  const tell = () => {
    draw();
    choose([...held]);
  };
  const add = (...texts) => {
    for (const value of texts.filter(Boolean).map(read)) if (!held.includes(value)) held.push(value);
    tell();
  };
  const remove = (at) => {
    held.splice(at, 1);
    tell();
    field.querySelector("input").focus();
  };
  const draw = () =>
    list.replaceChildren(
      ...held.map((value, at) =>
        el(
          "li",
          { class: "chip", title: kinds[typeof value] ?? null },
          el("span", {}, write(value)),
          iconButton(`Remove ${write(value)}`, "×", () => remove(at)),
        ),
      ),
    );
  const field = picker({
    label: "Value",
    placeholder: "add a value",
    options: () => options().filter(({ value }) => !held.some((one) => write(one) === value)),
    once: true,
    choose: add,
  });
  field.addEventListener("keydown", (event) => {
    if (event.key === "Backspace" && !event.target.value && held.length) remove(held.length - 1);
  });
  field.addEventListener("paste", (event) => {
    const lines = event.clipboardData.getData("text").split(/\r?\n/);
    if (lines.length < 2) return;
    event.preventDefault(); // a column of a sheet is as many values
    add(...lines.map((line) => line.trim()));
  });
  draw();
  return el("div", { class: "several" }, list, field);
}
