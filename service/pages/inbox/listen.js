// Messages as they arrive: the stream of events, read by `fetch`, because an EventSource sends no token.

import { pause, problemOf } from "/inbox/api.js";
import * as session from "/inbox/session.js";

/** The service says something every 15 s; whoever is silent for longer than this is gone. In ms. */
const SILENCE = 40_000;
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

/** Listens until it is stopped. Tells `hello(isFirst)`, `message(message)` and `state("live" | "waiting" | "off")`. */
export class Listener {
  #tells;
  #abort = null; // ends the stream under way
  #wake = () => {}; // ends the pause under way
  #run = null; // stands for the time between a start and a stop
  #lastId = "";
  #next = 0; // how long the stream that ended asks to wait, in ms

  constructor(tells) {
    this.#tells = tells;
  }

  start() {
    if (this.#run) return;
    this.#run = {};
    this.#goOn(this.#run);
  }

  stop() {
    this.#run = null;
    this.#lastId = "";
    this.#abort?.abort();
    this.#wake();
  }

  /** The network is back, or somebody looks at the page again: do not wait any longer. */
  hurry() {
    this.#wake();
  }

  async #goOn(run) {
    let failures = 0;
    while (this.#run === run) {
      const spent = session.token();
      try {
        await this.#read(() => { failures = 0; });
        failures = 0;
      } catch (problem) {
        if (this.#run !== run) return;
        if (problem.status === 401) {
          this.#tells.state("off");
          // A person who does not sign in now is asked again by what they do next.
          await session.renew(spent).catch(() => { if (this.#run === run) this.#run = null; });
          continue;
        }
        if (problem.status === 400) this.#lastId = ""; // of another service, or of another time
        failures += 1;
        const backOff = FIRST_PAUSE * 2 ** Math.min(failures - 1, 10) * (0.5 + Math.random());
        this.#next = Math.min(LONGEST_PAUSE, Math.max(problem.retryAfter ?? 0, backOff));
      }
      if (this.#run !== run) return;
      // An end that was announced is no trouble, so nobody is told.
      if (failures > 0) this.#tells.state("waiting");
      await Promise.race([pause(this.#next), new Promise((resolve) => { this.#wake = resolve; })]);
    }
  }

  /** Reads one stream to its end. */
  async #read(isLive) {
    const abort = (this.#abort = new AbortController());
    let timer;
    const isHeard = () => {
      clearTimeout(timer);
      timer = setTimeout(() => abort.abort(), SILENCE);
    };
    isHeard();
    try {
      const answer = await this.#open(abort.signal);
      const parser = new Parser();
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let isOver = false; !isOver; ) {
        const { value, done } = await reader.read();
        if (done) throw new Error("the stream broke off");
        isHeard();
        for (const event of parser.push(value)) {
          isLive();
          isOver = this.#take(event, parser) || isOver;
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

  /** Whether the event was the last one. */
  #take(event, parser) {
    const isFirst = this.#lastId === "";
    if (parser.lastId) this.#lastId = parser.lastId;
    if (event.type === "hello") {
      this.#tells.state("live");
      this.#tells.hello(isFirst);
    } else if (event.type === "message") {
      this.#tells.message(JSON.parse(event.data));
    } else if (event.type === "reset") {
      this.#tells.hello(true); // the database is an earlier one: the list is to be loaded again
    } else if (event.type === "goodbye") {
      this.#next = parser.retry ?? FIRST_PAUSE;
      return true;
    }
    return false;
  }
}
