// One message, with what can be done with it.

import { alarm, byId, entitle, focusOn, icon, make, tell } from "/inbox/dom.js";
import * as feed from "/inbox/feed.js";
import * as session from "/inbox/session.js";
import { exactly, isGone, number, shown } from "/inbox/words.js";

const BACK = "M12 4l-6 6 6 6";
const REPLY = "M8 5L3 10l5 5M3 10h8c4 0 6 2 6 6";
const TRASH = "M4 6h12M8 6V4h4v2M6 6l1 10h6l1-10";
const ENVELOPE = "M3 5h14v10H3zM3 6l7 5 7-5";
/** Names of receivers that are shown at once. */
const MANY = 8;

let actions; // reply(message), unreadChanged(by), gone(row), close()
let endQuestion = () => {}; // answers the question that was asked last with no
let showing = 0; // counts what was shown, so that an answer that was overtaken is thrown away

export function setUp(given) {
  actions = given;
}

/** Nothing is being read. */
export function clear() {
  showing += 1;
  byId("pane").replaceChildren(make("div", { class: "pane-empty" },
    make("p", { class: "empty-title" }, "Nothing selected"),
    make("p", {}, "Choose a message to read it here.")));
}

/** Shows a message, and marks it as read if it was received. */
export async function show(box, id) {
  const mine = (showing += 1);
  const known = feed.find(box, id);
  if (known) render(box, known);
  else byId("pane").replaceChildren(backBar(), make("div", { class: "skeleton reading" }, make("span"), make("span"), make("span")));
  try {
    const message = known ?? await session.callAs("GET", session.own(`/messages/${id}`));
    if (mine !== showing) return;
    if (!known) render(box, message);
    if (box === "inbox" && !message.read && !isAmongOthers(message)) await mark(message, true, mine);
  } catch (problem) {
    if (mine === showing) renderProblem(problem, () => show(box, id));
  }
}

/** A sender who is also a receiver sees whether all have read it, and not themselves alone. */
const isAmongOthers = (message) => message.receivers?.every((one) => one.username !== session.username());

async function mark(message, read, mine = showing) {
  const marked = await session.callAs("PATCH", session.own(`/messages/${message.id}`), { body: { read } });
  if (marked.read !== message.read) actions.unreadChanged(read ? -1 : 1);
  feed.update(marked);
  if (mine === showing) byId("pane").querySelector("[data-mark]")?.replaceWith(markButton({ ...message, read }));
}

function render(box, message) {
  const title = make("h2", { tabindex: "-1", dir: "auto" }, message.subject);
  const text = make("div", { class: "message-text", dir: "auto" }, message.message);
  byId("pane").replaceChildren(
    make("article", { class: "message" },
      backBar(),
      make("header", { class: "message-head" }, title,
        // After the title, which has the focus: the next step leads to what can be done.
        make("div", { class: "message-line" },
          box === "sent" ? exactTime(message) : sender(message),
          make("div", { class: "message-actions" }, ...buttons(box, message))),
        box === "sent" && receivers(message)),
      text));
  byId("pane").scrollTop = 0;
  entitle({ view: message.subject });
  focusOn(title);
}

function renderProblem(problem, again) {
  const isMissing = problem.status === 404;
  const title = make("h2", { tabindex: "-1" }, isMissing ? "This message is gone" : "The message cannot be shown");
  byId("pane").replaceChildren(backBar(), make("div", { class: "pane-empty" }, title,
    make("p", {}, isMissing ? "It was deleted, by its sender perhaps." : problem.message),
    !isMissing && make("button", { type: "button", class: "button", click: again }, "Try again")));
  focusOn(title);
}

/** Where the list is not beside the message. */
function backBar() {
  return make("div", { class: "bar back" },
    make("button", { type: "button", class: "button quiet", click: () => actions.close() }, icon(BACK), make("span", {}, "Back")));
}

function buttons(box, message) {
  const remove = make("button", { type: "button", class: "button quiet", id: "delete", click: () => discard(box, message) }, icon(TRASH), make("span", {}, "Delete"));
  if (box === "sent") return [remove];
  const reply = !isGone(message.sender) &&
    make("button", { type: "button", class: "button", id: "reply", click: () => actions.reply(message) }, icon(REPLY), make("span", {}, "Reply"));
  return [reply, markButton(message), remove];
}

function markButton(message) {
  return make("button", {
    type: "button",
    class: "button quiet",
    "data-mark": true,
    click: async () => {
      try {
        await mark(message, !message.read);
        tell(message.read ? "Marked as unread." : "Marked as read.");
        if (message.read) actions.close();
      } catch (problem) {
        tell(problem.message);
      }
    },
  }, icon(ENVELOPE), make("span", {}, message.read ? "Mark unread" : "Mark read"));
}

const exactTime = (message) => make("p", { class: "message-time" }, make("time", { datetime: message.created_at }, exactly(message.created_at)));

function sender(message) {
  return make("div", { class: "message-who" }, feed.avatar(message.sender),
    make("div", {}, make("p", { class: "message-name" }, make("bdi", {}, shown(message.sender))), exactTime(message)));
}

function receivers(message) {
  const all = feed.receiversOf(message);
  const item = (one) => make("li", { class: one.read ? "has-read" : false },
    feed.avatar(one.username), make("bdi", {}, shown(one.username)),
    make("span", { class: "state" }, one.read ? "read" : "not read yet"));
  const list = make("ul", { class: "receivers", "aria-label": "Receivers" }, ...all.slice(0, MANY).map(item));
  const rest = all.slice(MANY);
  const more = rest.length > 0 && make("button", {
    type: "button",
    class: "link",
    click: () => { list.append(...rest.map(item)); more.remove(); },
  }, `Show ${number(rest.length)} more`);
  return make("div", {}, list, more);
}

/** Asks, then deletes. What was sent goes from everybody. */
async function discard(box, message) {
  const isForAll = box === "sent" || message.sender === session.username();
  const text = isForAll
    ? "It disappears from everybody who received it, too. This cannot be undone."
    : "It disappears from your inbox. The sender keeps it. This cannot be undone.";
  if (!(await isConfirmed(isForAll ? "Delete for everybody?" : "Delete this message?", text))) return;
  try {
    await session.callAs("DELETE", session.own(`/messages/${message.id}`));
    const row = feed.remove(message.id, isForAll);
    tell(isForAll ? "Deleted for everybody." : "Deleted.");
    actions.gone(row);
  } catch (problem) {
    tell(problem.message);
    alarm(problem.message);
  }
}

function isConfirmed(title, text) {
  const dialog = byId("confirm");
  endQuestion();
  byId("confirm-title").textContent = title;
  byId("confirm-text").textContent = text;
  dialog.showModal();
  byId("confirm-no").focus();
  return new Promise((resolve) => {
    const listening = new AbortController();
    const answer = (is) => { listening.abort(); resolve(is); };
    const options = { signal: listening.signal };
    endQuestion = () => answer(false);
    byId("confirm-yes").addEventListener("click", () => answer(true), options);
    // The event comes a moment later, when the same dialog may ask the next question already.
    dialog.addEventListener("close", () => { if (!dialog.open) answer(false); }, options);
  });
}
