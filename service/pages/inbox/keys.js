// Keyboard: moving through the list, shortcuts, and their overview.

import { byId, make } from "/inbox/dom.js";
import * as search from "/inbox/search.js";
import * as selection from "/inbox/selection.js";
import { store, stored } from "/inbox/tab.js";
import { eitherOf, t } from "/inbox/words.js";

/** Single keys are commands of some assistive technologies, too, so they can be switched off (WCAG 2.1.4). */
const OFF = "herolo.shortcuts-off";

let close; // closes the open message or form

const click = (selector) => document.querySelector(selector)?.click();
const go = (hash) => () => {
  location.hash = hash;
};

/** The shortcuts: [keys, description, action]. Those of a message do nothing if none is open. */
const SHORTCUTS = [
  [["j"], t.nextMessage, () => move(1)],
  [["k"], t.previousMessage, () => move(-1)],
  [["c"], t.writeMessage, go("#/write")],
  [["r"], t.reply, () => click("#reply")],
  [["v"], t.showItsConversation, () => click("#conversation-link")],
  [["u"], t.toggleRead, () => click("[data-mark]")],
  [["#", "Delete"], t.deleteOpenOrSelected, discard],
  [["z"], t.undoDeletion, selection.undo],
  [["x"], t.selectMessage, pick],
  [["/"], t.search, search.open],
  [["i"], t.inbox, go("#/inbox")],
  [["s"], t.sent, go("#/sent")],
  [["?"], t.overview, showOverview],
];
/** Keys that always work, with their descriptions. */
const FIXED = [
  [t.keys.arrows, t.moveThroughList],
  [t.keys.escape, t.closeOrLeave],
  [t.keys.send, t.send],
];

export function setUp(onClose) {
  close = onClose;
  addEventListener("keydown", onKeyDown);
}

function onKeyDown(event) {
  if (document.querySelector("dialog[open]") || byId("shell").hidden) return;
  // While characters are composed, keys belong to the input method.
  if (event.isComposing || event.keyCode === 229) return;
  const action = actionOf(event);
  if (!action) return;
  event.preventDefault();
  action();
}

/** The action of a key where it was pressed, if there is one. */
function actionOf(event) {
  const { key, target } = event;
  if (key === "Escape") {
    if (selection.isSelecting() && !byId("pane").contains(document.activeElement)) return () => selection.turn(false);
    return byId("shell").dataset.pane === "reading" ? close : null;
  }
  const step = { ArrowDown: 1, ArrowUp: -1 }[key];
  if (step) return target.closest("#rows li") && (() => move(step));
  const isWriting = target.matches("textarea, select, input:not([type='checkbox'])");
  if (isWriting || event.ctrlKey || event.metaKey || event.altKey || stored(OFF)) return null;
  return SHORTCUTS.find(([keys]) => keys.includes(key))?.[2];
}

/** The row that has the focus or, without one, that of the open message. */
const current = () =>
  (document.activeElement.closest("#rows li") ?? byId("rows").querySelector("[aria-current]"))?.closest("li");

/** Moves through the list; while a message is open, the next one is opened. */
function move(step) {
  const isReading = document.querySelector("#pane .message") !== null && !document.activeElement.closest("#rows");
  const row = current();
  const next = row ? (step > 0 ? row.nextElementSibling : row.previousElementSibling) : byId("rows").firstElementChild;
  const link = next?.querySelector("a");
  if (isReading) link?.click();
  else link?.focus();
}

/** Selects or deselects the current message. */
function pick() {
  const link = current()?.querySelector("a");
  if (link) selection.toggle(Number(link.dataset.id));
}

/** Deletes the open message unless the focus is in the list, where messages are selected. */
function discard() {
  const isInList = document.activeElement.closest(".list-pane") !== null;
  click(selection.isSelecting() && (isInList || !byId("delete")) ? "#selected-delete" : "#delete");
}

/** The names of keys as they are on a keyboard: "j", "# or Delete". */
const keysOf = (keys) => eitherOf(keys.map((key) => t.keys[key.toLowerCase()] ?? key));

/** Shows all keys in a dialog. */
export function showOverview() {
  const rows = [...SHORTCUTS.map(([keys, text]) => [keysOf(keys), text]), ...FIXED];
  const use = make("input", {
    type: "checkbox",
    checked: !stored(OFF),
    change: (event) => store(OFF, !event.target.checked),
  });
  const dialog = make(
    "dialog",
    { id: "shortcuts", "aria-labelledby": "shortcuts-title", close: () => dialog.remove() },
    make(
      "form",
      { method: "dialog" },
      make("h2", { id: "shortcuts-title" }, t.shortcuts),
      make(
        "dl",
        { class: "keys" },
        ...rows.flatMap(([keys, text]) => [make("dt", {}, make("kbd", {}, keys)), make("dd", {}, text)]),
      ),
      make("label", { class: "check" }, use, t.useSingleKeys),
      make("p", { class: "buttons" }, make("button", { class: "button primary", autofocus: true }, t.close)),
    ),
  );
  document.body.append(dialog);
  dialog.showModal();
}
