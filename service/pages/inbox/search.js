// The search in the box that is shown: by words, sender and day.

import { Problem } from "/inbox/api.js";
import { announce, byId, clearErrors, focusOn, showErrors } from "/inbox/dom.js";
import * as feed from "/inbox/feed.js";
import { t } from "/inbox/words.js";

let isOn = false; // whether the list shows what was found
let leave; // called when the list is to show the whole box again

/** Sets up the form. `ended` is called when the search has ended, and the list is to show the whole box again. */
export function setUp(ended) {
  leave = ended;
  byId("search").addEventListener("submit", search);
  byId("search-open").addEventListener("click", () => (byId("search").hidden ? open() : end()));
  byId("search-close").addEventListener("click", end);
  byId("search").addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.isComposing) return;
    event.stopPropagation();
    end();
  });
}

export const isActive = () => isOn;

/** Shows the form. */
export function open() {
  byId("search").hidden = false;
  byId("search-open").setAttribute("aria-expanded", "true");
  byId("search-q").focus();
}

/** Ends the search, and shows the whole box. */
export function end() {
  const hadFocus = byId("search").contains(document.activeElement);
  const wasOn = isOn;
  reset();
  if (wasOn) leave();
  if (hadFocus) focusOn(byId("search-open"));
}

/** Ends the search without showing anything else. */
export function reset() {
  isOn = false;
  byId("shell").removeAttribute("data-searching");
  byId("search").hidden = true;
  byId("search").reset();
  clearErrors(byId("search"));
  byId("search-open").setAttribute("aria-expanded", "false");
}

/** The parameters of the search. A day begins in the time zone of the user. */
function parameters({ q, from, since }) {
  const isSent = byId("shell").dataset.box === "sent";
  const day = since.value && new Date(`${since.value}T00:00`);
  if (since.validity.badInput || Number.isNaN(day && day.getTime()))
    throw new Problem(422, { errors: [{ pointer: "?since", detail: t.enterDate }] });
  const values = [
    ["q", q.value.trim()],
    ["from", isSent ? "" : from.value.trim()],
    ["since", day && day.toISOString()],
  ].filter(([, value]) => value !== "");
  if (values.length === 0) {
    const detail = isSent ? t.enterWordsOrDay : t.enterWordsSenderOrDay;
    throw new Problem(422, { errors: [{ pointer: "?q", detail }] });
  }
  if (isSent) values.push(["box", "sent"]);
  return `&${new URLSearchParams(values)}`;
}

async function search(event) {
  event.preventDefault();
  const form = byId("search");
  clearErrors(form);
  try {
    const filter = parameters(form.elements);
    isOn = true;
    byId("shell").setAttribute("data-searching", "");
    const isDone = await feed.search(filter); // else the list shows the error
    const count = feed.items().length;
    if (isOn && isDone) announce(count > 0 ? t.found(count) : t.nothingWasFound);
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    if (!form.hidden) showErrors(form, problem);
  }
}
