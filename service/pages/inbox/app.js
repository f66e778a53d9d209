// The inbox: which view is shown, and what the views tell each other.

import * as access from "/inbox/access.js";
import * as compose from "/inbox/compose.js";
import { alarm, byId, entitle, focusOn, tell } from "/inbox/dom.js";
import * as feed from "/inbox/feed.js";
import { Listener } from "/inbox/listen.js";
import * as reading from "/inbox/reading.js";
import * as session from "/inbox/session.js";
import { shown } from "/inbox/words.js";

/** The service stops counting there. */
const COUNTED = 1000;
/** Until a lost connection is spoken of, in ms; most come back before. */
const PATIENCE = 4000;
/** After the last message of several, in ms. */
const SETTLED = 500;

let unread = 0;
let lastBox = "inbox";
let lastList = null; // the box whose list was shown, so that its title gets the focus when it changes
let lineTimer;
let countTimer;

const listener = new Listener({
  hello: (isFirst) => {
    countUnread();
    // What arrived before the stream began may be missing in a list that was loaded before.
    if (isFirst && lastBox === "inbox") feed.refresh();
  },
  message: (message) => {
    if (!feed.arrive(message)) return;
    setUnread(unread + 1);
    // A count that is under way may have it already, so the last word is the service's.
    clearTimeout(countTimer);
    countTimer = setTimeout(countUnread, SETTLED);
    tell(`New message from ${shown(message.sender)}: ${message.subject}`, { name: "Read", run: () => { location.hash = `#/inbox/${message.id}`; } });
  },
  state: showLine,
});

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
      set("Reconnecting…");
      if (line.dataset.told) return;
      line.dataset.told = "yes";
      alarm("The connection is lost. Reconnecting.");
    }, PATIENCE);
  }
}

async function countUnread() {
  if (!session.token()) return;
  try {
    setUnread((await session.callAs("GET", session.own())).unread);
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

/** `#/inbox`, `#/inbox/12`, `#/sent`, `#/sent/12` or `#/write`. */
function place() {
  const [name, id] = location.hash.replace(/^#\//, "").split("/");
  if (name === "write") return { name };
  return { name: name === "sent" ? "sent" : "inbox", id: /^\d+$/.test(id ?? "") ? Number(id) : null };
}

function route() {
  if (!session.token()) return enter();
  const { name, id } = place();
  const shell = byId("shell");
  shell.dataset.pane = name === "write" || id ? "reading" : "list";
  if (name === "write") compose.show();
  else showBox(name, id);
}

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
  feed.show(name === "inbox" && byId("unread-only").checked ? "unread" : name);
  const before = byId("rows").querySelector("[aria-current]");
  feed.select(id);
  if (id) {
    reading.show(name, id);
    return;
  }
  reading.clear();
  entitle({ view: name === "sent" ? "Sent" : "Inbox" });
  // Who comes back from a message goes on where they were.
  focusOn(!changed && before?.isConnected ? before : byId("list-title"));
}

/** Back to the list. */
const close = () => { location.hash = `#/${lastBox}`; };

function enter() {
  byId("shell").hidden = true;
  access.show(false);
}

/** Somebody is signed in. */
function begin() {
  access.hide();
  byId("shell").hidden = false;
  byId("me").textContent = session.username();
  listener.start();
  if (!location.hash) history.replaceState(null, "", "#/inbox");
  route();
}

function signOut() {
  listener.stop();
  session.signOut();
  feed.reset();
  reading.clear();
  setUnread(0);
  lastList = null;
  byId("unread-only").checked = false;
  history.replaceState(null, "", "#/inbox");
  enter();
}

function setUp() {
  access.setUp(begin, () => listener.start());
  reading.setUp({
    reply: (message) => { compose.reply(message); location.hash = "#/write"; },
    unreadChanged: (by) => setUnread(unread + by),
    gone: (row) => { close(); setTimeout(() => focusOn(row ?? byId("list-title"))); },
    close,
  });
  compose.setUp({ close, sent: (isShown) => { feed.sent(); if (isShown) close(); } });
  byId("older").addEventListener("click", feed.older);
  byId("unread-only").addEventListener("change", () => feed.show(byId("unread-only").checked ? "unread" : "inbox"));
  byId("sign-out").addEventListener("click", signOut);
  byId("skip").addEventListener("click", () => focusOn(byId("rows").querySelector("a") ?? byId("list-title")));
  addEventListener("hashchange", route);
  addEventListener("keydown", byKey);
  addEventListener("online", () => listener.hurry());
  document.addEventListener("visibilitychange", () => { if (!document.hidden) listener.hurry(); });
  setInterval(feed.refreshTimes, 30_000);
}

/** Escape closes what is open; the arrows walk along the list. */
function byKey(event) {
  if (document.querySelector("dialog[open]") || byId("shell").hidden) return;
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
else enter();
