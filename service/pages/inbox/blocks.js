// The users that this user blocks: a section of the account, and the button at a message.

import { ask, avatar, byId, focusOn, icon, make, messageOf, showToast } from "/inbox/dom.js";
import * as session from "/inbox/session.js";
import { exactly, t } from "/inbox/words.js";

const pathOf = (name) => session.own(`/blocks/${encodeURIComponent(name)}`);

const BAR = "M10 3a7 7 0 1 0 .01 0M5.2 5.2l9.6 9.6";
const CHECK = "M10 3a7 7 0 1 0 .01 0M7 10l2.2 2.2L13 8";

let known = null; // the blocked users as far as they are known: { of, names }, `names` being the promise of a set

async function load() {
  const of = session.username();
  const { blocks } = await session.callAs("GET", session.own("/blocks"));
  known = { of, names: Promise.resolve(new Set(blocks.map((block) => block.username))) };
  return blocks;
}

/** The names of the blocked users, which are loaded once. */
function names() {
  const of = session.username();
  if (known?.of !== of) known = { of, names: load().then(() => known.names) };
  const { names } = known;
  names.catch(() => {
    if (known?.names === names) known = null;
  });
  return names;
}

/** The list, in an element that shows changes. */
export async function list() {
  const blocks = await load();
  const place = make("div", {});
  render(place, blocks);
  return place;
}

/** Blocks or unblocks a user. Returns whether that succeeded; if not, a toast tells the reason. */
async function change(name, isBlocked) {
  try {
    await session.callAs(isBlocked ? "PUT" : "DELETE", pathOf(name));
  } catch (problem) {
    showToast((isBlocked ? t.notBlocked : t.notUnblocked)(messageOf(problem)));
    return false;
  }
  await names().then(
    (all) => all[isBlocked ? "add" : "delete"](name),
    () => {},
  );
  const button = byId("block");
  if (button?.dataset.name === name) label(button, isBlocked);
  return true;
}

function label(button, isBlocked) {
  button.toggleAttribute("data-blocked", isBlocked);
  button.replaceChildren(icon(isBlocked ? CHECK : BAR), make("span", {}, isBlocked ? t.unblock : t.block));
}

/** Makes the button at a message say what it does, once it is known whether its sender is blocked. */
export async function follow(name, button) {
  const all = await names().catch(() => null);
  if (all) label(button, all.has(name));
}

/** Unblocks the sender of a message, or blocks them after a confirmation that says what it means. */
export async function toggle(name, button) {
  const undo = (isBlocked, words) => ({
    name: t.undo,
    run: async () => (await change(name, isBlocked)) && showToast(words),
  });
  if ("blocked" in button.dataset) {
    if (await change(name, false)) showToast(t.isUnblockedAgain(name), undo(true, t.isBlocked(name)));
    return;
  }
  const choices = [
    ["yes", t.block, "danger"],
    ["no", t.cancel],
  ];
  if ((await ask(t.blockQuestion(name), t.blockMeaning(name), choices, 1)) !== "yes") return;
  if (await change(name, true)) showToast(t.isBlocked(name), undo(false, t.isUnblocked(name)));
}

function render(place, blocks) {
  const row = (block) =>
    make(
      "li",
      {},
      avatar(block.username),
      make(
        "p",
        {},
        make("bdi", { class: "message-name" }, block.username),
        make("span", { class: "message-time" }, t.blockedSince(exactly(block.created_at))),
      ),
      make(
        "button",
        {
          type: "button",
          class: "button",
          "aria-label": t.unblockUser(block.username),
          click: () => unblock(place, blocks, block),
        },
        t.unblock,
      ),
    );
  place.replaceChildren(
    blocks.length > 0
      ? make("ul", { class: "people", "aria-label": t.blockedUsers }, ...blocks.map(row))
      : make("p", { class: "hint" }, t.blocksNobody),
  );
}

async function unblock(place, blocks, block) {
  if (!(await change(block.username, false))) return;
  const hadFocus = place.contains(document.activeElement);
  render(
    place,
    blocks.filter((one) => one !== block),
  );
  if (hadFocus) focusOn(place.querySelector("button") ?? byId("blocks-title"));
  const again = async () => {
    if ((await change(block.username, true)) && place.isConnected) render(place, blocks);
  };
  showToast(t.isUnblockedAgain(block.username), { name: t.undo, run: again });
}
