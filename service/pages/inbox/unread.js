// Mails about unread messages: a section of the account.

import { Problem } from "/inbox/api.js";
import { make, messageOf, showToast } from "/inbox/dom.js";
import * as session from "/inbox/session.js";
import { t } from "/inbox/words.js";

const HOUR = 60;
const DAY = 24 * HOUR;
/** The times after which a mail can be sent, in minutes, as they are offered; programs can set others. */
const NEVER = 0;
const OFFERED = [NEVER, HOUR, 8 * HOUR, DAY];

/** The choice, or null if the service sends no mails. */
export async function choice() {
  const { mail = false } = await session.serviceInfo();
  if (!mail) return null;
  const { unread_notices, email_verified } = await session.callAs("GET", session.own());
  const current = unread_notices?.after_minutes ?? NEVER;
  const select = make(
    "select",
    { id: "unread-after", "aria-describedby": email_verified ? false : "unread-unverified" },
    ...options(current),
  );
  keepSaved(select, current);
  return make(
    "div",
    { class: "field" },
    make("label", { for: "unread-after" }, t.unreadMailsAfter),
    select,
    !email_verified && make("p", { class: "hint", id: "unread-unverified" }, t.unreadMailsUnconfirmed),
  );
}

/** The options, with the current time even if it is none of those that are offered. */
function options(current) {
  const all = [...new Set([...OFFERED, current])].sort((one, other) => one - other);
  return all.map((minutes) => make("option", { value: minutes, selected: minutes === current }, nameOf(minutes)));
}

function nameOf(minutes) {
  if (minutes === NEVER) return t.never;
  if (minutes % DAY === 0) return t.afterDays(minutes / DAY);
  return minutes % HOUR === 0 ? t.afterHours(minutes / HOUR) : t.afterMinutes(minutes);
}

/** Saves each choice. Those that are made while one is on its way follow it, so that the last one counts. */
function keepSaved(select, current) {
  let saved = current;
  let isSaving = false;
  select.addEventListener("change", async () => {
    if (isSaving) return;
    isSaving = true;
    try {
      while (Number(select.value) !== saved) saved = await save(Number(select.value));
      showToast(t.unreadMailsAre(nameOf(saved)));
    } catch (problem) {
      select.value = String(saved);
      if (!(problem instanceof Problem)) throw problem;
      showToast(t.notChanged(messageOf(problem)));
    } finally {
      isSaving = false;
    }
  });
}

/** Sets the time in minutes, and returns it. */
async function save(minutes) {
  const path = session.own("/unread-notices");
  if (minutes === NEVER) await session.callAs("DELETE", path);
  else await session.callAs("PUT", path, { body: { after_minutes: minutes } });
  return minutes;
}
