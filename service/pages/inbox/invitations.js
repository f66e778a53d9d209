// The invitations of this user: a section of the account.

import { Problem } from "/inbox/api.js";
import { byId, focusOn, make, showToast } from "/inbox/dom.js";
import * as session from "/inbox/session.js";
import { exactly } from "/inbox/words.js";

/** The invitations in an element that shows changes, or null if users cannot invite others. */
export async function list() {
  const service = await session.serviceInfo();
  if (!service.user_invitations) return null;
  const place = make("div", {});
  await refresh(place);
  return place;
}

/** Loads the list. A new invitation is shown with its link, which the service does not tell again. */
async function refresh(place, created = null) {
  const { invitations } = await session.callAs("GET", session.own("/invitations"));
  const button = make("button", { type: "button", class: "button", click: () => invite(place, button) }, "Invite");
  place.replaceChildren(
    make("p", { class: "hint" }, "An invitation is a link with which one account can be created within seven days."),
    make("p", { class: "buttons" }, button),
    created ? link(created) : "",
    make(
      "ul",
      { class: "people", "aria-label": "Open invitations" },
      ...invitations.map((one, index) => row(place, one, index + 1)),
    ),
  );
  return button;
}

function row(place, invitation, number) {
  const name = `Withdraw invitation ${number}, made ${exactly(invitation.created_at)}`;
  return make(
    "li",
    {},
    make(
      "p",
      {},
      make("span", {}, `Made ${exactly(invitation.created_at)}`),
      make("span", { class: "message-time" }, `valid until ${exactly(invitation.expires_at)}`),
    ),
    make(
      "button",
      { type: "button", class: "button", "aria-label": name, click: () => withdraw(place, invitation) },
      "Withdraw",
    ),
  );
}

function link({ code }) {
  const address = make("input", {
    id: "invitation-link",
    readonly: true,
    value: `${location.origin}/#/invitation/${code}`,
    focus: () => address.select(),
  });
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(address.value);
      showToast("The link is copied.");
    } catch {
      // Without access to the clipboard, the user copies it.
      address.focus();
      showToast("The link is selected. Copy it with your keyboard or menu.");
    }
  };
  return make(
    "div",
    { class: "field new-invitation" },
    make("label", { for: "invitation-link" }, "Link of the invitation"),
    make("p", { class: "hint" }, "Copy it now: it is shown only once."),
    address,
    make(
      "p",
      { class: "buttons" },
      make("button", { type: "button", class: "button primary", click: copy }, "Copy link"),
    ),
  );
}

async function invite(place, button) {
  if (button.getAttribute("aria-disabled")) return;
  button.setAttribute("aria-disabled", "true");
  try {
    const created = await session.callAs("POST", session.own("/invitations"));
    await refresh(place, created);
    byId("invitation-link").focus();
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    showToast(`Not invited: ${problem.message}`);
  } finally {
    button.removeAttribute("aria-disabled");
  }
}

async function withdraw(place, { id }) {
  try {
    await session.callAs("DELETE", session.own(`/invitations/${id}`)).catch((problem) => {
      // It was used or has expired in the meantime.
      if (problem.status !== 404) throw problem;
    });
    const button = await refresh(place);
    focusOn(button);
    showToast("The invitation is withdrawn.");
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    showToast(`Not withdrawn: ${problem.message}`);
  }
}
