// Code with a button that copies it.
import { el } from "./dom.js";

export function code(text, label = "Copy") {
  const button = el("button", { class: "button compact", type: "button", onclick: () => copy(text, button, label) }, label);
  return el("div", { class: "code" }, el("pre", { tabindex: "0" }, el("code", {}, text)), button);
}

async function copy(text, button, label) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    button.textContent = "Press Ctrl+C"; // no clipboard on plain http: select it for the reader instead
    getSelection().selectAllChildren(button.parentElement.querySelector("code"));
  }
  setTimeout(() => {
    button.textContent = label;
  }, 1600);
}
