// The inbox: which view is shown, and what the views tell each other.

import * as access from "/inbox/access.js";
import * as compose from "/inbox/compose.js";
import { alarm, ask, byId, entitle, focusOn, make, tell } from "/inbox/dom.js";
import * as feed from "/inbox/feed.js";
import { Listener } from "/inbox/listen.js";
import * as reading from "/inbox/reading.js";
import * as session from "/inbox/session.js";
import { publish, store, stored, subscribe } from "/inbox/tab.js";
import { shown, titleOf } from "/inbox/words.js";

/** The service stops counting there. */
const COUNTED = 1000;
/** Until a lost connection is spoken of, in ms; most come back before. */
const PATIENCE = 4000;
/** Reasons to look again that come within that time are one, in ms. */
const TOGETHER = 50;
/** After the last message of several, in ms. */
const SETTLED = 500;

const UNREAD_ONLY = "herolo.unread-only";

let unread = 0;
let lastBox = "inbox";
let lastList = null; // the box whose list was shown, so that its title gets the focus when it changes
let here = ""; // what stands after the # of what is shown
let isLeaving = false; // whether the browser is on its way back
let nextFocus = null; // the row to go on with, instead of where one was
const heard = new Set(); // the ids of the messages that arrived; the list may have one before its event comes
let lineTimer;
let countTimer;
let syncTimer;

const listener = new Listener({
  // Deletions and marks are no events, so each stream begins with a look at what there is.
  hello: () => sync(),
  message: (message) => {
    if (heard.has(message.id)) return;
    heard.add(message.id);
    if (feed.arrive(message)) setUnread(unread + 1);
    // A count that is under way may have it already, so the last word is the service's.
    if (document.hidden) return;
    clearTimeout(countTimer);
    countTimer = setTimeout(countUnread, SETTLED);
    tell(`New message from ${shown(message.sender)}: ${titleOf(message)}`, { name: "Read", run: () => { location.hash = `#/inbox/${message.id}`; } });
  },
  state: showLine,
});

/** Brings up to date what is shown; a hidden tab does so when it is looked at. What comes at the same time is one. */
function sync() {
  clearTimeout(syncTimer);
  syncTimer = setTimeout(() => {
    if (document.hidden || !session.token()) return;
    countUnread();
    feed.refresh(true);
    reading.recheck();
  }, TOGETHER);
}

/** Something was changed here: other tabs of this user show it, too. */
function changed() {
  countUnread();
  publish("changed", session.username());
}

function showLine(state) {
  clearTimeout(lineTimer);
  const line = byId("line");
  const set = (text) => { line.dataset.state = state; byId("line-text").textContent = text; };
  if (state === "live") {
    if (line.dataset.state === "waiting" && line.dataset.told) tell("Connected again.");
    delete line.dataset.told;
    set("Live");
  } else if (state === "off") {
    set("Signed out");
  } else {
    lineTimer = setTimeout(() => {
      set(navigator.onLine ? "Reconnecting…" : "Offline");
      if (line.dataset.told) return;
      line.dataset.told = "yes";
      alarm("The connection is lost. Reconnecting.");
    }, navigator.onLine ? PATIENCE : 0);
  }
}

async function countUnread() {
  if (!session.token()) return;
  try {
    setUnread((await session.callAs("GET", session.own())).unread);
    publish("unread", { of: session.username(), unread });
  } catch {
    // The list says what is wrong; a number does not have to.
  }
}

function setUnread(count) {
  unread = Math.max(0, count);
  const badge = byId("unread-badge");
  const text = unread >= COUNTED ? `${COUNTED}+` : String(unread);
  badge.hidden = unread === 0;
  badge.setAttribute("aria-label", `${text} unread`);
  badge.setAttribute("role", "img");
  badge.textContent = text;
  entitle({ unread });
}

/** `#/inbox`, `#/inbox/12`, `#/sent`, `#/sent/12`, `#/write` or `#/write/12`, which answers a message. */
function place() {
  const [name, id] = location.hash.replace(/^#\//, "").split("/");
  return { name: name === "write" || name === "sent" ? name : "inbox", id: /^\d+$/.test(id ?? "") ? Number(id) : null };
}

function route() {
  // An entry of the history knows the one below it, so that going back here is going back there.
  if (!history.state) history.replaceState({ before: here }, "");
  here = location.hash;
  isLeaving = false;
  if (!session.token()) return enter();
  const { name, id } = place();
  if (name !== "write" && id && feed.isRemoved(id)) return replace(`#/${name}`);
  byId("shell").dataset.pane = name === "write" || id ? "reading" : "list";
  if (name === "write") {
    reading.clear();
    feed.select(id);
    compose.show(id);
  } else showBox(name, id);
  showDrafts();
}

/** Goes to a place instead of the one that is shown. */
function replace(hash) {
  history.replaceState({ before: history.state?.before }, "", hash);
  route();
}

/** A sign that there are drafts, and the way to them. */
function showDrafts() {
  const drafts = compose.list();
  byId("drafts").hidden = drafts.length === 0;
  byId("drafts").replaceChildren(...drafts.map(([hash, words]) =>
    make("li", {}, make("a", { href: hash }, make("b", {}, "Draft"), " ", make("span", { dir: "auto" }, words)))));
}

/** The box to show: of what was received perhaps what is unread alone. */
const boxOf = (name) => (name === "inbox" && byId("unread-only").checked ? "unread" : name);

function showBox(name, id) {
  lastBox = name;
  for (const box of ["inbox", "sent"]) {
    if (box === name) byId(`tab-${box}`).setAttribute("aria-current", "page");
    else byId(`tab-${box}`).removeAttribute("aria-current");
  }
  byId("list-title").textContent = name === "sent" ? "Sent" : "Inbox";
  byId("unread-switch").hidden = name === "sent";
  const changed = lastList !== name;
  lastList = name;
  if (changed || !id) feed.show(boxOf(name));
  const before = byId("rows").querySelector("[aria-current]");
  feed.select(id);
  if (id) {
    reading.show(name, id);
    return;
  }
  reading.clear();
  entitle({ view: name === "sent" ? "Sent" : "Inbox" });
  // Back from a message, the list goes on where it was.
  const row = nextFocus ?? (changed ? null : before);
  nextFocus = null;
  focusOn(row?.isConnected ? row : byId("list-title"));
  if (row?.isConnected) row.scrollIntoView({ block: "nearest" });
}

/** Back to the list, or from the form to wherever it was opened. */
function close() {
  if (isLeaving) return;
  const before = history.state?.before;
  const isBelow = place().name === "write" ? before && !before.startsWith("#/write") : before === `#/${lastBox}`;
  if (isBelow) {
    isLeaving = true;
    history.back();
  } else {
    replace(`#/${lastBox}`);
  }
}

function enter() {
  byId("shell").hidden = true;
  access.show(false);
}

/** A user has signed in. */
function begin() {
  access.hide();
  byId("shell").hidden = false;
  byId("me").textContent = session.username();
  byId("unread-only").checked = Boolean(stored(UNREAD_ONLY));
  listener.start();
  if (!location.hash) history.replaceState({}, "", "#/inbox");
  route();
}

/** Asks how far signing out goes, and whether drafts may go with it. */
async function signOut() {
  const name = session.username();
  const text = `“Sign out everywhere” revokes all access tokens of ${name}, those of other devices and programs, too. `
    + "“Only this browser” forgets the token here; it stays valid until it expires."
    + (compose.hasDrafts() ? " What you have not sent is deleted." : "");
  const choices = [["everywhere", "Sign out everywhere", compose.hasDrafts() ? "danger" : "primary"], ["here", "Only this browser"], ["no", "Stay signed in"]];
  let title = "Sign out?";
  for (;;) {
    const answer = await ask(title, text, choices, compose.hasDrafts() ? 2 : 0);
    if (answer === "here") return leave();
    if (answer !== "everywhere") return undefined;
    try {
      // The end of the stream would ask for the password.
      listener.stop();
      await session.revoke();
      return leave();
    } catch (problem) {
      listener.start();
      title = `Not signed out: ${problem.message}`;
    }
  }
}

/** Shows no message of this user any more, but for one that is being written. */
function empty() {
  listener.stop();
  feed.reset();
  setUnread(0);
  lastList = null;
}

function leave(isHeard = false) {
  session.signOut(isHeard);
  access.dismiss();
  empty();
  reading.clear();
  byId("unread-only").checked = false;
  byId("me").textContent = "";
  // A reload does not ask other tabs for their session.
  history.replaceState({ isOut: true }, "", "#/inbox");
  here = "";
  showDrafts();
  enter();
}

/** Another tab has signed this user out. A draft waits until the user signs in again or signs out here. */
function signedOutElsewhere() {
  if (!compose.hasDrafts()) return leave(true);
  session.suspend();
  empty();
  if (place().name !== "write") {
    reading.clear();
    history.replaceState(history.state, "", "#/inbox");
    byId("shell").dataset.pane = "list";
  }
  showLine("off");
  return session.renew("").catch(() => {});
}

/** The session was renewed: what was empty or old is shown anew. */
function resume() {
  if (byId("shell").hidden) {
    begin();
    return;
  }
  listener.start();
  feed.show(boxOf(lastBox));
  sync();
}

function comeBack() {
  if (byId("shell").hidden) return;
  session.isSeen();
  listener.look(true);
  sync();
}

function setUp() {
  access.setUp(begin, resume);
  session.share(
    () => !history.state?.isOut && access.isUntouched(),
    (isRenewed) => (isRenewed ? access.renewed() : begin()),
    signedOutElsewhere,
  );
  reading.setUp({
    reply: (message) => { location.hash = `#/write/${message.id}`; },
    hasDraft: compose.hasDraft,
    changed,
    gone: (row) => { nextFocus = row; close(); },
    close,
  });
  compose.setUp({
    changed: showDrafts,
    close,
    open: (hash) => { location.hash = hash; },
    sent: (isShown) => { feed.sent(); changed(); if (isShown) close(); },
  });
  subscribe("changed", (name) => { if (name === session.username()) sync(); });
  subscribe("unread", (count) => { if (count.of === session.username()) setUnread(count.unread); });
  byId("older").addEventListener("click", feed.older);
  byId("unread-only").addEventListener("change", (event) => { store(UNREAD_ONLY, event.target.checked); feed.show(boxOf("inbox")); });
  byId("sign-out").addEventListener("click", signOut);
  byId("skip").addEventListener("click", () => focusOn(byId("rows").querySelector("a") ?? byId("list-title")));
  // The box that is shown already is looked at again.
  document.querySelector(".boxes").addEventListener("click", sync);
  setUpWindow();
}

function setUpWindow() {
  addEventListener("hashchange", route);
  addEventListener("keydown", byKey);
  for (const event of ["online", "offline"]) addEventListener(event, () => listener.probe());
  addEventListener("focus", comeBack);
  addEventListener("pageshow", (event) => { if (event.persisted) comeBack(); });
  document.addEventListener("visibilitychange", () => (document.hidden ? listener.look(false) : comeBack()));
  // Where a keyboard on the screen covers the page rather than make it smaller, the page does so itself.
  globalThis.visualViewport?.addEventListener("resize", () => {
    const { height, scale } = visualViewport;
    document.body.style.height = scale === 1 && height < innerHeight ? `${height}px` : "";
  });
  setInterval(feed.refreshTimes, 30_000);
}

/** Escape closes what is open; the arrows walk along the list. */
function byKey(event) {
  if (document.querySelector("dialog[open]") || byId("shell").hidden) return;
  // Escape, while characters are composed, is for what composes them.
  if (event.isComposing || event.keyCode === 229) return;
  if (event.key === "Escape" && byId("shell").dataset.pane === "reading") {
    event.preventDefault();
    close();
  }
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const row = document.activeElement?.closest?.("#rows li");
  if (!step || !row) return;
  const next = step > 0 ? row.nextElementSibling : row.previousElementSibling;
  if (next) {
    event.preventDefault();
    next.querySelector("a").focus();
  }
}

setUp();
if (session.token()) begin();
else {
  enter();
  if (!history.state?.isOut) session.ask();
}
if (!document.hidden) session.isSeen();
