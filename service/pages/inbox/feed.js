// The list of messages, received or sent.

import { avatar, byId, focusOn, make, messageOf, timeOf } from "/inbox/dom.js";
import * as session from "/inbox/session.js";
import { beginning, nameList, shown, t, titleOf } from "/inbox/words.js";

const EMPTY = {
  inbox: [t.noMessages, t.noMessagesHint],
  unread: [t.allRead, t.allReadHint],
  sent: [t.nothingSent, t.nothingSentHint],
  found: [t.nothingFound, t.nothingFoundHint],
};
const PER_PAGE = 20;
/** The maximum page size of the service. */
const LARGEST_PAGE = 100;
/** Pages of a search can be empty and still have a next one; so many are loaded until a message is found. */
const MAX_EMPTY_PAGES = 10;

/** A box with its loaded messages, newest first. */
const newBox = () => ({ items: [], next: null, isLoaded: false, scroll: 0 });
const boxes = { inbox: newBox(), unread: newBox(), sent: newBox(), found: newBox() };
let shownBox = "inbox";
let selected = null;
let drawn = new Map(); // the rows by message id, with the state that they show
const removed = new Set(); // the ids of messages that were deleted
let loads = 0; // the number of the last load; results of earlier loads are discarded
let loaded = 0; // the number of the last load that has ended
const arrivals = new Map(); // messages by id that arrived since the last load began, and may be missing in its response
const writes = new Set(); // changes in progress, for which loads wait

let rendered = () => {};

const box = () => boxes[shownBox];
/** The messages of the list that is shown. */
export const items = () => box().items;
const filters = { inbox: "", unread: "&unread=true", sent: "&box=sent", found: "" };
/** The boxes in which new messages appear. */
const ARRIVING = ["inbox", "unread"];
const isSent = (name) => filters[name].includes("box=sent");
const isReceived = (name) => !isSent(name);
const boxesWith = (condition) => Object.keys(boxes).flatMap((name) => (condition(name) ? [boxes[name]] : []));
/** The path of a page with as many messages as are shown, so that all rows are updated. */
const pathOf = (name) =>
  `/messages?per_page=${Math.min(Math.max(boxes[name].items.length, PER_PAGE), LARGEST_PAGE)}${filters[name]}`;

/** All loaded messages. */
export const loadedItems = () => Object.values(boxes).flatMap((target) => target.items);

/** The receivers of a message, and whether they have read it. */
export const receiversOf = (message) => message.receivers ?? [{ username: message.receiver, read: message.read }];

/** Sets the function that is called when the rows have been rendered. */
export function setUp(given) {
  rendered = given;
}

/** Forgets everything. */
export function reset() {
  for (const name of Object.keys(boxes)) boxes[name] = newBox();
  selected = null;
  removed.clear();
  loads += 1;
  renderRows([]);
}

/** Shows a box: first the loaded messages, then the current ones. */
export async function show(name) {
  if (name !== shownBox) {
    box().scroll = byId("list-scroll").scrollTop;
    shownBox = name;
    render();
    byId("list-scroll").scrollTop = box().scroll;
  }
  return refresh(box().isLoaded);
}

/** Shows the messages that a search finds; `filter` are its parameters. Throws the problem of an invalid value. */
export async function search(filter) {
  boxes.found = newBox();
  filters.found = filter;
  const problem = await show("found");
  if (problem?.status === 422) throw problem;
  return !problem;
}

/**
 * Loads the newest messages of the box that is shown. If `isQuiet`, a failure leaves the list unchanged, and so does a
 * search that was made, because searches are limited. Returns the problem, if there is one.
 */
export async function refresh(isQuiet = false) {
  const name = shownBox;
  if (isQuiet && name === "found" && boxes.found.isLoaded) return undefined;
  const mine = (loads += 1);
  if (!boxes[name].isLoaded) render(true);
  await Promise.allSettled(writes);
  if (mine !== loads) return undefined;
  arrivals.clear();
  try {
    const page = await load(session.own(pathOf(name)), () => name === "found" && mine === loads);
    if (mine !== loads) return undefined;
    merge(boxes[name], page);
    if (name === shownBox) render();
    return undefined;
  } catch (problem) {
    if (mine === loads && name === shownBox && !(isQuiet && boxes[name].isLoaded)) renderProblem(problem);
    return problem;
  } finally {
    loaded = mine;
  }
}

/** Loads a page, and the next ones as long as they are empty and `mayBeEmpty()`. */
async function load(path, mayBeEmpty) {
  let page = await session.callAs("GET", path);
  for (let count = 1; page.messages.length === 0 && page.next && mayBeEmpty() && count < MAX_EMPTY_PAGES; count += 1)
    page = await session.callAs("GET", page.next);
  return page;
}

/** Waits for a change of messages. The list is loaded afterwards, because a concurrent load may miss the change. */
export async function change(write) {
  writes.add(write);
  if (loaded < loads) refresh(true);
  try {
    return await write;
  } finally {
    writes.delete(write);
  }
}

const byAge = (items) => items.sort((one, other) => other.id - one.id);

/** Merges a page into a box. Older messages stay if the page overlaps them, and so do those that have just arrived. */
function merge(target, page) {
  const last = page.messages.at(-1);
  const isBeyond = (item) => Boolean(last && page.next) && item.id < last.id;
  const connects = last && page.next && target.items.some((item) => item.id <= last.id);
  const older = connects ? target.items.filter(isBeyond) : [];
  // Arrivals beyond the page are among the older messages, or on the next page.
  const missing = [...arrivals.values()].filter(
    (item) =>
      ARRIVING.some((name) => boxes[name] === target) &&
      !isBeyond(item) &&
      page.messages.every((other) => other.id !== item.id),
  );
  // The service still has messages whose deletion can be undone.
  target.items = byAge([...page.messages, ...older, ...missing].filter((item) => !removed.has(item.id)));
  if (older.length === 0) target.next = page.next;
  target.isLoaded = true;
}

/** Loads the next page. */
export async function older() {
  const name = shownBox;
  const target = boxes[name];
  const button = byId("older");
  if (!target.next || button.getAttribute("aria-disabled")) return;
  button.setAttribute("aria-disabled", "true");
  try {
    const page = await load(target.next, () => target === boxes.found && name === shownBox);
    const known = new Set(target.items.map((item) => item.id));
    const added = page.messages.filter((item) => !known.has(item.id) && !removed.has(item.id));
    target.items.push(...added);
    target.next = page.next;
    if (name !== shownBox) return;
    const hadFocus = document.activeElement === button;
    render();
    if (hadFocus) rowOf(added[0]?.id)?.focus();
  } catch (problem) {
    if (name === shownBox) renderProblem(problem);
  } finally {
    button.removeAttribute("aria-disabled");
  }
}

/** Adds a message that has arrived. Returns whether it is new. */
export function arrive(message) {
  let isNew = false;
  if (removed.has(message.id)) return false;
  arrivals.set(message.id, message);
  for (const name of ARRIVING) {
    const target = boxes[name];
    if (target.items.some((item) => item.id === message.id)) continue;
    if (!target.isLoaded) continue;
    isNew = true;
    target.items.push(message);
    byAge(target.items);
  }
  if (isNew && ARRIVING.includes(shownBox)) {
    render();
    rowOf(message.id)?.closest("li").classList.add("arrived");
  }
  return isNew || !boxes.inbox.isLoaded;
}

/** Whether the message was deleted, as far as this tab knows. */
export const isRemoved = (id) => removed.has(id);

/** Updates the boxes with the current state of a message. */
export function update(message) {
  for (const [name, target] of Object.entries(boxes)) {
    const index = target.items.findIndex((item) => item.id === message.id);
    const change = isSent(name) ? { receivers: receiversOf(message) } : { read: message.read };
    if (index >= 0) target.items[index] = { ...target.items[index], ...change };
  }
  render();
}

/** Marks received messages as read or unread in all boxes: those for which `isMarked(id)` holds. */
export function mark(isMarked, read) {
  for (const target of boxesWith(isReceived))
    target.items = target.items.map((item) => (isMarked(item.id) ? { ...item, read } : item));
  render();
}

/** Follows marks that were made in any tab or by another client. */
export function marked(ids, read) {
  const isNews = boxesWith(isReceived).some(({ items }) =>
    items.some((item) => ids.has(item.id) && item.read !== read),
  );
  if (isNews) mark((id) => ids.has(id), read);
  // The list of unread messages changes, and the response of a load in progress may be from before the marks.
  if ((isNews && shownBox === "unread") || loaded < loads) refresh(true);
}

/** Follows deletions that were made in any tab or by another client. */
export function deleted(ids) {
  if ([...ids].some((id) => !removed.has(id))) remove(ids);
}

/** Removes messages from all boxes. Returns the row that gets the focus, and a function that puts messages back. */
export function remove(ids) {
  const index = box().items.findIndex((item) => ids.has(item.id));
  const before = Object.values(boxes).map((target) => [target, target.items.filter((item) => ids.has(item.id))]);
  for (const id of ids) removed.add(id);
  for (const [target] of before) target.items = target.items.filter((item) => !ids.has(item.id));
  const neighbour = box().items[Math.min(Math.max(index, 0), box().items.length - 1)];
  if (ids.has(selected)) selected = null;
  render();
  return { row: neighbour && rowOf(neighbour.id), restore: (these) => restore(before, these) };
}

function restore(before, ids) {
  for (const id of ids) removed.delete(id);
  for (const [target, items] of before) {
    const known = new Set(target.items.map((item) => item.id));
    target.items = byAge([...target.items, ...items.filter((item) => ids.has(item.id) && !known.has(item.id))]);
  }
  render();
}

/** Marks the sent box as outdated after a message was sent. */
export function sent() {
  boxes.sent.isLoaded = false;
}

/** The message, if it was loaded. */
export const find = (name, id) =>
  boxesWith(name === "sent" ? isSent : isReceived)
    .flatMap((target) => target.items)
    .find((item) => item.id === id);

/** Marks the row of the open message. */
export function select(id) {
  selected = id;
  for (const link of byId("rows").querySelectorAll("a")) {
    if (Number(link.dataset.id) === id) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

export const rowOf = (id) => byId("rows").querySelector(`a[data-id="${Number(id)}"]`);

function render(isLoading = false) {
  const { items, next, isLoaded } = box();
  const focused = document.activeElement?.closest?.("#rows a")?.dataset.id;
  renderRows(items);
  // A row that was replaced or removed has lost the focus.
  if (focused && !document.activeElement?.closest("#rows a")) focusOn(rowOf(focused) ?? byId("list-title"));
  if (!isLoading) hideProblem();
  byId("list-loading").hidden = !isLoading;
  byId("older").hidden = !next;
  byId("older").textContent = shownBox === "found" ? t.searchOlder : t.showOlder;
  const [title, text] = EMPTY[shownBox];
  const empty = byId("list-empty");
  empty.hidden = isLoading || !isLoaded || items.length > 0 || Boolean(next);
  byId("shell").toggleAttribute("data-empty", !empty.hidden);
  empty.replaceChildren(make("p", { class: "empty-title" }, title), make("p", {}, text));
  select(selected);
  rendered();
}

/** Renders the rows. Unchanged rows stay in the document, and so keep the focus and other state. */
function renderRows(items) {
  const rows = byId("rows");
  const before = drawn;
  drawn = new Map();
  for (const message of items) {
    const face = JSON.stringify([isSent(shownBox), message.read, message.receivers]);
    const known = before.get(message.id);
    const isSame = known?.face === face;
    drawn.set(message.id, isSame ? known : { face, row: isSent(shownBox) ? sentRow(message) : receivedRow(message) });
    if (isSame) before.delete(message.id);
  }
  for (const { row } of before.values()) row.remove();
  [...drawn.values()].forEach(({ row }, index) => {
    if (rows.children[index] !== row) rows.insertBefore(row, rows.children[index] ?? null);
  });
}

/** Hides the problem. Its button may have the focus. */
function hideProblem() {
  if (byId("list-error").contains(document.activeElement)) focusOn(byId("list-title"));
  byId("list-error").hidden = true;
}

function renderProblem(problem) {
  byId("list-loading").hidden = true;
  if (shownBox === "found" && problem.status === 422) return; // the form of the search shows it
  const place = byId("list-error");
  const hadFocus = place.contains(document.activeElement);
  const again = make("button", { type: "button", class: "button", click: () => refresh() }, t.tryAgain);
  place.replaceChildren(make("p", {}, messageOf(problem)), again);
  place.hidden = false;
  if (hadFocus) focusOn(again);
}

function receivedRow(message) {
  const isUnread = !message.read;
  return row(message, message.sender, shown(message.sender), isUnread, isUnread && t.unread);
}

function sentRow(message) {
  const receivers = receiversOf(message);
  const readers = receivers.filter((one) => one.read).length;
  const names = receivers.map((one) => one.username);
  const state = receivers.length === 1 ? (readers ? t.wasRead : t.wasNotRead) : t.wasReadBy(readers, receivers.length);
  return row(message, names[0], t.toNames(nameList(names)), false, false, state);
}

function row(message, name, title, isUnread, spoken, state = null) {
  return make(
    "li",
    { class: isUnread ? "unread" : false },
    make(
      "a",
      { href: `#/${isSent(shownBox) ? "sent" : "inbox"}/${message.id}`, "data-id": message.id },
      avatar(name),
      make(
        "span",
        { class: "row-text" },
        make(
          "span",
          { class: "row-head" },
          spoken && make("span", { class: "visually-hidden" }, spoken),
          make("bdi", { class: "row-name" }, title),
          timeOf(message.created_at),
        ),
        make("span", { class: "row-subject", dir: "auto" }, titleOf(message)),
        make("span", { class: "row-beginning", dir: "auto" }, beginning(message.message)),
        state && make("span", { class: "row-state" }, state),
      ),
      isUnread && make("span", { class: "unread-dot", "aria-hidden": "true" }),
    ),
  );
}
