// One person: the ids and why they are one, traits, accounts, stages, and the events behind all of it.
import { get } from "./api.js";
import { el } from "./dom.js";
import { moment, title } from "./format.js";
import { links } from "./links.js";
import { moreRows } from "./listing.js";
import { finder } from "./people.js";
import { failure } from "./states.js";

export async function person({ rest: [id], signal }) {
  const ask = (cursor) => get(`people/${encodeURIComponent(id)}`, { cursor }, { signal });
  let found;
  try {
    found = await ask();
  } catch (error) {
    if (error.status !== 404) throw error;
    return el(
      "div",
      { class: "page narrow" },
      el("header", {}, el("h1", {}, "Nobody by that id"), finder(id)),
      el(
        "p",
        { class: "quiet" },
        `No event came from “${id}”. Ids are typed: user:… for a signed-in user, anonymous:… for a device.`,
      ),
      failure(error),
    );
  }
  const { kind } = await get("project", {}, { signal });
  const name = found.traits.name ?? found.traits.email ?? found.person;
  return el(
    "div",
    { class: "page" },
    el("header", {}, el("div", {}, el("h1", {}, String(name)), el("p", { class: "mono small" }, found.person)), finder()),
    el("section", { class: "pair" }, card("Stages", stages(found.stages)), card("Ids", ids(found))),
    card(
      "Why these ids are one",
      links(found.links, { admin: kind === "admin", reload: async () => (await ask()).links }),
    ),
    el("section", { class: "pair" }, card("Traits", traits(found.traits)), card("Accounts", accounts(found.accounts))),
    card("Invitations", invitations(found.invitations)),
    card(
      "Events",
      events(found.events, async (cursor) => (await ask(cursor)).events),
    ),
  );
}

function card(heading, ...content) {
  return el("section", { class: "card" }, el("header", {}, el("h2", {}, heading)), content);
}

function stages(list) {
  if (!list.length) return el("p", { class: "body quiet" }, "No stage reached yet.");
  return el(
    "ol",
    { class: "body timeline" },
    list.map((stage) =>
      el(
        "li",
        {},
        el("b", {}, stage.spell > 1 ? `${title(stage.stage)}, spell ${stage.spell}` : title(stage.stage)),
        el("time", { class: "quiet figures", datetime: stage.entered }, moment(stage.entered)),
        stage.left && el("span", { class: "small quiet figures" }, `left ${moment(stage.left)}`),
        stage.by && el("span", { class: "mono small faint clip", title: stage.by }, `by ${stage.by}`),
      ),
    ),
  );
}

function ids({ ids: list, person: smallest }) {
  return el(
    "ul",
    { class: "body ids" },
    list.map((one) =>
      el(
        "li",
        {},
        el("span", { class: "mono" }, one.id),
        one.id === smallest && el("span", { class: "chip good" }, "shown as"),
        el("span", { class: "small faint" }, one.linked_by ? `linked ${moment(one.at)} by ${one.linked_by}` : null),
      ),
    ),
  );
}

function traits(given) {
  const rows = Object.entries(given);
  if (!rows.length) return el("p", { class: "body quiet" }, "No traits. An identify call sets them.");
  return el(
    "dl",
    { class: "body pairs" },
    rows.map(([name, value]) =>
      el("div", {}, el("dt", {}, name), el("dd", {}, typeof value === "object" ? JSON.stringify(value) : String(value))),
    ),
  );
}

function accounts(list) {
  if (!list.length) return el("p", { class: "body quiet" }, "In no account. A group call makes a member.");
  return el(
    "ul",
    { class: "body ids" },
    list.map((account) => el("li", { class: "mono" }, String(account.account ?? account))),
  );
}

function invitations({ generation, came_by: came, sent, brought, people }) {
  const more = brought - people.length;
  return el(
    "ul",
    { class: "body ids invitations" },
    el(
      "li",
      {},
      el("span", { class: "chip" }, `generation ${generation}`),
      came ? el("span", {}, "brought by ", whom(came.inviter)) : el("span", { class: "quiet" }, "Came without an invitation."),
      came?.accepted_at && el("span", { class: "small faint" }, `accepted ${moment(came.accepted_at)}`),
    ),
    el("li", { class: "quiet" }, `${sent} sent, ${brought} ${brought === 1 ? "person" : "people"} brought.`),
    people.map((one) =>
      el("li", {}, whom(one.person), el("span", { class: "small faint" }, `generation ${one.generation}`)),
    ),
    more > 0 && el("li", { class: "quiet" }, `and ${more} more`),
  );
}

function whom(person) {
  return el("a", { class: "mono", href: `#/people/${encodeURIComponent(person)}` }, person);
}

function events({ items, next }, load) {
  if (!items.length) return el("p", { class: "body quiet" }, "No events.");
  const body = el("tbody", {}, items.map(row));
  return [
    el(
      "div",
      { class: "scroll tall", tabindex: "0", role: "region", "aria-label": "Events" },
      el(
        "table",
        { class: "events" },
        el(
          "thead",
          {},
          el(
            "tr",
            {},
            ["Time", "Event", "Properties"].map((text) => el("th", { scope: "col" }, text)),
          ),
        ),
        body,
      ),
    ),
    moreRows(body, next, { row, load }),
  ];
}

function row(event) {
  return el(
    "tr",
    {},
    el("td", { class: "figures faint" }, moment(event.time)),
    el("th", { scope: "row" }, el("span", { class: `chip kind kind-${event.kind}` }, event.kind), " ", event.event ?? ""),
    el("td", { class: "mono small faint clip wide" }, written(event.properties)),
  );
}

function written(properties) {
  const text = typeof properties === "string" ? properties : JSON.stringify(properties ?? {});
  return text === "{}" ? "" : text;
}
