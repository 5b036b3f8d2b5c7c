// node posthog_send.mjs URL KEY PACE MODE: the real posthog-node; as posthog_send.py. PACE "many": 20 events of 1.1 MB.
import { PostHog } from "posthog-node";
import { play } from "./pace.mjs";

const [host, key, pace, mode] = process.argv.slice(2);
process.env.POSTHOG_CAPTURE_MODE = mode;
const errors = [];
const many = 20;
const client = new PostHog(key, { host, flushAt: many, flushInterval: pace === "many" ? 60_000 : 300, fetchRetryCount: 10_000, fetchRetryDelay: 300 });
client.on("error", (error) => errors.push(String(error)));
let made = [];
for (const kind of ["capture", "identify", "alias"]) client.on(kind, (message) => made.push(message.uuid));
const timestamp = new Date("2025-03-30T01:30:00.123Z");
const capture = (event, distinctId, properties = {}, rest = {}) => client.capture({ event, distinctId, properties, ...rest });
const alive = setInterval(() => {}, 1000); // as a server is: the SDK's own timers do not keep a process

if (pace === "once") {
  capture("$identify", "user-1", { $anon_distinct_id: "anon-1", $set: { email: "zoë@example.com" } }, { timestamp });
  capture("Signed Up", "user-1", { plan: "pro", price: 19.99, tags: ["a", null], emoji: "🦔 café" }, { timestamp });
  capture("Ghost Seen", "undefined");
  capture("Project Created", "42", {}, { groups: { company: "acme" } });
  capture("Visited", "anon-2", { $process_person_profile: false });
  client.identify({ distinctId: "user-1", properties: { name: "Zoë 🦔" } });
  client.groupIdentify({ groupType: "company", groupKey: "acme", properties: { name: "Acme GmbH" }, distinctId: "user-1" });
  capture("$pageview", "user-1", { $current_url: "https://a.example/docs?utm_source=news" });
  capture("$screen", "user-1", { $screen_name: "Home", $session_id: "s-1" });
  client.alias({ distinctId: "user-1", alias: "user-0" });
} else if (pace === "many") {
  for (let number = 0; number < many; number++) capture("Overfilled", "user-1", { text: "x".repeat(1_100_000) });
} else {
  made = await play(pace, (n, who, text) => capture("Ticked", who, { n, text }), () => client.flush().catch(() => {}));
}
await client.shutdown(300_000);
clearInterval(alive);
console.log(JSON.stringify({ made, errors }));
