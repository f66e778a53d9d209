// The view of a message, with its actions.

import { Problem } from "/inbox/api.js";
import { ask, avatar, byId, setTitle, focusOn, icon, make, messageOf, showToast } from "/inbox/dom.js";
import * as feed from "/inbox/feed.js";
import { deleteSoon } from "/inbox/selection.js";
import * as session from "/inbox/session.js";
import { addressesIn, exactly, isGone, shown, t, titleOf } from "/inbox/words.js";

const BACK = "M12 4l-6 6 6 6";
const BAR = "M10 3a7 7 0 1 0 .01 0M5.2 5.2l9.6 9.6";
const REPLY = "M8 5L3 10l5 5M3 10h8c4 0 6 2 6 6";
const TRASH = "M4 6h12M8 6V4h4v2M6 6l1 10h6l1-10";
const ENVELOPE = "M3 5h14v10H3zM3 6l7 5 7-5";
/** The number of receivers that are shown initially. */
const MAX_RECEIVERS_SHOWN = 8;

let actions; // reply(message), hasDraft(id), describe(message, place), changed(), gone(row), close()
let generation = 0; // the number of the last view; responses for earlier views are discarded
let open = null; // the open message: { box, id, message }, without `message` until it is loaded

export function setUp(given) {
  actions = given;
}

/** Closes the message. */
export function clear() {
  generation += 1;
  open = null;
  byId("pane").replaceChildren(
    make(
      "div",
      { class: "pane-empty" },
      make("p", { class: "empty-title" }, t.nothingSelected),
      make("p", {}, t.chooseMessage),
    ),
  );
}

/** Shows a message, and marks it as read if it was received. Its text is shown once the service confirms it. */
export async function show(box, id) {
  const mine = (generation += 1);
  const known = feed.find(box, id);
  open = { box, id, message: known };
  if (known) render(box, known);
  else byId("pane").replaceChildren(backBar(), skeleton());
  const message = await check(mine, (problem) => {
    // If the service is unavailable, the loaded copy is shown.
    if (known) fill(known, problem);
  });
  if (message && mine === generation && box === "inbox" && !message.read && !isAmongOthers(message)) {
    await mark(message, true).catch((problem) => report(problem, t.notMarkedRead));
  }
}

/** Checks whether the open message still exists and is unchanged. */
export const recheck = () => (open?.message ? check(generation, () => {}) : null);

/** Follows marks that were made in any tab or by another client. */
export function marked(ids, read) {
  if (open?.message && ids.has(open.id) && open.message.read !== read) recheck();
}

/** Follows deletions that were made in any tab or by another client. */
export function deleted(ids) {
  if (open && ids.has(open.id)) renderProblem(new Problem(404));
}

/** Loads and shows the open message. Returns it, or null if that fails. */
async function check(mine, withoutService) {
  const { box, id } = open;
  const isOvertaken = () => mine !== generation;
  const wait = (problem) => {
    if (!isOvertaken()) withoutService(problem);
  };
  try {
    const message = await session.callAs("GET", session.own(`/messages/${id}`), { wait });
    if (isOvertaken()) return null;
    if (!open.message) render(box, message);
    open.message = message;
    feed.update(message);
    fill(message);
    actions.describe(message, byId("context"));
    return message;
  } catch (problem) {
    if (isOvertaken()) return null;
    if (problem.status === 404) vanish();
    else if (open.message) withoutService(problem);
    else renderProblem(problem, () => show(box, id));
    return null;
  }
}

/** Handles a message that was deleted in the meantime. */
function vanish() {
  feed.remove(new Set([open.id]));
  renderProblem(new Problem(404));
  actions.changed();
}

/** For a sender who is also a receiver, `read` means that all receivers have read the message. */
const isAmongOthers = (message) => message.receivers?.every((one) => one.username !== session.username());

async function mark(message, read) {
  const marked = await feed.change(session.callAs("PATCH", session.own(`/messages/${message.id}`), { body: { read } }));
  feed.update(marked);
  actions.changed();
  if (open?.id !== message.id) return;
  open.message = { ...message, read };
  byId("pane").querySelector("[data-mark]")?.replaceWith(markButton(open.message));
}

/** Shows an error of the open message. `words(why)` says what has failed. */
function report(problem, words = (why) => why) {
  if (problem.status === 404 && open) vanish();
  else showToast(words(messageOf(problem)));
}

const skeleton = () => make("div", { class: "skeleton reading" }, make("span"), make("span"), make("span"));

/** Renders the message without its text. */
function render(box, message) {
  const title = make("h2", { tabindex: "-1", dir: "auto" }, titleOf(message));
  byId("pane").replaceChildren(
    make(
      "article",
      { class: "message" },
      backBar(),
      make(
        "header",
        { class: "message-head" },
        title,
        // After the title, which has the focus, so that the next tab stop is an action.
        make(
          "div",
          { class: "message-line" },
          box === "sent" ? exactTime(message) : sender(message),
          make("div", { class: "message-actions" }, ...buttons(box, message)),
        ),
        box === "sent" && receivers(message),
      ),
      make("p", { class: "hint", id: "unchecked", role: "status" }),
      make("div", { class: "message-text", dir: "auto" }, skeleton()),
      make("div", { class: "context", id: "context" }),
    ),
  );
  byId("pane").scrollTop = byId("shell").scrollTop = 0;
  setTitle({ view: titleOf(message) });
  focusOn(title);
}

/** A text with links to the addresses in it. The other page learns nothing of this one. */
export const linked = (text) =>
  addressesIn(text).map(({ text: part, href }) =>
    href ? make("a", { href, dir: "ltr", target: "_blank", rel: "noopener noreferrer" }, part) : part,
  );

/** Renders the text, and the parts that may have changed. `doubt` is the problem that hides whether they have. */
function fill(message, doubt = null) {
  const pane = byId("pane");
  const text = pane.querySelector(".message-text");
  // Unchanged text is not replaced, so that a selection or a screen reader is not interrupted.
  if (text.textContent !== message.message) text.replaceChildren(...linked(message.message));
  byId("unchecked").replaceChildren(...(doubt ? t.shownAsLoaded(messageOf(doubt)) : []));
  if (doubt) return;
  const button = pane.querySelector("[data-mark]");
  if (button && button.dataset.mark !== String(message.read)) button.replaceWith(markButton(message));
  const list = pane.querySelector(".receivers");
  if (list) list.parentElement.replaceWith(receivers(message));
}

function renderProblem(problem, again) {
  const isMissing = problem.status === 404;
  const title = make("h2", { tabindex: "-1" }, isMissing ? t.isGone : t.messageNotShown);
  const { activeElement } = document;
  const isElsewhere = activeElement !== document.body && !byId("pane").contains(activeElement);
  open = null;
  generation += 1;
  byId("pane").replaceChildren(
    backBar(),
    make(
      "div",
      { class: "pane-empty" },
      title,
      make("p", {}, isMissing ? t.isGoneHint : messageOf(problem)),
      !isMissing && make("button", { type: "button", class: "button", click: again }, t.tryAgain),
    ),
  );
  setTitle({ view: title.textContent });
  if (!isElsewhere) focusOn(title);
}

/** The bar with the button to return to the list, for narrow windows. */
function backBar() {
  return make(
    "div",
    { class: "bar back" },
    make(
      "button",
      { type: "button", class: "button quiet", click: () => actions.close() },
      icon(BACK),
      make("span", {}, t.back),
    ),
  );
}

function buttons(box, message) {
  const remove = make(
    "button",
    { type: "button", class: "button quiet", id: "delete", click: () => discard(box, message) },
    icon(TRASH),
    make("span", {}, t.delete),
  );
  if (box === "sent") return [remove];
  const reply =
    !isGone(message.sender) &&
    make(
      "button",
      { type: "button", class: "button", id: "reply", click: () => actions.reply(message) },
      icon(REPLY),
      make("span", {}, actions.hasDraft(message.id) ? t.continueReply : t.reply),
    );
  const isOther = !isGone(message.sender) && message.sender !== session.username();
  return [reply, markButton(message), isOther && blockButton(message.sender), remove];
}

/** The button to block or unblock a user. */
function blockButton(name) {
  const blocks = () => import("/inbox/blocks.js").catch(() => null);
  const change = async () => {
    const loaded = await blocks();
    if (loaded) loaded.toggle(name, button);
    else showToast(t.notBlockedUnconnected);
  };
  const button = make(
    "button",
    { type: "button", class: "button quiet", id: "block", "data-name": name, click: change },
    icon(BAR),
    make("span", {}, t.block),
  );
  blocks().then((loaded) => loaded?.follow(name, button));
  return button;
}

function markButton(message) {
  return make(
    "button",
    {
      type: "button",
      class: "button quiet",
      "data-mark": String(message.read),
      click: async () => {
        try {
          await mark(message, !message.read);
          showToast(message.read ? t.isMarkedUnread : t.isMarkedRead);
          if (message.read) actions.close();
        } catch (problem) {
          report(problem);
        }
      },
    },
    icon(ENVELOPE),
    make("span", {}, message.read ? t.markUnread : t.markRead),
  );
}

const exactTime = (message) =>
  make("p", { class: "message-time" }, make("time", { datetime: message.created_at }, exactly(message.created_at)));

function sender(message) {
  return make(
    "div",
    { class: "message-who" },
    avatar(message.sender),
    make("div", {}, make("p", { class: "message-name" }, make("bdi", {}, shown(message.sender))), exactTime(message)),
  );
}

function receivers(message) {
  const all = feed.receiversOf(message);
  const item = (one) =>
    make(
      "li",
      { class: one.read ? "has-read" : false },
      avatar(one.username),
      make("bdi", {}, shown(one.username)),
      make("span", { class: "state" }, one.read ? t.hasRead : t.hasNotRead),
    );
  const list = make(
    "ul",
    { class: "receivers", "aria-label": t.receivers },
    ...all.slice(0, MAX_RECEIVERS_SHOWN).map(item),
  );
  const rest = all.slice(MAX_RECEIVERS_SHOWN);
  const more =
    rest.length > 0 &&
    make(
      "button",
      {
        type: "button",
        class: "link",
        click: () => {
          list.append(...rest.map(item));
          more.remove();
        },
      },
      t.showMore(rest.length),
    );
  return make("div", {}, list, more);
}

/** Deletes the message after a confirmation. A sent message is deleted for all receivers. */
async function discard(box, message) {
  const isForAll = box === "sent" || message.sender === session.username();
  const [title, text] = isForAll ? [t.deleteForAll, t.deleteForAllHint] : [t.deleteThis, t.deleteThisHint];
  const choices = [
    ["yes", t.delete, "danger"],
    ["no", t.keepIt],
  ];
  if ((await ask(title, text, choices, 1)) !== "yes") return;
  // The view stops checking the message.
  generation += 1;
  open = null;
  actions.gone(deleteSoon(new Set([message.id]), isForAll));
}
