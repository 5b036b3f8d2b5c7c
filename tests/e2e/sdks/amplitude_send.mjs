// node amplitude_send.mjs URL KEY PACE: the real @amplitude/analytics-node; PACE and PATIENCE as in amplitude_send.py.
import { randomUUID } from "node:crypto";
import { createInstance, Identify, Revenue } from "@amplitude/analytics-node";
import { play } from "./pace.mjs";

const [serverUrl, key, pace] = process.argv.slice(2);
const client = createInstance();
const flushIntervalMillis = pace === "many" ? 1500 : 100; // all of them in one batch, which is too large
await client.init(key, { serverUrl, flushIntervalMillis, flushQueueSize: 100, flushMaxRetries: 1000, logLevel: 0 }).promise;
const made = [];
const sent = [];
const send = (method, options, ...what) => {
  made.push(randomUUID());
  sent.push(client[method](...what, { ...options, insert_id: made.at(-1) }).promise);
};
const user = { user_id: "user-1" };

if (pace === "once") {
  const traits = new Identify().set("email", "zoë@example.com").set("name", "Zoë 🦔").unset("trial").add("logins", 1).setOnce("first", "a");
  send("identify", { ...user, device_id: "dev-1", time: 1743298200123 }, traits);
  const properties = { plan: "pro", price: 19.99, tags: ["a", "b"], emoji: "🦔 café" };
  send("track", { ...user, device_id: "dev-1", session_id: 1743298200000 }, "Signed Up", properties);
  send("track", { user_id: "undefined" }, "Ghost Seen", {});
  send("track", { device_id: "dev-2", groups: { company: "acme" } }, "Visited", { n: 2 });
  send("revenue", user, new Revenue().setProductId("p").setPrice(3.99).setQuantity(3));
  send("groupIdentify", {}, "company", "acme", new Identify().set("name", "Acme GmbH"));
  send("setGroup", user, "company", "acme");
} else if (pace === "many") {
  for (let number = 0; number < 90; number++) send("track", user, "Filled", { text: "x".repeat(20_000) });
} else {
  await play(pace, (n, user_id, text) => send("track", { user_id }, "Ticked", { n, text }), () => client.flush().promise);
}
const told = {};
for (const result of await Promise.all(sent)) told[result.event.insert_id] = result.code;
console.log(JSON.stringify({ made, told }));
