// One message, with what can be done with it.

import { Problem } from "/inbox/api.js";
import { ask, byId, entitle, focusOn, icon, make, tell } from "/inbox/dom.js";
import * as feed from "/inbox/feed.js";
import * as session from "/inbox/session.js";
import { exactly, isGone, number, shown, titleOf } from "/inbox/words.js";

const BACK = "M12 4l-6 6 6 6";
const REPLY = "M8 5L3 10l5 5M3 10h8c4 0 6 2 6 6";
const TRASH = "M4 6h12M8 6V4h4v2M6 6l1 10h6l1-10";
const ENVELOPE = "M3 5h14v10H3zM3 6l7 5 7-5";
/** Names of receivers that are shown at once. */
const MANY = 8;

let actions; // reply(message), hasDraft(id), changed(), gone(row), close()
let showing = 0; // counts what was shown, so that an answer that was overtaken is thrown away
let open = null; // what is being read: { box, id, message }, without a message until there is one

export function setUp(given) {
  actions = given;
}

/** Nothing is being read. */
export function clear() {
  showing += 1;
  open = null;
  byId("pane").replaceChildren(make("div", { class: "pane-empty" },
    make("p", { class: "empty-title" }, "Nothing selected"),
    make("p", {}, "Choose a message to read it here.")));
}

/** Shows a message, and marks it as read if it was received. Its text waits until the service says that it is there. */
export async function show(box, id) {
  const mine = (showing += 1);
  const known = feed.find(box, id);
  open = { box, id, message: known };
  if (known) render(box, known);
  else byId("pane").replaceChildren(backBar(), skeleton());
  const message = await check(mine, (problem) => {
    // Without the service, what was loaded is better than nothing.
    if (known) fill(known, problem.message);
  });
  if (message && mine === showing && box === "inbox" && !message.read && !isAmongOthers(message)) {
    await mark(message, true).catch((problem) => report(problem, "Not marked as read: "));
  }
}

/** Looks whether what is being read is still there, and still the same. */
export const recheck = () => (open?.message ? check(showing, () => {}) : null);

/** Asks for what is being read and shows the answer. Returns the message, if there is one. */
async function check(mine, withoutService) {
  const { box, id } = open;
  const isOvertaken = () => mine !== showing;
  const wait = (problem) => { if (!isOvertaken()) withoutService(problem); };
  try {
    const message = await session.callAs("GET", session.own(`/messages/${id}`), { wait });
    if (isOvertaken()) return null;
    if (!open.message) render(box, message);
    open.message = message;
    feed.update(message);
    fill(message);
    return message;
  } catch (problem) {
    if (isOvertaken()) return null;
    if (problem.status === 404) vanish();
    else if (open.message) withoutService(problem);
    else renderProblem(problem, () => show(box, id));
    return null;
  }
}

/** The message was deleted meanwhile. */
function vanish() {
  feed.remove(open.id, true);
  renderProblem(new Problem(404));
  actions.changed();
}

/** A sender who is also a receiver sees whether all have read it, and not themselves alone. */
const isAmongOthers = (message) => message.receivers?.every((one) => one.username !== session.username());

async function mark(message, read) {
  const marked = await feed.change(session.callAs("PATCH", session.own(`/messages/${message.id}`), { body: { read } }));
  feed.update(marked);
  actions.changed();
  if (open?.id !== message.id) return;
  open.message = { ...message, read };
  byId("pane").querySelector("[data-mark]")?.replaceWith(markButton(open.message));
}

/** Says what went wrong with the message that is being read. */
function report(problem, prefix = "") {
  if (problem.status === 404 && open) vanish();
  else tell(prefix + problem.message);
}

const skeleton = () => make("div", { class: "skeleton reading" }, make("span"), make("span"), make("span"));

/** Everything but the text. */
function render(box, message) {
  const title = make("h2", { tabindex: "-1", dir: "auto" }, titleOf(message));
  byId("pane").replaceChildren(
    make("article", { class: "message" },
      backBar(),
      make("header", { class: "message-head" }, title,
        // After the title, which has the focus: the next step leads to what can be done.
        make("div", { class: "message-line" },
          box === "sent" ? exactTime(message) : sender(message),
          make("div", { class: "message-actions" }, ...buttons(box, message))),
        box === "sent" && receivers(message)),
      make("p", { class: "hint", id: "unchecked", role: "status" }),
      make("div", { class: "message-text", dir: "auto" }, skeleton())));
  byId("pane").scrollTop = byId("shell").scrollTop = 0;
  entitle({ view: titleOf(message) });
  focusOn(title);
}

/** The text, and what may have changed since it was rendered. */
function fill(message, doubt = "") {
  const pane = byId("pane");
  const text = pane.querySelector(".message-text");
  // What is selected or read out stays as it is.
  if (text.textContent !== message.message) text.replaceChildren(message.message);
  byId("unchecked").textContent = doubt && `Shown as it was loaded. ${doubt}`;
  if (doubt) return;
  const button = pane.querySelector("[data-mark]");
  if (button && button.dataset.mark !== String(message.read)) button.replaceWith(markButton(message));
  const list = pane.querySelector(".receivers");
  if (list) list.parentElement.replaceWith(receivers(message));
}

function renderProblem(problem, again) {
  const isMissing = problem.status === 404;
  const title = make("h2", { tabindex: "-1" }, isMissing ? "This message is gone" : "The message cannot be shown");
  const { activeElement } = document;
  const isElsewhere = activeElement !== document.body && !byId("pane").contains(activeElement);
  open = null;
  showing += 1;
  byId("pane").replaceChildren(backBar(), make("div", { class: "pane-empty" }, title,
    make("p", {}, isMissing ? "It was deleted, by its sender perhaps." : problem.message),
    !isMissing && make("button", { type: "button", class: "button", click: again }, "Try again")));
  entitle({ view: title.textContent });
  if (!isElsewhere) focusOn(title);
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
    make("button", { type: "button", class: "button", id: "reply", click: () => actions.reply(message) }, icon(REPLY),
      make("span", {}, actions.hasDraft(message.id) ? "Continue reply" : "Reply"));
  return [reply, markButton(message), remove];
}

function markButton(message) {
  return make("button", {
    type: "button",
    class: "button quiet",
    "data-mark": String(message.read),
    click: async () => {
      try {
        await mark(message, !message.read);
        tell(message.read ? "Marked as unread." : "Marked as read.");
        if (message.read) actions.close();
      } catch (problem) {
        report(problem);
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
  const title = isForAll ? "Delete for everybody?" : "Delete this message?";
  if ((await ask(title, text, [["yes", "Delete", "danger"], ["no", "Keep it"]], 1)) !== "yes") return;
  // It is not looked for any more.
  const before = open;
  const mine = (showing += 1);
  open = null;
  try {
    await feed.change(session.callAs("DELETE", session.own(`/messages/${message.id}`)));
  } catch (problem) {
    // Deleted by its sender, or in another tab: that is what was asked for.
    if (problem.status !== 404) {
      if (mine === showing) open = before;
      tell(problem.message);
      return;
    }
  }
  const row = feed.remove(message.id, isForAll);
  tell(isForAll ? "Deleted for everybody." : "Deleted.");
  actions.changed();
  actions.gone(row);
}
