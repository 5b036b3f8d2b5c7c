// node browse.mjs CHROMIUM PROFILE: the real browser, and in it a page for every line of JSON that comes in, with an answer
// to each. {"page": n, "url"}: opens it, with cookies and storage of its own, or again. {"page": n, "run"}: tells what this expression
// is, or promises, there. {"page": n, "leave": true}: goes elsewhere from it, as who closes its tab does. {"page": n,
// "close": true}: ends it. These two tell what it complained about in its console.
import { createInterface } from "node:readline";
import puppeteer from "puppeteer-core";

const [executablePath, userDataDir] = process.argv.slice(2);
const quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-quic", "--no-first-run"];
const args = [...quiet, "--disable-component-update", "--disable-sync"];
const timeout = 300_000; // as patience.py
const browser = await puppeteer.launch({ executablePath, userDataDir, headless: true, args, timeout, protocolTimeout: 2 * timeout });
const open = new Map();

async function visited(number, url) {
  if (open.has(number)) return void (await open.get(number).page.goto(url));
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  page.setDefaultTimeout(timeout);
  const complaints = [];
  page.on("console", (message) => ["error", "warn"].includes(message.type()) && complaints.push(`${message.text()} ${message.location().url ?? ""}`.trim()));
  page.on("pageerror", (error) => complaints.push(String(error)));
  open.set(number, { context, page, complaints });
  await page.goto(url);
}

async function answered({ page: number, url, run, leave, close }) {
  if (url) return visited(number, url);
  const { context, page, complaints } = open.get(number);
  if (run) return JSON.parse((await page.evaluate(`Promise.resolve(${run}).then(JSON.stringify)`)) ?? "null"); // as JSON, for dates
  if (leave) await page.goto("about:blank");
  if (close) await context.close();
  return complaints;
}

const answer = (number, told) => console.log(JSON.stringify({ page: number, ...told }));
for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  answered(asked).then((told) => answer(asked.page, { told }), (error) => answer(asked.page, { failed: String(error) }));
}
await browser.close();
