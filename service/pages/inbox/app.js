// The inbox: selects the view, and connects the views with each other.

import * as access from "/inbox/access.js";
import * as compose from "/inbox/compose.js";
import { byId, fillIn, refreshTimes, setTitle, focusOn, make, showToast } from "/inbox/dom.js";
import * as feed from "/inbox/feed.js";
import { Listener, showConnection } from "/inbox/listen.js";
import * as reading from "/inbox/reading.js";
import * as search from "/inbox/search.js";
import * as selection from "/inbox/selection.js";
import * as session from "/inbox/session.js";
import { publish, store, stored, subscribe } from "/inbox/tab.js";
import { shown, t, titleOf } from "/inbox/words.js";

/** The service counts unread messages up to this number. */
const MAX_UNREAD = 1000;
/** Debounce interval of reloads in ms. */
const SYNC_DELAY = 50;
/** Debounce interval of counting unread messages after new ones, in ms. */
const COUNT_DELAY = 500;

const UNREAD_ONLY = "herolo.unread-only";

let unread = 0;
let lastBox = "inbox";
let lastList = null; // the box whose list was shown, so that its title gets the focus when it changes
let here = ""; // the fragment of the view that is shown
let isLeaving = false; // whether the browser is on its way back
let nextFocus = null; // the row that gets the focus when the list is shown again
const seenIds = new Set(); // the ids of the messages that arrived; the list may have one before its event comes
let refreshConversation = () => {}; // of its module, once it was loaded
let countTimer;
let syncTimer;

const listener = new Listener({
  // A new stream does not tell what happened before it.
  hello: () => sync(),
  message: (message) => {
    if (seenIds.has(message.id)) return;
    seenIds.add(message.id);
    if (feed.arrive(message)) setUnread(unread + 1);
    // A count in progress may include the message already, so the service counts again.
    followCount();
    if (document.hidden) return notify(message);
    refreshConversation();
    return showToast(t.newMessageBy(shown(message.sender), titleOf(message)), {
      name: t.readIt,
      run: () => {
        location.hash = `#/inbox/${message.id}`;
      },
    });
  },
  marked: (ids, read) => {
    feed.marked(ids, read);
    if (!document.hidden) reading.marked(ids, read);
    followCount();
  },
  deleted: (ids) => {
    feed.deleted(ids);
    reading.deleted(ids);
    if (!document.hidden) refreshConversation();
    followCount();
  },
  state: showConnection,
});

function countSoon() {
  clearTimeout(countTimer);
  countTimer = setTimeout(countUnread, COUNT_DELAY);
}

/** Counts unread messages after a change; of hidden tabs the one with the stream does so, and tells the others. */
function followCount() {
  if (!document.hidden || listener.hasStream) countSoon();
}

/** Notifies of a message, if the user has chosen that. Of several hidden tabs, the one that has the stream does. */
async function notify(message) {
  if (session.hasNotices() && listener.hasStream)
    (await import("/inbox/notices.js").catch(() => null))?.notify(message);
}

/** Reloads the data that are shown; a hidden tab does so when it is shown again. Calls in quick succession are one. */
function sync() {
  clearTimeout(syncTimer);
  syncTimer = setTimeout(() => {
    if (document.hidden || !session.token()) return;
    countUnread();
    feed.refresh(true);
    reading.recheck();
    refreshConversation();
  }, SYNC_DELAY);
}

/** Updates this and the other tabs of the user after a change. */
function changed() {
  countUnread();
  publish("changed", session.username());
}

async function countUnread() {
  if (!session.token()) return;
  try {
    setUnread((await session.callAs("GET", session.own())).unread);
    publish("unread", { of: session.username(), unread });
  } catch {
    // The list shows the error.
  }
}

/** The icon of a hidden tab tells that there are unread messages. */
function showIcon() {
  const path = document.hidden && unread > 0 ? "/inbox/icon-unread.svg" : "/inbox/icon.svg";
  const link = document.querySelector('link[rel="icon"]');
  if (link.getAttribute("href") !== path) link.setAttribute("href", path);
}

function setUnread(count) {
  unread = Math.max(0, count);
  const badge = byId("unread-badge");
  const text = unread >= MAX_UNREAD ? `${MAX_UNREAD}+` : String(unread);
  badge.hidden = unread === 0;
  badge.setAttribute("aria-label", t.unreadCount(text));
  badge.setAttribute("role", "img");
  badge.textContent = text;
  byId("read-all").hidden = unread === 0;
  showIcon();
  setTitle({ unread });
  // On the icon of an installed page.
  navigator.setAppBadge?.(unread).catch(() => {});
}

/** The views beside the boxes. */
const ASIDE = ["write", "account", "conversation"];

/** `#/inbox`, `#/inbox/12`, `#/sent`, `#/sent/12`, `#/account`, `#/write` or `#/write/12`, a reply to a message, or
 * `#/conversation/12`, the one with a message. */
function place() {
  const [name, text] = location.hash.replace(/^#\//, "").split("/");
  const id = /^\d+$/.test(text ?? "") ? Number(text) : null;
  const isKnown = ["sent", ...ASIDE].includes(name) && (id !== null || name !== "conversation");
  return { name: isKnown ? name : "inbox", id };
}

function route() {
  // A history entry contains the fragment of the previous one, so that closing a view can go back to it.
  if (!history.state) history.replaceState({ before: here }, "");
  here = location.hash;
  isLeaving = false;
  if (mailed()) return showMailed(mailed());
  byId("recovery").hidden = true;
  if (!session.token()) return enter();
  if (byId("shell").hidden) return begin();
  if (invitation()) return replace("#/inbox");
  const { name, id } = place();
  const isAside = ASIDE.includes(name);
  if (!isAside && id && feed.isRemoved(id)) return replace(`#/${name}`);
  byId("shell").dataset.pane = isAside || id ? "reading" : "list";
  if (isAside) {
    reading.clear();
    feed.select(name === "write" ? id : null);
    if (name === "write") compose.show(id);
    else if (name === "account") showAccount();
    else showConversation(id);
  } else showBox(name, id);
  showDrafts();
}

/** Loads the module of a view. `show(module)` is called unless the user has gone elsewhere in the meantime. */
async function load(module, show) {
  const hash = location.hash;
  byId("pane").replaceChildren(make("div", { class: "skeleton reading" }, make("span"), make("span")));
  const view = await import(`/inbox/${module}.js`).catch(() => null);
  if (location.hash !== hash || !session.token()) return;
  if (view) show(view);
  else showToast(t.notShown);
}

function showAccount() {
  const stream = { pause: () => listener.stop(), resume: () => listener.start() };
  const actions = {
    close,
    signOut,
    keys: () => withKeys((keys) => keys.showOverview()),
    leave: () => leave(),
    ...stream,
  };
  load("account", (account) => account.show(actions));
}

function reply(message) {
  location.hash = `#/write/${message.id}`;
}

function showConversation(id) {
  load("conversation", (conversation) => {
    refreshConversation = conversation.refresh;
    conversation.show(id, { close, reply, changed });
  });
}

/** Shows below a message what it answers. */
async function describe(message, place) {
  const conversation = await import("/inbox/conversation.js").catch(() => null);
  conversation?.describe(message, place);
}

/** Replaces the current history entry. */
function replace(hash) {
  history.replaceState({ before: history.state?.before }, "", hash);
  route();
}

/** Shows the links to the drafts. */
function showDrafts() {
  const drafts = compose.list();
  byId("drafts").hidden = drafts.length === 0;
  byId("drafts").replaceChildren(
    ...drafts.map(([hash, words]) =>
      make("li", {}, make("a", { href: hash }, make("b", {}, t.draft), " ", make("span", { dir: "auto" }, words))),
    ),
  );
}

/** The box to show: what a search has found, or the inbox, which may be restricted to unread messages. */
const boxOf = (name) =>
  search.isActive() ? "found" : name === "inbox" && byId("unread-only").checked ? "unread" : name;

function showBox(name, id) {
  lastBox = name;
  for (const box of ["inbox", "sent"]) {
    if (box === name) byId(`tab-${box}`).setAttribute("aria-current", "page");
    else byId(`tab-${box}`).removeAttribute("aria-current");
  }
  byId("list-title").textContent = name === "sent" ? t.sent : t.inbox;
  byId("unread-switch").hidden = name === "sent";
  byId("shell").dataset.box = name;
  const changed = lastList !== name;
  if (changed) {
    selection.turn(false);
    search.reset();
  }
  lastList = name;
  if (changed || !id) feed.show(boxOf(name));
  const before = byId("rows").querySelector("[aria-current]");
  feed.select(id);
  if (id) {
    reading.show(name, id);
    return;
  }
  reading.clear();
  setTitle({ view: name === "sent" ? t.sent : t.inbox });
  // After a message is closed, the focus returns to its row.
  const row = nextFocus ?? (changed ? null : before);
  nextFocus = null;
  focusOn(row?.isConnected ? row : byId("list-title"));
  if (row?.isConnected) row.scrollIntoView({ block: "nearest" });
}

/** Returns to the list, or from the form to the view in which it was opened. */
function close() {
  if (isLeaving) return;
  const before = history.state?.before;
  const { name } = place();
  const isBelow = ASIDE.includes(name)
    ? before && !before.startsWith(`#/${name}`)
    : before === `#/${lastBox}` || before?.startsWith("#/conversation/");
  if (isBelow) {
    isLeaving = true;
    history.back();
  } else {
    replace(`#/${lastBox}`);
  }
}

/** The code in `#/invitation/CODE`, or nothing. */
const invitation = () => /^#\/invitation\/([0-9A-Za-z]+)$/.exec(location.hash)?.[1] ?? "";

/** The view and the code ("" without one) in `#/forgotten/CODE`, `#/verify/CODE` or `#/stop/CODE`, the addresses in
 * mails. Or null. */
function mailed() {
  const found = /^#\/(forgotten|verify|stop)(?:\/([0-9A-Za-z]*))?$/.exec(location.hash);
  return found && { view: found[1], code: found[2] ?? "" };
}

/** Loads and shows a view that takes the code of a mail. Users who are signed in may have followed its link. */
async function showMailed({ view, code }) {
  const { hash } = location;
  listener.stop();
  byId("shell").hidden = true;
  access.hide();
  byId("recovery").hidden = false;
  const recovery = await import("/inbox/recovery.js").catch(() => null);
  if (location.hash !== hash) return;
  if (recovery) recovery.show(view, code, { done: begin });
  else showNotLoaded();
}

/** Instead of a view whose file could not be loaded. */
function showNotLoaded() {
  const again = make("button", { type: "button", class: "button", click: () => location.reload() }, t.tryAgain);
  const text = make("p", { role: "alert" }, t.notShown);
  byId("recovery").replaceChildren(make("div", { class: "access-card" }, text, make("p", { class: "buttons" }, again)));
}

function enter() {
  byId("shell").hidden = true;
  access.open(invitation());
}

/** Loads the keyboard shortcuts, which need an inbox, and does something with them. */
async function withKeys(act) {
  const keys = await import("/inbox/keys.js").catch(() => null);
  if (keys) act(keys);
}

/** Shows the inbox after a sign-in. */
function begin() {
  access.hide();
  byId("recovery").hidden = true;
  byId("shell").hidden = false;
  byId("me").textContent = session.username();
  byId("me").parentElement.setAttribute("aria-label", t.accountOf(session.username()));
  byId("unread-only").checked = Boolean(stored(UNREAD_ONLY));
  withKeys((keys) => keys.setUp(close));
  listener.start();
  if (!location.hash || invitation() || mailed()) history.replaceState({}, "", "#/inbox");
  route();
}

/** Asks for the scope of signing out, and whether drafts may be deleted. */
async function signOut() {
  const isLeaving = await access.confirmLeaving({
    hasDrafts: compose.hasDrafts(),
    deletions: selection.describeDeletions(),
    finish: selection.finishDeletions,
    revoke: async () => {
      // A stream that ends on the revocation would ask for the password.
      listener.stop();
      await session.revoke().catch((problem) => {
        listener.start();
        throw problem;
      });
    },
  });
  if (isLeaving) leave();
}

/** Removes the user's messages from the page, except a draft that is open. */
function empty() {
  listener.stop();
  selection.reset();
  search.reset();
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
  byId("toasts").replaceChildren(); // they have texts of messages
  // A reload does not ask other tabs for their session.
  history.replaceState({ isOut: true }, "", "#/inbox");
  here = "";
  showDrafts();
  enter();
}

/** Handles a sign-out in another tab. An open draft is kept until the user signs in again or signs out in this tab. */
function signedOutElsewhere() {
  if (!compose.hasDrafts()) return leave(true);
  session.suspend();
  empty();
  if (place().name !== "write") {
    reading.clear();
    history.replaceState(history.state, "", "#/inbox");
    byId("shell").dataset.pane = "list";
  }
  showConnection("off");
  return session.renew("").catch(() => {});
}

/** Reloads the data after the session was renewed. */
function resume() {
  if (byId("shell").hidden) {
    begin();
    return;
  }
  listener.start();
  feed.show(boxOf(lastBox));
  sync();
}

function onFocus() {
  if (byId("shell").hidden) return;
  session.isSeen();
  listener.look(true);
  sync();
}

function setUp() {
  access.setUp(begin, resume);
  session.share(
    () => !history.state?.isOut && access.isUntouched() && !mailed(),
    (isRenewed) => (isRenewed ? access.renewed() : begin()),
    signedOutElsewhere,
  );
  selection.setUp(changed, () => {
    const { name, id } = place();
    if (!ASIDE.includes(name) && id && feed.isRemoved(id)) close();
  });
  search.setUp(() => feed.show(boxOf(lastBox)));
  reading.setUp({
    reply,
    hasDraft: compose.hasDraft,
    describe,
    changed,
    gone: (row) => {
      nextFocus = row;
      close();
    },
    close,
  });
  compose.setUp({
    changed: showDrafts,
    close,
    open: (hash) => {
      location.hash = hash;
    },
    sent: (isShown) => {
      feed.sent();
      changed();
      if (isShown) close();
    },
  });
  subscribe("changed", (name) => {
    if (name === session.username()) sync();
  });
  subscribe("unread", (count) => {
    if (count.of === session.username()) setUnread(count.unread);
  });
  byId("older").addEventListener("click", feed.older);
  byId("unread-only").addEventListener("change", (event) => {
    store(UNREAD_ONLY, event.target.checked);
    feed.show(boxOf("inbox"));
  });
  byId("sign-out").addEventListener("click", signOut);
  byId("skip").addEventListener("click", () => focusOn(byId("rows").querySelector("a") ?? byId("list-title")));
  // A click on the current box reloads it, and ends a search in it.
  document.querySelector(".boxes").addEventListener("click", () => {
    search.end();
    sync();
  });
  setUpWindow();
}

function setUpWindow() {
  addEventListener("hashchange", route);
  for (const event of ["online", "offline"]) addEventListener(event, () => listener.probe());
  addEventListener("focus", onFocus);
  addEventListener("pageshow", (event) => {
    if (event.persisted) onFocus();
  });
  document.addEventListener("visibilitychange", () => (document.hidden ? listener.look(false) : onFocus()));
  document.addEventListener("visibilitychange", showIcon);
  // Some browsers cover the page with an on-screen keyboard instead of resizing it, so the page resizes itself.
  globalThis.visualViewport?.addEventListener("resize", () => {
    const { height, scale } = visualViewport;
    document.body.style.height = scale === 1 && height < innerHeight ? `${height}px` : "";
  });
  setInterval(refreshTimes, 30_000);
}

fillIn();
setUp();
if (mailed()) route();
else if (session.token()) begin();
else {
  enter();
  if (!history.state?.isOut) session.ask();
}
if (!document.hidden) session.isSeen();
