// The account: a view that is loaded when it is opened.

import * as blocks from "/inbox/blocks.js";
import { byId, focusOn, make, setTitle } from "/inbox/dom.js";
import * as session from "/inbox/session.js";

/** Shows the account. `actions` are those of the page: close(). */
export function show(actions) {
  const title = make("h2", { tabindex: "-1", id: "account-title" }, "Account");
  const close = make("button", { type: "button", class: "button quiet", click: actions.close }, "Close");
  byId("pane").replaceChildren(
    make(
      "article",
      { class: "account", "aria-labelledby": "account-title" },
      make("div", { class: "bar" }, title, close),
      make("p", { class: "hint" }, "Signed in as ", make("bdi", {}, session.username())),
      section("blocks", "Blocked users", "Their new messages do not reach you, and they are not told.", blocks.list),
    ),
  );
  byId("pane").scrollTop = byId("shell").scrollTop = 0;
  setTitle({ view: "Account" });
  focusOn(title);
}

/** A part of the account. `content()` returns an element, or the promise of one. */
function section(id, name, hint, content) {
  const place = make("div", { class: "section-content" });
  const fill = async () => {
    place.replaceChildren(make("div", { class: "skeleton" }, make("span")));
    try {
      place.replaceChildren(await content());
    } catch (problem) {
      const again = make("button", { type: "button", class: "button", click: fill }, "Try again");
      place.replaceChildren(make("div", { class: "list-error", role: "alert" }, make("p", {}, problem.message), again));
    }
  };
  fill();
  return make(
    "section",
    { "aria-labelledby": `${id}-title` },
    make("h3", { id: `${id}-title`, tabindex: "-1" }, name),
    hint && make("p", { class: "hint" }, hint),
    place,
  );
}
