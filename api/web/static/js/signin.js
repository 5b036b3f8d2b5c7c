// The page that asks for a read key, once.
import { ApiError, get, key } from "./api.js";
import { el } from "./dom.js";

/** `told`: why we ask again, if we do. Resolves when a key was accepted. */
export function signIn(place, told, done) {
  const message = el("p", { class: "small bad", id: "key-fault", role: "alert" }, told ?? "");
  const field = el("input", {
    class: "input mono",
    id: "key",
    name: "key",
    type: "password",
    required: true,
    placeholder: "jr_…",
    autocomplete: "current-password",
    spellcheck: "false",
    "aria-describedby": "key-fault",
  });
  const button = el("button", { class: "button primary" }, "Open the dashboard");
  const submit = async (event) => {
    event.preventDefault();
    button.disabled = true;
    key.set(field.value.trim());
    try {
      await get("project");
      done();
    } catch (error) {
      key.forget();
      field.setAttribute("aria-invalid", "true");
      message.textContent = whatIsWrong(error, field.value.trim());
      field.select();
    }
    button.disabled = false;
  };
  place.replaceChildren(
    el(
      "main",
      { class: "gate", id: "content", tabindex: "-1" },
      el(
        "div",
        { class: "card" },
        el("div", { class: "brand" }, el("img", { src: "/assets/icon.svg", alt: "" }), "jcurve"),
        el(
          "div",
          {},
          el("h1", {}, "Open a project"),
          el("p", { class: "quiet" }, "A read key shows its project’s numbers. It is kept in this browser only."),
        ),
        el(
          "form",
          { onsubmit: submit },
          el("label", { class: "field", for: "key" }, el("span", {}, "Read key"), field),
          message,
          button,
        ),
        el(
          "p",
          { class: "small quiet" },
          "No key yet? On the server: ",
          el("br"),
          el("code", {}, "jcurve keys create read --data DIR"),
        ),
      ),
    ),
  );
  field.focus();
}

export function whatIsWrong(error, text = "") {
  if (text.startsWith("jw_")) return "That is a write key: it may only send events. A read key begins with jr_.";
  if (error instanceof ApiError && error.status === 401)
    return "This key is not known here. It may have been revoked, or belong to another server.";
  return error.message;
}
