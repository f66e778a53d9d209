// The event stream with new messages and changes. It is read with `fetch`, because an EventSource cannot send a token.

import { pause, toProblem } from "/inbox/api.js";
import { announce, byId, showToast } from "/inbox/dom.js";
import * as session from "/inbox/session.js";
import { publish, subscribe } from "/inbox/tab.js";
import { t } from "/inbox/words.js";

/** Timeout in ms of a stream without data. The service sends a comment at least every 15 s. */
const IDLE_TIMEOUT = 40_000;
/** The duration in ms after which a stream counts as stable. */
const STABLE_AFTER = 10_000;
/** The first and the longest delay before a reconnect, in ms. */
const MIN_RECONNECT_DELAY = 500;
const MAX_RECONNECT_DELAY = 30_000;
/** Delay in ms before a lost connection is shown; most are restored earlier. */
const OFFLINE_DELAY = 4000;

/** Parses Server-Sent Events (https://html.spec.whatwg.org/multipage/server-sent-events.html). */
export class Parser {
  #rest = "";
  #event = { type: "", data: [] };
  lastId = "";
  retry = null;

  /** Returns the events that the text completes. */
  *push(text) {
    this.#rest += text;
    for (;;) {
      const end = /\r\n|\n|\r/.exec(this.#rest);
      // A CR at the end may be half of a line break.
      if (!end || (end[0] === "\r" && end.index === this.#rest.length - 1)) return;
      const line = this.#rest.slice(0, end.index);
      this.#rest = this.#rest.slice(end.index + end[0].length);
      if (line === "") yield* this.#dispatch();
      else this.#take(line);
    }
  }

  #take(line) {
    const colon = line.indexOf(":");
    const [name, value] = colon < 0 ? [line, ""] : [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, "")];
    if (name === "event") this.#event.type = value;
    else if (name === "data") this.#event.data.push(value);
    else if (name === "id" && !value.includes("\0")) this.lastId = value;
    else if (name === "retry" && /^\d+$/.test(value)) this.retry = Number(value);
  }

  *#dispatch() {
    const { type, data } = this.#event;
    this.#event = { type: "", data: [] };
    if (data.length > 0) yield { type: type || "message", data: data.join("\n") };
  }
}

/**
 * Receives events until it is stopped. Calls `hello()`, `message(message)`, `marked(ids, read)`, `deleted(ids)` and
 * `state("live" | "waiting" | "off")`.
 */
export class Listener {
  #callbacks;
  #isOn = false;
  #ownership = null; // identifies the period in which this tab has the stream
  #queue = null; // aborts the wait for the lock
  #abort = null; // aborts the current stream
  #wake = () => {}; // ends the current delay
  #lastId = "";
  #isOpen = false; // whether the last attempt opened a stream

  constructor(callbacks) {
    this.#callbacks = callbacks;
    subscribe("event", (event) => {
      if (this.#isOn && event.of === session.username()) this.#take(event);
    });
    subscribe("line", ({ of, state }) => {
      if (this.#isOn && of === session.username()) callbacks.state(state);
    });
  }

  /** Whether this tab has the stream. */
  get hasStream() {
    return this.#ownership !== null;
  }

  start() {
    if (this.#isOn) return;
    this.#isOn = true;
    this.#claim(!document.hidden);
  }

  stop() {
    this.#isOn = false;
    this.#lastId = "";
    this.#queue?.abort();
    this.#end();
  }

  /** Handles a change of the tab's visibility. */
  look(isSeen) {
    if (!this.#isOn) return;
    if (isSeen && this.#ownership) this.#wake();
    else if (isSeen) this.#claim(true);
    else if (!navigator.locks) this.#end();
  }

  /** Reconnects after a change of the network, because the stream may be dead. */
  probe() {
    this.#abort?.abort();
    this.#wake();
  }

  #end() {
    this.#ownership = null;
    this.probe();
  }

  /**
   * Acquires the stream for this tab. One tab of a browser has the stream and forwards events to the others, because
   * connections (six per host over HTTP/1.1) and streams of a user are limited. It is the tab that was visible last
   * (`isSeen`) or, when that is closed, the next one. Without locks (over plain HTTP), each visible tab has a stream.
   */
  #claim(isSeen) {
    const listen = () => this.#run((this.#ownership = {}));
    if (!navigator.locks) {
      if (isSeen) listen();
      return;
    }
    this.#queue?.abort();
    const queue = (this.#queue = new AbortController());
    const how = isSeen ? { steal: true } : { signal: queue.signal };
    navigator.locks.request(`herolo.events.${session.username()}`, how, listen).catch(() => {
      if (!this.#isOn || queue.signal.aborted) return;
      this.#end();
      this.#claim(false);
    });
  }

  async #run(ownership) {
    let failures = 0; // consecutive failures of one kind: streams that were not opened, or that ended soon
    let wasOpen = false;
    while (this.#ownership === ownership) {
      const spent = session.token();
      const begun = performance.now();
      let wait = 0;
      let isLost = false;
      this.#isOpen = false;
      try {
        wait = await this.#read();
      } catch (problem) {
        if (this.#ownership !== ownership) return;
        if (problem.status === 401) {
          this.#setState("off");
          // If the user does not sign in now, the next request asks again.
          await session.renew(spent).catch(() => {
            if (this.#ownership === ownership) this.stop();
          });
          continue;
        }
        if (problem.status === 400) this.#lastId = ""; // an id of another service or version
        isLost = true;
        wait = problem.retryAfter ?? 0;
      }
      if (this.#ownership !== ownership) return;
      // Streams that end soon are a failure even if they are announced, so the delay increases.
      if (performance.now() - begun > STABLE_AFTER || this.#isOpen !== wasOpen) failures = -1;
      failures += 1;
      wasOpen = this.#isOpen;
      // An announced end is not shown to the user.
      if (isLost) this.#setState("waiting");
      const backOff =
        isLost || failures > 1
          ? MIN_RECONNECT_DELAY * 2 ** Math.min(Math.max(failures - 1, 0), 10) * (0.5 + Math.random())
          : 0;
      await Promise.race([
        pause(Math.max(wait, Math.min(MAX_RECONNECT_DELAY, backOff))),
        new Promise((resolve) => {
          this.#wake = resolve;
        }),
      ]);
    }
  }

  /** Reads one stream to its end. Returns the requested delay before a reconnect in ms. */
  async #read() {
    const abort = (this.#abort = new AbortController());
    let timer;
    const isHeard = () => {
      clearTimeout(timer);
      timer = setTimeout(() => abort.abort(), IDLE_TIMEOUT);
    };
    isHeard();
    try {
      const response = await this.#open(abort.signal);
      this.#isOpen = true;
      const parser = new Parser();
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) throw new Error("the stream broke off");
        isHeard();
        for (const { type, data } of parser.push(value)) {
          if (type === "goodbye") {
            this.#lastId = parser.lastId;
            return parser.retry ?? MIN_RECONNECT_DELAY;
          }
          const event = { of: session.username(), type, data, id: parser.lastId };
          publish("event", event);
          this.#take(event);
        }
      }
    } finally {
      clearTimeout(timer);
      abort.abort();
    }
  }

  async #open(signal) {
    const headers = { Authorization: `Bearer ${session.token()}`, Accept: "text/event-stream" };
    if (this.#lastId) headers["Last-Event-ID"] = this.#lastId;
    const response = await fetch(session.own("/events"), {
      headers,
      signal,
      cache: "no-store",
      credentials: "omit",
      redirect: "error",
    });
    if (response.ok) return response;
    throw toProblem(response, await response.json().catch(() => null));
  }

  /** Handles an event from the stream or from the tab that has it. Unknown kinds are ignored. */
  #take({ type, data, id }) {
    if (id) this.#lastId = id;
    const { state, hello, message, marked, deleted } = this.#callbacks;
    const value = JSON.parse(data);
    if (type === "hello") state("live");
    // All require a reload: "reset" and "refetch" mean that events are missing.
    if (["hello", "reset", "refetch"].includes(type)) hello();
    else if (type === "message") message(value);
    else if (type === "marked") marked(new Set(value.ids), value.read);
    else if (type === "deleted") deleted(new Set(value.ids));
  }

  #setState(state) {
    publish("line", { of: session.username(), state });
    this.#callbacks.state(state);
  }
}

let lineTimer;

/** Shows the state of the connection: "live", "waiting" or "off". */
export function showConnection(state) {
  clearTimeout(lineTimer);
  const line = byId("line");
  const set = (text) => {
    line.dataset.state = state;
    byId("line-text").textContent = text;
  };
  if (state === "live") {
    if (line.dataset.state === "waiting" && line.dataset.told) showToast(t.connectedAgain);
    delete line.dataset.told;
    set(t.live);
  } else if (state === "off") {
    set(t.signedOut);
  } else {
    lineTimer = setTimeout(
      () => {
        set(navigator.onLine ? t.reconnecting : t.offline);
        if (line.dataset.told) return;
        line.dataset.told = "yes";
        announce(t.connectionLost);
      },
      navigator.onLine ? OFFLINE_DELAY : 0,
    );
  }
}
