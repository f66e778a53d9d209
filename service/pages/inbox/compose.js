// The form for messages. There is a draft for a new message and one for each reply, which survive a reload.

import { newKey, Problem } from "/inbox/api.js";
import { byId, clearErrors, setTitle, focusOn, make, messageOf, showErrors, showToast } from "/inbox/dom.js";
import * as feed from "/inbox/feed.js";
import * as session from "/inbox/session.js";
import { store, stored } from "/inbox/tab.js";
import { bytes, characters, isGone, replyTo, t, titleOf } from "/inbox/words.js";

const STORED = "herolo.drafts";
const SUBJECT_LIMIT = 255; // characters
const TEXT_LIMIT = 65_535; // bytes
/** The fraction of a limit from which on the length is shown. */
const NEAR = 0.8;
/** The key of the draft of a new message; the drafts of replies have the ids of the messages. */
const NEW = "new";
const MAX_SUGGESTIONS = 50;
/** The time in ms for which the service keeps an idempotency key: a day, less an hour for clocks that differ. */
const KEY_LIFETIME = 23 * 60 * 60 * 1000;
const USERNAME = /^[a-z0-9][a-z0-9._-]{2,63}$/i;

let actions; // sent(isShown), changed(), close(), open(hash)
let blank = {}; // what the form that is shown began with
const sending = new Set(); // the drafts that are being sent

export function setUp(given) {
  actions = given;
  addEventListener("beforeunload", (event) => {
    if (hasDrafts() || sending.size > 0) event.preventDefault();
  });
}

/** The drafts, each as { to, subject, message, tried }. `tried` is the content of the last attempts, with their
 * idempotency key and the time of the first: the same content keeps its key, so it is sent once, also after a
 * reload. */
const all = () => stored(STORED) ?? {};
const fieldsOf = ({ to, subject, message }) => ({ to, subject, message });
const isSame = (one, other) => JSON.stringify(fieldsOf(one)) === JSON.stringify(fieldsOf(other));

function keep(key, draft) {
  const { [key]: _, ...others } = all();
  store(STORED, draft ? { ...others, [key]: draft } : others);
  actions.changed();
}

export const hasDrafts = () => Object.keys(all()).length > 0;
export const hasDraft = (id) => String(id) in all();

/** The drafts except the open one, as [hash, title]. */
export function list() {
  const shownKey = byId("compose")?.dataset.key;
  return Object.entries(all())
    .filter(([key]) => key !== shownKey)
    .map(([key, { to, subject }]) => [hashOf(key), t.draftTo(to || "…", titleOf({ subject }))]);
}

const hashOf = (key) => (key === NEW ? "#/write" : `#/write/${key}`);

/** Shows the form for a new message, or for the reply to the message with this id. */
export async function show(id) {
  const key = id ? String(id) : NEW;
  const isHere = () => location.hash === hashOf(key);
  blank = { to: "", subject: "", message: "" };
  if (id) {
    try {
      byId("pane").replaceChildren();
      const message = feed.find("inbox", id) ?? (await session.callAs("GET", session.own(`/messages/${id}`)));
      blank = { to: isGone(message.sender) ? "" : message.sender, subject: replyTo(message.subject), message: "" };
    } catch (problem) {
      // An existing draft has its receiver.
      if (!hasDraft(key)) showToast(problem.status === 404 ? t.originalWasDeleted : messageOf(problem));
    }
    if (!isHere()) return;
  }
  render(key, all()[key] ?? blank);
}

/** Offers the users of the loaded messages, those of the newest ones first, for the last name in the field. */
function suggest({ value }) {
  const before = value.slice(0, value.search(/[^\s,;]*$/));
  const others = new Set(before.split(/[\s,;]+/));
  const items = feed.loadedItems().sort((one, other) => other.id - one.id);
  const names = items.flatMap((item) => [item.sender, ...feed.receiversOf(item).map((one) => one.username)]);
  const isOffered = (name) => name && name !== session.username() && !isGone(name) && !others.has(name);
  const options = [...new Set(names.filter(isOffered))].slice(0, MAX_SUGGESTIONS);
  byId("compose-people").replaceChildren(...options.map((name) => make("option", { value: before + name })));
}

function render(key, { to, subject, message }) {
  const title = key === NEW || !to ? t.newMessage : t.replyTo(to);
  const form = make(
    "form",
    {
      class: "compose",
      id: "compose",
      "data-key": key,
      novalidate: true,
      submit: send,
      input: changed,
      keydown: sendByKey,
    },
    make(
      "div",
      { class: "bar" },
      make("h2", { tabindex: "-1", dir: "auto" }, title),
      make(
        "button",
        { type: "button", class: "button quiet", id: "compose-close", click: () => actions.close() },
        t.close,
      ),
    ),
    make("p", { class: "form-error", "data-error": "form", role: "alert", hidden: true }),
    field(
      "to",
      t.to,
      make("input", { autocomplete: "off", autocapitalize: "none", spellcheck: "false", list: "compose-people" }),
      t.toHint,
    ),
    make("datalist", { id: "compose-people" }),
    field("subject", t.subject, make("input", { autocomplete: "off", dir: "auto" })),
    field("message", t.message, make("textarea", { rows: "12", dir: "auto" })),
    make(
      "div",
      { class: "compose-foot" },
      make("button", { class: "button primary", id: "send" }, t.send),
      make("button", { type: "button", class: "button quiet", id: "discard", click: () => discard(key) }, t.discard),
      make("span", { class: "hint", id: "compose-state", role: "status" }),
    ),
  );
  form.elements.to.value = to;
  form.elements.subject.value = subject;
  form.elements.message.value = message;
  byId("pane").replaceChildren(form);
  form.elements.to.addEventListener("focus", () => suggest(form.elements.to));
  actions.changed();
  setTitle({ view: title });
  count(form);
  if (sending.has(key)) showSending(key, t.sending);
  focusOn(to === "" ? form.elements.to : subject === "" ? form.elements.subject : form.elements.message);
}

function discard(key) {
  const draft = all()[key];
  keep(key, null);
  actions.close();
  showToast(
    t.draftDiscarded,
    draft && {
      name: t.undo,
      run: () => {
        keep(key, draft);
        actions.open(hashOf(key));
      },
    },
  );
}

function field(name, label, input, hint = null) {
  const id = `compose-${name}`;
  const notes = [hint && `${id}-hint`, `${id}-count`, `${id}-error`].filter(Boolean).join(" ");
  for (const [attribute, value] of Object.entries({ id, name, "aria-describedby": notes }))
    input.setAttribute(attribute, value);
  return make(
    "div",
    { class: `field field-${name}` },
    make("label", { for: id }, label),
    input,
    hint && make("p", { class: "hint", id: `${id}-hint` }, hint),
    make("p", { class: "hint count", id: `${id}-count`, hidden: true }),
    make("p", { class: "error", id: `${id}-error`, "data-error": name, hidden: true }),
  );
}

function changed(event) {
  const form = event.currentTarget;
  const { key } = form.dataset;
  const written = writtenIn(form);
  keep(key, isSame(written, blank) ? null : { ...all()[key], ...written });
  count(form);
  if (event.target === form.elements.to) suggest(form.elements.to);
}

const writtenIn = ({ elements: { to, subject, message } }) => ({
  to: to.value,
  subject: subject.value,
  message: message.value,
});

/** Shows the lengths that are close to their limits. */
function count(form) {
  const { subject, message } = form.elements;
  showCount("subject", characters(subject.value), SUBJECT_LIMIT, t.lengthInCharacters);
  showCount("message", bytes(message.value), TEXT_LIMIT, t.lengthInBytes);
}

function showCount(name, length, limit, words) {
  const place = byId(`compose-${name}-count`);
  place.hidden = length < limit * NEAR;
  place.classList.toggle("over", length > limit);
  place.textContent = place.hidden ? "" : words(length, limit);
}

function sendByKey(event) {
  if (!event.isComposing && event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    event.currentTarget.requestSubmit();
  }
}

/** The reason why a name is not a valid username, or null. */
function faultOf(name) {
  if (name.startsWith("@")) return t.nameWithAt(name);
  if (name.includes("@")) return t.nameIsEmail(name);
  return USERNAME.test(name) ? null : t.nameIsNone(name);
}

/** The body of the request: `receiver` for one name, `receivers` for several; a reply has the id of its original. */
function content(form) {
  const { to, subject, message } = writtenIn(form);
  const names = to.split(/[\s,;]+/).filter(Boolean);
  const errors = [
    ["to", names.length === 0, t.enterUsername],
    ["subject", subject === "", t.enterSubject],
    ["message", message === "", t.enterMessage],
  ]
    .filter(([, isMissing]) => isMissing)
    .map(([name, , detail]) => ({ pointer: `#/${name}`, detail }));
  for (const name of names) {
    const fault = faultOf(name);
    if (fault) errors.push({ pointer: "#/to", detail: fault });
  }
  if (errors.length > 0) throw new Problem(422, { errors });
  const { key } = form.dataset;
  const original = key === NEW ? {} : { in_reply_to: Number(key) };
  return { ...(names.length === 1 ? { receiver: names[0] } : { receivers: names }), subject, message, ...original };
}

async function send(event) {
  event.preventDefault();
  const form = event.currentTarget;
  const { key } = form.dataset;
  if (sending.has(key)) return;
  const written = writtenIn(form);
  clearErrors(form);
  sending.add(key);
  showSending(key, "");
  const timer = setTimeout(() => showSending(key, t.sending), 300);
  const wait = (problem, time) => {
    clearTimeout(timer);
    const words = problem.status === 0 ? t.sendingUnconnected : t.sendingBusy;
    showSending(key, words(Math.ceil(time / 1000)));
  };
  try {
    const isAnswer = await submitReply(key, written, content(form), wait);
    showToast(isAnswer ? t.isSent : t.isSentAlone);
    finish(key, written);
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    if (form.isConnected) showErrors(form, problem, { names: { receiver: "to", receivers: "to" } });
    else showToast(t.notSent(messageOf(problem)));
  } finally {
    clearTimeout(timer);
    sending.delete(key);
    showSending(key, null);
  }
}

/** Shows the progress of sending in the form of the draft, if it is open; null: sending has ended. */
function showSending(key, text) {
  if (byId("compose")?.dataset.key !== key) return;
  byId("compose-state").textContent = text ?? "";
  if (text === null) byId("send").removeAttribute("aria-disabled");
  else byId("send").setAttribute("aria-disabled", "true");
}

/** Sends a message. A reply whose original was deleted in the meantime is sent without it. Returns false then. */
async function submitReply(key, written, body, wait) {
  const { in_reply_to: original, ...alone } = body;
  // The last attempt was without it, and may have succeeded.
  const isAlone = original && all()[key]?.tried?.content === JSON.stringify(alone);
  try {
    await submit(key, written, isAlone ? alone : body, wait);
    return !isAlone;
  } catch (problem) {
    if (!original || !problem.errors?.some(({ pointer }) => pointer === "#/in_reply_to")) throw problem;
    await submit(key, written, alone, wait);
    return false;
  }
}

async function submit(key, written, body, wait) {
  const text = JSON.stringify(body);
  let { tried } = all()[key] ?? {};
  if (tried?.content !== text) tried = { content: text, key: newKey(), time: Date.now() };
  if (Date.now() - tried.time > KEY_LIFETIME) {
    // With the same key it would be sent a second time, like without it. The next attempt gets another one.
    keep(key, written);
    throw new Problem(409, { message: t.mayBeSent });
  }
  keep(key, { ...written, tried });
  await session.callAs("POST", session.own("/messages"), {
    body,
    headers: { "Idempotency-Key": tried.key },
    repeatable: true,
    wait,
  });
}

/** Deletes the draft after it was sent; changes that were made in the meantime are a new draft. */
function finish(key, written) {
  const draft = all()[key];
  const form = byId("compose");
  if (draft) keep(key, isSame(draft, written) ? null : fieldsOf(draft));
  // The view stays if the user has changed the form or the view in the meantime.
  actions.sent(form?.dataset.key === key && isSame(writtenIn(form), written));
}
