// The users that this user blocks: a section of the account.

import { avatar, byId, focusOn, make, showToast } from "/inbox/dom.js";
import * as session from "/inbox/session.js";
import { exactly } from "/inbox/words.js";

const pathOf = (name) => session.own(`/blocks/${encodeURIComponent(name)}`);

/** The list, in an element that shows changes. */
export async function list() {
  const { blocks } = await session.callAs("GET", session.own("/blocks"));
  const place = make("div", {});
  render(place, blocks);
  return place;
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
        make("span", { class: "message-time" }, `since ${exactly(block.created_at)}`),
      ),
      make(
        "button",
        {
          type: "button",
          class: "button",
          "aria-label": `Unblock ${block.username}`,
          click: () => unblock(place, blocks, block),
        },
        "Unblock",
      ),
    );
  place.replaceChildren(
    blocks.length > 0
      ? make("ul", { class: "people", "aria-label": "Blocked users" }, ...blocks.map(row))
      : make("p", { class: "hint" }, "You block nobody. To block a user, open one of their messages."),
  );
}

async function unblock(place, blocks, block) {
  try {
    await session.callAs("DELETE", pathOf(block.username));
  } catch (problem) {
    showToast(`Not unblocked: ${problem.message}`);
    return;
  }
  const hadFocus = place.contains(document.activeElement);
  render(
    place,
    blocks.filter((one) => one !== block),
  );
  if (hadFocus) focusOn(place.querySelector("button") ?? byId("blocks-title"));
  const again = async () => {
    try {
      await session.callAs("PUT", pathOf(block.username));
      if (place.isConnected) render(place, blocks);
    } catch (problem) {
      showToast(`Not blocked: ${problem.message}`);
    }
  };
  showToast(`${block.username} is unblocked. New messages by ${block.username} reach you again.`, {
    name: "Undo",
    run: again,
  });
}
