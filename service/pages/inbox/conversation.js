// Conversations: what a message answers, and the view of all messages that belong together.

import { avatar, byId, focusOn, icon, make, messageOf, setTitle, showToast } from "/inbox/dom.js";
import * as feed from "/inbox/feed.js";
import { linked } from "/inbox/reading.js";
import * as session from "/inbox/session.js";
import { beginning, exactly, isGone, nameList, t, titleOf } from "/inbox/words.js";

const REPLY = "M8 5L3 10l5 5M3 10h8c4 0 6 2 6 6";
const PER_PAGE = 20;
/** The maximum page size of the service. */
const LARGEST_PAGE = 100;

let shown = null; // the conversation in the view: { id, messages (newest first), next, fresh (ids of unread ones) }
let actions; // close(), reply(message), changed()

const pathOf = (id, count = PER_PAGE) => session.own(`/messages?conversation=${id}&per_page=${count}`);
const hashOf = (id) => `#/conversation/${id}`;
const isOwn = (message) => message.sender === session.username();
const isKept = (message) => !feed.isRemoved(message.id);
const linkTo = (message) => `#/${isOwn(message) ? "sent" : "inbox"}/${message.id}`;
/** The receivers of an own message, or the sender of another one. */
const peerOf = (message) =>
  nameList(isOwn(message) ? feed.receiversOf(message).map((one) => one.username) : [message.sender]);

/** Shows in `place` what the message answers, and a link to its conversation. Without an answer, it stays as it is. */
export async function describe(message, place) {
  try {
    const page = await session.callAs("GET", pathOf(message.id));
    const others = page.messages.filter((one) => one.id !== message.id && isKept(one));
    const original = message.in_reply_to && (await originalOf(message, others));
    const face = JSON.stringify([others.map((one) => one.id), original, page.next]);
    // Unchanged content keeps the focus.
    if (!place.isConnected || place.dataset.face === face) return;
    place.dataset.face = face;
    const words = page.next ? t.showConversationOfMore(others.length) : t.showConversation(others.length + 1);
    const link = { class: "link", id: "conversation-link", href: hashOf(message.id) };
    place.replaceChildren(
      message.in_reply_to ? quote(original) : "",
      others.length > 0 || page.next ? make("a", link, words) : "",
    );
  } catch {
    // The message can be read without it.
  }
}

/** The message that is answered, or null if it was deleted. */
async function originalOf({ in_reply_to: id }, known) {
  if (feed.isRemoved(id)) return null;
  try {
    return known.find((one) => one.id === id) ?? (await session.callAs("GET", session.own(`/messages/${id}`)));
  } catch (problem) {
    if (problem.status === 404) return null;
    throw problem;
  }
}

function quote(original) {
  if (!original) return make("p", { class: "hint" }, t.originalIsGone);
  return make(
    "a",
    { class: "quote", href: linkTo(original), id: "original" },
    make(
      "span",
      { class: "hint" },
      ...(isOwn(original) ? t.inReplyToYours : t.inReplyTo)(make("bdi", {}, peerOf(original))),
    ),
    make("b", { dir: "auto" }, titleOf(original)),
    make("span", { dir: "auto" }, beginning(original.message)),
  );
}

/** Shows the conversation with the message of this id, newest first. */
export async function show(id, given) {
  actions = given;
  shown = { id, messages: [], next: null, fresh: new Set() };
  await load(pathOf(id), () => []);
  if (isHere()) focusOn(byId("conversation-title"));
}

const isHere = (conversation = shown) => shown === conversation && shown && location.hash === hashOf(shown.id);

/** Loads the newest messages of the conversation that is shown, if there is one. */
export function refresh() {
  if (!isHere() || !byId("conversation")) return;
  const count = Math.min(Math.max(shown.messages.length, PER_PAGE), LARGEST_PAGE);
  load(pathOf(shown.id, count), () => [], true);
}

/** Loads a page and shows it behind the messages of `before()`. If `isQuiet`, a failure changes nothing. */
async function load(path, before, isQuiet = false) {
  const mine = shown;
  try {
    const page = await session.callAs("GET", path);
    if (!isHere(mine)) return;
    const known = before();
    const isNew = (message) => isKept(message) && known.every((one) => one.id !== message.id);
    mine.messages = [...known, ...page.messages.filter(isNew)];
    mine.next = page.next;
    const unread = page.messages.filter((one) => !isOwn(one) && !one.read).map((one) => one.id);
    for (const one of unread) mine.fresh.add(one);
    render();
    if (unread.length > 0) await markAsRead(unread).catch((problem) => showToast(t.notMarkedRead(messageOf(problem))));
  } catch (problem) {
    if (isHere(mine) && !isQuiet) renderProblem(problem, () => load(path, before));
  }
}

/** Marks messages as read, because the view shows their texts. */
async function markAsRead(ids) {
  await feed.change(session.callAs("PATCH", session.own("/messages"), { body: { read: true, ids } }));
  feed.mark((id) => ids.includes(id), true);
  actions.changed();
}

function render() {
  const { messages: all, next, fresh } = shown;
  const face = JSON.stringify([all.map((one) => one.id), next]);
  if (byId("conversation")?.dataset.face === face) return;
  const focused = byId("pane").contains(document.activeElement) ? document.activeElement.id : null;
  const last = all.find((one) => !isOwn(one) && !isGone(one.sender));
  const reply = () => actions.reply(last);
  const list = make("ol", { class: "letters" }, ...all.map((one) => letter(one, fresh.has(one.id))));
  const older = () => load(next, () => shown.messages);
  fill(
    all.length > 0 ? t.conversationAbout(titleOf(all.at(-1))) : t.conversation,
    face,
    last && make("button", { type: "button", class: "button", id: "reply", click: reply }, icon(REPLY), t.reply),
    all.length === 0 && !next && make("p", {}, t.conversationIsGone),
    list,
    next && make("button", { type: "button", class: "button", id: "earlier", click: older }, t.showEarlier),
  );
  if (focused !== null) focusOn((focused && byId(focused)) || byId("conversation-title"));
}

/** A message of the view. */
function letter(message, isFresh) {
  const name = peerOf(message);
  const title = (isOwn(message) ? t.openMessageTo : t.openMessageBy)(name, exactly(message.created_at));
  const open = { class: "link", id: `letter-${message.id}`, href: linkTo(message) };
  const time = make("time", { datetime: message.created_at }, exactly(message.created_at));
  return make(
    "li",
    {},
    make(
      "div",
      { class: "message-who" },
      avatar(message.sender),
      make(
        "div",
        {},
        make(
          "p",
          { class: "message-name" },
          ...(isOwn(message) ? t.youTo(make("bdi", {}, name)) : [make("bdi", {}, name)]),
          isFresh && make("span", { class: "new" }, t.new),
        ),
        make("p", { class: "message-time" }, time),
      ),
      make("a", { ...open, "aria-label": title }, t.open),
    ),
    make("div", { class: "message-text", dir: "auto" }, ...linked(message.message)),
  );
}

function renderProblem(problem, again) {
  fill(
    t.conversationNotShown,
    "",
    make("p", {}, messageOf(problem)),
    make("button", { type: "button", class: "button", click: again }, t.tryAgain),
  );
  focusOn(byId("conversation-title"));
}

function fill(text, face, ...content) {
  const title = make("h2", { tabindex: "-1", id: "conversation-title", dir: "auto" }, text);
  const close = make("button", { type: "button", class: "button quiet", id: "conversation-close" }, t.close);
  close.addEventListener("click", () => actions.close());
  byId("pane").replaceChildren(
    make(
      "article",
      { class: "conversation", id: "conversation", "data-face": face, "aria-labelledby": "conversation-title" },
      make("div", { class: "bar" }, title, close),
      ...content,
    ),
  );
  setTitle({ view: text });
}
