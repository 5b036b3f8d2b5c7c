// How to point an SDK at this very server, ready to copy.
import { choices } from "./choices.js";
import { code } from "./copy.js";
import { el } from "./dom.js";

const PLACEHOLDER = "YOUR_WRITE_KEY";

const SDKS = [
  [
    "python",
    "Python",
    "pip install segment-analytics-python",
    (origin, key) => `from segment.analytics import Client

analytics = Client(write_key="${key}", host="${origin}")
analytics.identify("user-1", {"email": "ada@example.com"})
analytics.track("user-1", "Signed Up", {"plan": "free"})
analytics.shutdown()  # sends what is queued`,
  ],
  [
    "node",
    "Node",
    "npm install @segment/analytics-node",
    (origin, key) => `import { Analytics } from "@segment/analytics-node";

const analytics = new Analytics({ writeKey: "${key}", host: "${origin}" });
analytics.identify({ userId: "user-1", traits: { email: "ada@example.com" } });
analytics.track({ userId: "user-1", event: "Signed Up", properties: { plan: "free" } });
await analytics.closeAndFlush();`,
  ],
  [
    "browser",
    "Browser",
    "npm install @segment/analytics-next",
    (origin, key) => `import { AnalyticsBrowser } from "@segment/analytics-next";

export const analytics = AnalyticsBrowser.load({ writeKey: "${key}", cdnURL: "${origin}" });
analytics.page();
analytics.track("Signed Up", { plan: "free" });`,
  ],
  [
    "curl",
    "curl",
    "no SDK: one request",
    (origin, key) => `curl ${origin}/v1/track -u '${key}:' \\
  -d '{"userId": "user-1", "event": "Signed Up", "properties": {"plan": "free"}}'`,
  ],
];

export function snippets() {
  let sdk = "python";
  let key = PLACEHOLDER;
  const place = el("div", { class: "snippet" });
  const show = () => {
    const [, , install, text] = SDKS.find(([name]) => name === sdk);
    place.replaceChildren(el("p", { class: "small quiet mono" }, install), code(text(location.origin, key)));
  };
  const field = el("input", {
    class: "input mono",
    placeholder: "jw_…",
    spellcheck: "false",
    autocomplete: "off",
    oninput: () => {
      key = field.value.trim() || PLACEHOLDER;
      show();
    },
  });
  show();
  return el(
    "div",
    { class: "snippets" },
    el(
      "div",
      { class: "line" },
      choices(
        "SDK",
        SDKS.map(([name, label]) => [name, label]),
        sdk,
        (name) => {
          sdk = name;
          show();
        },
      ),
      el("label", { class: "field" }, el("span", {}, "Write key, to fill in below (stays on this page)"), field),
    ),
    place,
    el(
      "p",
      { class: "small quiet" },
      "No write key yet? Make a source above, or ",
      el("code", {}, "jcurve sources create website --data DIR"),
      " prints one.",
    ),
  );
}
