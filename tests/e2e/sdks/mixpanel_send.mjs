// node mixpanel_send.mjs URL KEY PACE USER: the real mixpanel makes events; prints their ids, and by id which of them failed.
import { randomUUID } from "node:crypto";
import Mixpanel from "mixpanel";
import { play } from "./pace.mjs";

const [url, key, pace, user] = process.argv.slice(2);
const { hostname, port } = new URL(url);
const client = Mixpanel.init(key, { host: hostname, port: Number(port), protocol: "http", path: "", key: "any" });
const made = [];
const failed = {};
const told = [];
const send = (id, object, method, ...what) =>
  told.push(new Promise((done) => object[method](...what, (error) => (error && (failed[id] = String(error)), done()))));
const track = (distinct_id, event, properties, time) => {
  const id = randomUUID();
  made.push(id);
  const all = { distinct_id, $insert_id: id, ...properties };
  time ? send(id, client, "import", event, time, all) : send(id, client, "track", event, all);
};

if (pace === "once") {
  track(user, "Signed Up", { price: 19.99, tags: ["a", "b"], emoji: "🦔 café", time: new Date(1743298200123) });
  track("$device:dev-1", "Visited", { $current_url: "https://a.example/docs", utm_source: "news" });
  track("undefined", "Ghost Seen", {});
  send("set", client.people, "set", user, { $email: "zoë@example.com", $name: "Zoë 🦔" });
  send("unset", client.people, "unset", user, "trial");
  send("add", client.people, "increment", user, "logins", 1);
  send("group", client.groups, "set", "company", user, { name: "Acme GmbH" });
  track(user, "Imported", {}, new Date(1743298200000));
  send("alias", client, "alias", user, `${user}-2`);
  await Promise.all(told);
  const batch = [0, 1, 2].map((n) => ({ event: "Bulk", properties: { distinct_id: user, $insert_id: randomUUID(), n, text: "x".repeat(n === 1 ? 40_000 : 1) } }));
  made.push(batch[0].properties.$insert_id, batch[2].properties.$insert_id);
  send("batch", client, "track_batch", batch);
} else {
  await play(pace, (n, who, text) => track(who, "Ticked", { n, text }), () => Promise.all(told));
}
await Promise.all(told);
console.log(JSON.stringify({ made, failed, errors: Object.values(failed) }));
