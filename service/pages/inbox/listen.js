// Messages as they arrive: the stream of events, read by `fetch`, because an EventSource sends no token.

import { pause, problemOf } from "/inbox/api.js";
import * as session from "/inbox/session.js";
import { publish, subscribe } from "/inbox/tab.js";

/** The service says something every 15 s; whoever is silent for longer than this is gone. In ms. */
const SILENCE = 40_000;
/** A stream that lasted for as long was a good one, in ms. */
const STEADY = 10_000;
/** Until the next try, in ms: at first, and at most. */
const FIRST_PAUSE = 500;
const LONGEST_PAUSE = 30_000;

/** Takes a stream of events apart (https://html.spec.whatwg.org/multipage/server-sent-events.html). */
export class Parser {
  #rest = "";
  #event = { type: "", data: [] };
  lastId = "";
  retry = null;

  /** The events that this text completes. */
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

/** Listens until it is stopped. Tells `hello()`, `message(message)` and `state("live" | "waiting" | "off")`. */
export class Listener {
  #tells;
  #isOn = false;
  #turn = null; // stands for the time in which this tab has the stream
  #queue = null; // ends the waiting for the stream of another tab
  #abort = null; // ends the stream under way
  #wake = () => {}; // ends the pause under way
  #lastId = "";
  #isOpen = false; // whether the last try began a stream

  constructor(tells) {
    this.#tells = tells;
    subscribe("event", (event) => { if (this.#isOn && event.of === session.username()) this.#take(event); });
    subscribe("line", ({ of, state }) => { if (this.#isOn && of === session.username()) tells.state(state); });
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

  /** The tab is looked at, or not any more. */
  look(isSeen) {
    if (!this.#isOn) return;
    if (isSeen && this.#turn) this.#wake();
    else if (isSeen) this.#claim(true);
    else if (!navigator.locks) this.#end();
  }

  /** The network has changed: a stream that looks alive may not be. */
  probe() {
    this.#abort?.abort();
    this.#wake();
  }

  #end() {
    this.#turn = null;
    this.probe();
  }

  /**
   * One tab of the browser has the stream and tells the others what comes: connections are few (HTTP/1.1 has six to a
   * host), and so are the streams of a user. It is the tab that was looked at last (`isSeen`), or when that is closed, the
   * next. Where there are no locks (plain HTTP), tabs have it while they are seen.
   */
  #claim(isSeen) {
    const listen = () => this.#goOn((this.#turn = {}));
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

  async #goOn(turn) {
    let failures = 0; // of one kind in a row: streams that did not begin, or that ended soon after
    let wasOpen = false;
    while (this.#turn === turn) {
      const spent = session.token();
      const begun = performance.now();
      let wait = 0;
      let isLost = false;
      this.#isOpen = false;
      try {
        wait = await this.#read();
      } catch (problem) {
        if (this.#turn !== turn) return;
        if (problem.status === 401) {
          this.#tell("off");
          // A person who does not sign in now is asked again by the next request.
          await session.renew(spent).catch(() => { if (this.#turn === turn) this.stop(); });
          continue;
        }
        if (problem.status === 400) this.#lastId = ""; // of another service, or of another time
        isLost = true;
        wait = problem.retryAfter ?? 0;
      }
      if (this.#turn !== turn) return;
      // A stream that ends soon after it began is not wanted, whatever it said: come back later each time.
      if (performance.now() - begun > STEADY || this.#isOpen !== wasOpen) failures = -1;
      failures += 1;
      wasOpen = this.#isOpen;
      // An end that was announced is no trouble, so nobody is told.
      if (isLost) this.#tell("waiting");
      const backOff = isLost || failures > 1 ? FIRST_PAUSE * 2 ** Math.min(Math.max(failures - 1, 0), 10) * (0.5 + Math.random()) : 0;
      await Promise.race([pause(Math.max(wait, Math.min(LONGEST_PAUSE, backOff))), new Promise((resolve) => { this.#wake = resolve; })]);
    }
  }

  /** Reads one stream to its end. Returns for how long it asks to stay away, in ms. */
  async #read() {
    const abort = (this.#abort = new AbortController());
    let timer;
    const isHeard = () => {
      clearTimeout(timer);
      timer = setTimeout(() => abort.abort(), SILENCE);
    };
    isHeard();
    try {
      const answer = await this.#open(abort.signal);
      this.#isOpen = true;
      const parser = new Parser();
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) throw new Error("the stream broke off");
        isHeard();
        for (const { type, data } of parser.push(value)) {
          if (type === "goodbye") {
            this.#lastId = parser.lastId;
            return parser.retry ?? FIRST_PAUSE;
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
    const answer = await fetch(session.own("/events"), { headers, signal, cache: "no-store", credentials: "omit", redirect: "error" });
    if (answer.ok) return answer;
    throw problemOf(answer, await answer.json().catch(() => null));
  }

  /** Takes an event over, from the stream or from the tab that has it. Kinds that are not known are passed over. */
  #take({ type, data, id }) {
    if (id) this.#lastId = id;
    // After either, what is shown may be out of date: "reset" says that events are missing.
    if (type === "hello") this.#tells.state("live");
    if (type === "hello" || type === "reset") this.#tells.hello();
    else if (type === "message") this.#tells.message(JSON.parse(data));
  }

  #tell(state) {
    publish("line", { of: session.username(), state });
    this.#tells.state(state);
  }
}
