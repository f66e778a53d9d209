// Several messages at once: selecting, marking and deleting them; and deletions, which can be undone for some seconds.

import { Problem } from "/inbox/api.js";
import { ask, byId, focusOn, make, messageOf, showToast } from "/inbox/dom.js";
import * as feed from "/inbox/feed.js";
import * as session from "/inbox/session.js";
import { t, titleOf } from "/inbox/words.js";

/** The time in ms in which a deletion can be undone. The service is told afterwards. */
const UNDO_TIME = 10_000;
/** The service marks this many messages per request. */
const MAX_IDS = 100;

let changed; // called after messages were marked or deleted
let removed; // called after selected messages were removed from the page
let isOn = false; // whether messages can be selected
let last = null; // the message that was selected or deselected last, from which Shift extends the selection
const picked = new Set(); // the ids of the selected messages
const pending = new Set(); // the deletions that can be undone, each as { count, undo, carryOut, drop }
let running = 0; // the number of deletions that are carried out

export function setUp(onChange, onRemoval) {
  changed = onChange;
  removed = onRemoval;
  feed.setUp(sync);
  byId("select").addEventListener("click", () => turn(true));
  byId("select-done").addEventListener("click", () => turn(false));
  byId("select-all").addEventListener("change", (event) => {
    for (const { id } of feed.items()) pick(id, event.target.checked);
    sync();
  });
  byId("rows").addEventListener("click", onPick);
  for (const button of byId("selection").querySelectorAll("[data-read]"))
    button.addEventListener("click", () => once(button, () => mark(button.dataset.read === "true")));
  byId("selected-delete").addEventListener("click", discard);
  byId("read-all").addEventListener("click", () => once(byId("read-all"), markAll));
  addEventListener("beforeunload", (event) => {
    if (pending.size > 0 || running > 0) event.preventDefault();
  });
}

const pick = (id, isPicked) => (isPicked ? picked.add(id) : picked.delete(id));

export const isSelecting = () => isOn;

/** Begins or ends the selection. */
export function turn(on) {
  if (isOn === on) return;
  const hadFocus = byId("selection").contains(document.activeElement) || document.activeElement === byId("select");
  isOn = on;
  picked.clear();
  last = null;
  sync();
  if (hadFocus) focusOn(byId(on ? "select-all" : feed.items().length > 0 ? "select" : "list-title"));
}

/** Selects or deselects the message of a row, as a key does. */
export function toggle(id) {
  turn(true);
  pick(id, !picked.has(id));
  last = id;
  sync();
}

/** A click on a checkbox; with Shift, all messages from the last one to this one become as this one. */
function onPick(event) {
  const box = event.target.closest("input[data-pick]");
  if (!box) return;
  const id = Number(box.dataset.pick);
  const ids = feed.items().map((item) => item.id);
  const [from, to] = [ids.indexOf(event.shiftKey && last !== null ? last : id), ids.indexOf(id)];
  for (const one of from < 0 ? [id] : ids.slice(Math.min(from, to), Math.max(from, to) + 1)) pick(one, box.checked);
  last = id;
  sync();
}

/** Updates the tools and the checkboxes after a change of the list or the selection. */
function sync() {
  const items = feed.items();
  const listed = new Set(items.map((item) => item.id));
  for (const id of picked) if (!listed.has(id)) picked.delete(id);
  byId("rows").classList.toggle("picking", isOn);
  // Keys scroll what has the focus or contains it, so a list without links gets it.
  const scroll = byId("list-scroll");
  if (scroll.querySelector("a, button:not([hidden])")) scroll.removeAttribute("tabindex");
  else scroll.tabIndex = 0;
  byId("list-tools").hidden = isOn;
  byId("select").classList.toggle("absent", items.length === 0);
  byId("selection").hidden = !isOn;
  for (const item of items) checkbox(item);
  const all = byId("select-all");
  all.checked = items.length > 0 && picked.size === items.length;
  all.indeterminate = picked.size > 0 && !all.checked;
  byId("selected-count").textContent = picked.size > 0 ? t.selected(picked.size) : t.selectAll;
  for (const button of byId("selection").querySelectorAll(".selection-actions button")) {
    if (picked.size > 0) button.removeAttribute("aria-disabled");
    else button.setAttribute("aria-disabled", "true");
  }
}

/** Updates the checkbox of a message's row. */
function checkbox(message) {
  const row = feed.rowOf(message.id)?.closest("li");
  let box = row?.querySelector("[data-pick]");
  if (row && isOn && !box) {
    const name = t.selectOne(titleOf(message), row.querySelector(".row-name").textContent);
    box = make("input", { type: "checkbox", "data-pick": message.id, "aria-label": name });
    row.prepend(make("label", { class: "pick" }, box));
  }
  row?.classList.toggle("picked", picked.has(message.id));
  if (box && !isOn) box.closest("label").remove();
  else if (box) box.checked = picked.has(message.id);
}

/** Runs an action of a button unless it is disabled or the action still runs. Errors become toasts. */
async function once(button, action) {
  if (button.getAttribute("aria-disabled")) return;
  button.setAttribute("aria-disabled", "true");
  try {
    await action();
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    showToast(t.notMarked(messageOf(problem)));
  } finally {
    button.removeAttribute("aria-disabled");
    sync();
  }
}

const patch = (body) => feed.change(session.callAs("PATCH", session.own("/messages"), { body }));

async function markIds(ids, read) {
  for (let index = 0; index < ids.length; index += MAX_IDS) {
    const part = new Set(ids.slice(index, index + MAX_IDS));
    await patch({ read, ids: [...part] });
    feed.mark((id) => part.has(id), read);
  }
  changed();
}

/** Marks the selected messages. */
async function mark(read) {
  const ids = [...picked];
  await markIds(ids, read);
  turn(false);
  showToast((read ? t.areMarkedRead : t.areMarkedUnread)(ids.length));
  feed.refresh(true);
}

/** Marks all messages as read up to the newest one that is shown; later ones have not been seen. */
async function markAll() {
  const until = feed.items()[0]?.id;
  if (!until) return;
  const unread = feed.items().flatMap((item) => (item.read ? [] : [item.id]));
  let count = 0;
  for (let hasMore = true; hasMore; ) {
    const marked = await patch({ read: true, until });
    count += marked.changed;
    hasMore = marked.has_more;
  }
  feed.mark((id) => id <= until, true);
  changed();
  feed.refresh(true);
  // Older unread messages that were not loaded are not known, so only the rest can be undone.
  const undo = {
    name: t.undo,
    run: () => once(byId("read-all"), () => markIds(unread, false).then(() => feed.refresh(true))),
  };
  showToast(t.areMarkedRead(count), unread.length > 0 && count === unread.length ? undo : null);
  if (byId("list-tools").contains(document.activeElement)) focusOn(byId("list-title"));
}

/** Deletes the selected messages; after a confirmation if others lose them, too. */
async function discard() {
  const chosen = feed.items().filter((item) => picked.has(item.id));
  if (chosen.length === 0) return;
  const own = chosen.filter((item) => item.sender === session.username());
  if (own.length > 0) {
    const text = t.deleteSent(own.length, chosen.length);
    const choices = [
      ["yes", t.delete, "danger"],
      ["no", t.keepThem],
    ];
    if ((await ask(t.deleteSelected(chosen.length), text, choices, 1)) !== "yes") return;
  }
  turn(false);
  const row = deleteSoon(new Set(chosen.map((item) => item.id)), own.length === chosen.length);
  focusOn(row ?? byId("list-title"));
  removed();
}

/**
 * Removes messages from the page at once, and deletes them when the time for Undo is over. A page that is closed before
 * deletes nothing, because what was deleted by mistake cannot be restored. Returns the row that gets the focus.
 */
export function deleteSoon(ids, isForAll) {
  const title = ids.size === 1 ? feed.items().flatMap((item) => (ids.has(item.id) ? [titleOf(item)] : []))[0] : null;
  const { row, restore } = feed.remove(ids);
  const of = session.username();
  const end = (action) => () => {
    removeToast();
    if (pending.delete(deletion)) return action();
    return undefined;
  };
  const deletion = {
    count: ids.size,
    undo: end(() => {
      restore(ids);
      return confirmReturn(of, [...ids]);
    }),
    carryOut: end(() => feed.change(carryOut(of, ids, restore))),
    drop: end(() => {}),
  };
  const one = isForAll ? t.oneWillBeDeletedForAll : t.oneWillBeDeleted;
  const several = isForAll ? t.willBeDeletedForAll : t.willBeDeleted;
  const removeToast = showToast(
    title ? one(title) : several(ids.size),
    { name: t.undo, run: deletion.undo },
    { lifetime: UNDO_TIME, ended: deletion.carryOut },
  );
  pending.add(deletion);
  return row;
}

/** Says that messages are back, except those that others have deleted in the meantime. */
async function confirmReturn(of, ids) {
  const isLost = (id) =>
    session.callAs("GET", session.own(`/messages/${id}`)).then(
      () => false,
      (problem) => problem.status === 404,
    );
  const checks = await Promise.all(ids.map(isLost));
  if (session.username() !== of) return;
  const lost = new Set(ids.filter((_, index) => checks[index]));
  if (lost.size > 0) {
    feed.remove(lost);
    changed();
  }
  showToast(lost.size > 0 ? t.areNotBack(lost.size, ids.length) : t.areBack(ids.length));
}

/** Deletes messages one by one. If that fails, those that are left are shown again. Returns the problem, if any. */
async function carryOut(of, ids, restore) {
  const left = new Set(ids);
  running += 1;
  try {
    for (const id of ids) {
      if (session.username() !== of) return null;
      await session.callAs("DELETE", session.own(`/messages/${id}`)).catch((problem) => {
        // It was already deleted, by its sender or in another tab.
        if (problem.status !== 404) throw problem;
      });
      left.delete(id);
    }
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    restore(left);
    showToast(t.notDeleted(messageOf(problem)));
    return problem;
  } finally {
    running -= 1;
    changed();
  }
  return null;
}

/** Undoes the last deletion. */
export const undo = () => [...pending].at(-1)?.undo();

/** What a sign-out does to the deletions that can be undone, as a sentence, or "". */
export function describeDeletions() {
  const count = [...pending].reduce((sum, deletion) => sum + deletion.count, 0);
  return count > 0 ? t.deletionsAreFinal(count) : "";
}

/** Carries out all deletions now. Throws the problem of one that fails. */
export async function finishDeletions() {
  const problems = await Promise.all([...pending].map((deletion) => deletion.carryOut()));
  for (const problem of problems) if (problem) throw problem;
}

/** Ends the selection and forgets the deletions; their messages stay. */
export function reset() {
  for (const deletion of pending) deletion.drop();
  turn(false);
}
