// Writing a message. The draft is kept, so a reload does not lose it.

import { newKey, Problem } from "/inbox/api.js";
import { byId, clearErrors, entitle, focusOn, make, showErrors, tell } from "/inbox/dom.js";
import { store, stored } from "/inbox/kept.js";
import * as session from "/inbox/session.js";
import { answerTo, bytes, characters, number } from "/inbox/words.js";

const STORED = "herolo.draft";
const STORED_KEY = "herolo.key";
const SUBJECT_LIMIT = 255; // characters
const TEXT_LIMIT = 65_535; // bytes
/** From which part of a limit on it is shown. */
const NEAR = 0.8;

let actions; // sent(isShown), close()
const NOTHING_TRIED = { content: "", key: "" };
/** What was last tried, with its key: the same message keeps its key, so it arrives once however often it is sent, also
 * after a reload. */
let last = stored(STORED_KEY) ?? NOTHING_TRIED;

export function setUp(given) {
  actions = given;
}

const draft = () => stored(STORED) ?? {};

/** What is tried now; nothing any more once it is sent. */
function remember(content) {
  last = content ? { content, key: newKey() } : NOTHING_TRIED;
  store(STORED_KEY, last);
}

/** Begins an answer. A draft to somebody else is shown instead, so that its text goes to nobody it is not meant for. */
export function reply({ sender, subject }) {
  const { to = "", message = "" } = draft();
  if (message !== "" && to !== "" && to !== sender) {
    tell("There is a draft already: send or discard it first.");
    return;
  }
  keep({ to: sender, subject: answerTo(subject), message: draft().message ?? "" });
}

const keep = (fields) => store(STORED, fields);

const discard = () => store(STORED, null);

/** Shows the form, with the draft. */
export function show() {
  const { to = "", subject = "", message = "" } = draft();
  const form = make("form", { class: "compose", id: "compose", novalidate: true, submit: send, input: changed, keydown: sendByKey },
    make("div", { class: "bar" },
      make("h2", { tabindex: "-1" }, "New message"),
      make("button", { type: "button", class: "button quiet", id: "compose-close", click: () => actions.close() }, "Close")),
    make("p", { class: "form-error", "data-error": "form", role: "alert", hidden: true }),
    field("to", "To", make("input", { autocomplete: "off", autocapitalize: "none", spellcheck: "false" }), "Usernames, with commas between them."),
    field("subject", "Subject", make("input", { autocomplete: "off", dir: "auto" })),
    field("message", "Message", make("textarea", { rows: "12", dir: "auto" })),
    make("div", { class: "compose-foot" },
      make("button", { class: "button primary", id: "send" }, "Send"),
      make("button", { type: "button", class: "button quiet", id: "discard", click: () => { discard(); actions.close(); tell("The draft is discarded."); } }, "Discard"),
      make("span", { class: "hint", id: "compose-state", role: "status" })));
  form.elements.to.value = to;
  form.elements.subject.value = subject;
  form.elements.message.value = message;
  byId("pane").replaceChildren(form);
  entitle({ view: "New message" });
  count(form);
  focusOn(to === "" ? form.elements.to : subject === "" ? form.elements.subject : form.elements.message);
}

function field(name, label, input, hint = null) {
  const id = `compose-${name}`;
  const notes = [hint && `${id}-hint`, `${id}-count`, `${id}-error`].filter(Boolean).join(" ");
  for (const [attribute, value] of Object.entries({ id, name, "aria-describedby": notes })) input.setAttribute(attribute, value);
  return make("div", { class: `field field-${name}` },
    make("label", { for: id }, label), input,
    hint && make("p", { class: "hint", id: `${id}-hint` }, hint),
    make("p", { class: "hint count", id: `${id}-count`, hidden: true }),
    make("p", { class: "error", id: `${id}-error`, "data-error": name, hidden: true }));
}

function changed(event) {
  const form = event.currentTarget;
  const { to, subject, message } = form.elements;
  keep({ to: to.value, subject: subject.value, message: message.value });
  count(form);
}

/** Limits are shown when they come near. */
function count(form) {
  const { subject, message } = form.elements;
  showCount("subject", characters(subject.value), SUBJECT_LIMIT, "characters");
  showCount("message", bytes(message.value), TEXT_LIMIT, "bytes");
}

function showCount(name, length, limit, unit) {
  const place = byId(`compose-${name}-count`);
  place.hidden = length < limit * NEAR;
  place.classList.toggle("over", length > limit);
  place.textContent = place.hidden ? "" : `${number(length)} of ${number(limit)} ${unit}`;
}

function sendByKey(event) {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    event.currentTarget.requestSubmit();
  }
}

/** One name is a receiver; several are receivers. */
function content(form) {
  const names = form.elements.to.value.split(/[\s,;]+/).filter(Boolean);
  const { subject: { value: subject }, message: { value: message } } = form.elements;
  const missing = [["to", names.length === 0, "Say who is to get it"], ["subject", subject === "", "Say what it is about"], ["message", message === "", "Write something"]]
    .filter(([, isMissing]) => isMissing)
    .map(([name, , detail]) => ({ pointer: `#/${name}`, detail }));
  if (missing.length > 0) throw new Problem(422, { errors: missing });
  return { ...(names.length === 1 ? { receiver: names[0] } : { receivers: names }), subject, message };
}

async function send(event) {
  event.preventDefault();
  const form = event.currentTarget;
  const button = byId("send");
  if (button.getAttribute("aria-disabled")) return;
  const state = byId("compose-state");
  let written;
  clearErrors(form);
  button.setAttribute("aria-disabled", "true");
  const timer = setTimeout(() => { state.textContent = "Sending…"; }, 300);
  const wait = (problem, time) => {
    clearTimeout(timer);
    const why = problem.status === 0 ? "No connection" : "The service is busy";
    state.textContent = `${why}. Trying again in ${Math.ceil(time / 1000)} s; it is sent once.`;
  };
  try {
    const body = content(form);
    const text = JSON.stringify(body);
    written = JSON.stringify(draft());
    if (last.content !== text) remember(text);
    await session.callAs("POST", session.own("/messages"), { body, headers: { "Idempotency-Key": last.key }, repeatable: true, wait });
    remember("");
    tell("Sent.");
    // Who has gone on meanwhile stays there, and keeps what they have begun.
    if (JSON.stringify(draft()) === written) discard();
    actions.sent(form.isConnected);
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    if (form.isConnected) showErrors(form, problem, { receiver: "to", receivers: "to" });
    else tell(`Not sent: ${problem.message} The draft is kept.`);
  } finally {
    clearTimeout(timer);
    state.textContent = "";
    button.removeAttribute("aria-disabled");
  }
}
