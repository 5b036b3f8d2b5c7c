// node snowplow_send.mjs URL KEY PACE PATIENCE: the real @snowplow/node-tracker; PACE as in snowplow_send.py.
import * as snowplow from "@snowplow/node-tracker";
import { play } from "./pace.mjs";

const [endpoint, appId, pace, patience] = process.argv.slice(2);
const answers = [];
let left = 0;
const tracker = snowplow.newTracker(
  { namespace: "ns1", appId },
  {
    endpoint: endpoint.replace("http://", ""),
    protocol: "http",
    eventMethod: pace === "pixel" ? "get" : "post",
    bufferSize: { slow: 1, many: 3 }[pace] ?? 7,
    maxPostBytes: 4_000_000,
    onRequestSuccess: (events) => (left -= events.length),
    onRequestFailure: ({ events, status, willRetry }) => (answers.push([status ?? 0, willRetry]), willRetry || (left -= events.length)),
  },
);
tracker.setUserId("user-1");
tracker.setDomainUserId("dev-1");
tracker.setSessionId("s1");
tracker.setLang("de");
const made = [];
const send = (event, context, time) => {
  left++;
  made.push(tracker.track(event, context, time).eid);
};
const described = (name, data) => snowplow.buildSelfDescribingEvent({ event: { schema: `iglu:com.acme/${name}/jsonschema/1-0-0`, data } });

if (pace === "once" || pace === "pixel") {
  const plan = { schema: "iglu:com.acme/user_context/jsonschema/1-0-0", data: { plan: "pro", name: "Zoë 🦔" } };
  send(snowplow.buildPageView({ pageUrl: "https://a.example/docs?utm_source=news", pageTitle: "Docs – «start»", referrer: "https://g.example/" }), [plan]);
  send(snowplow.buildPagePing({ pageUrl: "https://a.example/docs", minXOffset: 10, maxYOffset: 200 }));
  send(snowplow.buildStructEvent({ category: "shop", action: "add", label: "Zoë 🦔", property: "pcs", value: 2.5 }));
  send(described("order", { price: 19.99, tags: ["a", "b"], emoji: "🦔 café" }), [], { type: "ttm", value: 1743298200123 });
  send(described("identify", { email: "zoë@example.com" }));
  send(snowplow.buildScreenView({ id: "a0b1", name: "Home" }));
  tracker.setUserId("undefined");
  tracker.setDomainUserId("null");
  send(described("ghost", {}));
} else if (pace === "many") {
  for (const size of [1, 1_000_000, 1_000_000]) send(described("filled", { text: "x".repeat(size) }));
  await new Promise((done) => setTimeout(done, 500));
  send(described("fitting", { text: "x".repeat(10_000) }));
} else {
  const tick = (n, who, text) => {
    tracker.setUserId(who);
    tracker.setDomainUserId(who);
    send(described("ticked", { n, text }));
  };
  await play(pace, tick, () => tracker.flush());
}
const deadline = Date.now() + Number(patience) * 1000;
do {
  await tracker.flush(); // what failed is sent again with the next event, or now
  await new Promise((done) => setTimeout(done, 200));
} while (left && Date.now() < deadline);
console.log(JSON.stringify({ made, left, answers }));
