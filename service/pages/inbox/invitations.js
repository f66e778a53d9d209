// The invitations of this user: a section of the account.

import { Problem } from "/inbox/api.js";
import { byId, focusOn, make, messageOf, showToast } from "/inbox/dom.js";
import * as session from "/inbox/session.js";
import { exactly, soon, t } from "/inbox/words.js";

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
  const button = make("button", { type: "button", class: "button", click: () => invite(place, button) }, t.invite);
  place.replaceChildren(
    make("p", { class: "hint" }, t.invitationsHint),
    make("p", { class: "buttons" }, button),
    created ? link(created) : "",
    make(
      "ul",
      { class: "people", "aria-label": t.openInvitations },
      ...invitations.map((one, index) => row(place, one, index + 1)),
    ),
  );
  return button;
}

function row(place, invitation, number) {
  const name = t.withdrawInvitation(number, exactly(invitation.created_at));
  return make(
    "li",
    {},
    make(
      "p",
      {},
      make("span", {}, t.invitationMade(exactly(invitation.created_at))),
      make("span", { class: "message-time" }, t.invitationEnds(exactly(invitation.expires_at))),
    ),
    make(
      "button",
      { type: "button", class: "button", "aria-label": name, click: () => withdraw(place, invitation) },
      t.withdraw,
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
      showToast(t.linkCopied);
    } catch {
      // Without access to the clipboard, the user copies it.
      address.focus();
      showToast(t.linkSelected);
    }
  };
  return make(
    "div",
    { class: "field new-invitation" },
    make("label", { for: "invitation-link" }, t.invitationLink),
    make("p", { class: "hint" }, t.invitationLinkHint),
    address,
    make(
      "p",
      { class: "buttons" },
      make("button", { type: "button", class: "button primary", click: copy }, t.copyLink),
    ),
  );
}

const isLimit = (problem) => problem.type === "too-many" && problem.retryAfter > 0;

async function invite(place, button) {
  if (button.getAttribute("aria-disabled")) return;
  button.setAttribute("aria-disabled", "true");
  try {
    const created = await session.callAs("POST", session.own("/invitations"));
    await refresh(place, created);
    byId("invitation-link").focus();
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    showToast(t.notInvited(isLimit(problem) ? t.invitationLimit(soon(problem.retryAfter / 1000)) : messageOf(problem)));
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
    showToast(t.invitationWithdrawn);
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    showToast(t.notWithdrawn(messageOf(problem)));
  }
}
