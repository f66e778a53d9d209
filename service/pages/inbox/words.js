// Formats names, times and lengths.

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** The page is in English, so only English locales of the browser are used for dates. */
const locale = navigator.language.startsWith("en") ? navigator.language : "en-GB";
const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto", style: "short" });
const weekday = new Intl.DateTimeFormat(locale, { weekday: "short", hour: "numeric", minute: "2-digit" });
const day = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short" });
const dayOfYear = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", year: "numeric" });
const exact = new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "medium" });

/** The relative time, or the date of older times. */
export function ago(iso, now = new Date()) {
  const then = new Date(iso);
  const seconds = (now - then) / 1000;
  if (seconds < 45) return "now";
  if (seconds < HOUR) return relative.format(-Math.max(1, Math.round(seconds / MINUTE)), "minute");
  if (seconds < 12 * HOUR) return relative.format(-Math.round(seconds / HOUR), "hour");
  if (seconds < 6 * DAY) return weekday.format(then);
  return then.getFullYear() === now.getFullYear() ? day.format(then) : dayOfYear.format(then);
}

/** The whole date and time, in the reader's time zone. */
export const exactly = (iso) => exact.format(new Date(iso));

/** A duration in seconds in words, rounded up: "90 seconds", "7 days". */
export function duration(seconds) {
  const units = { day: DAY, hour: HOUR, minute: MINUTE, second: 1 };
  const [unit, size] = Object.entries(units).find(([, size]) => seconds >= 2 * size) ?? ["second", 1];
  return new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: "long" }).format(Math.ceil(seconds / size));
}

/** The first letter or digit of a name. */
export const initial = (name) => (isGone(name) ? "–" : [...name][0].toUpperCase());

/** The colour of a name, one of eight. */
export function hue(name) {
  let sum = 0;
  for (const character of name) sum = (sum * 31 + character.codePointAt(0)) % 9973;
  return sum % 8;
}

/** A deleted account is named ~ and a number, which is not a valid username. */
export const isGone = (name) => name.startsWith("~");
export const shown = (name) => (isGone(name) ? "deleted account" : name);

/** "bob", "bob and carol", "bob, carol and 3 others". */
export function nameList(names) {
  const first = names.slice(0, names.length > 3 ? 2 : 3).map(shown);
  const others = names.length - first.length;
  if (others > 0) return `${first.join(", ")} and ${others} others`;
  return first.length > 1 ? `${first.slice(0, -1).join(", ")} and ${first.at(-1)}` : first[0];
}

/** Whether a text consists of spaces and invisible characters only. */
const isBlank = (text) => !/[^\s\p{Cc}\p{Cf}\u115f\u1160\u2800\u3164\uffa0]/u.test(text);

/** The subject of a message as it is shown. */
export const titleOf = ({ subject }) => (isBlank(subject) ? "(no subject)" : subject);

/** The beginning of a text, in one line. */
export const beginning = (text) => text.slice(0, 400).replace(/\s+/gu, " ").trim().slice(0, 160);

/** Addresses of web pages in a text: up to a space, a quotation mark, or an invisible character. */
const ADDRESS = /\bhttps?:\/\/[^\s\p{Cc}\p{Cf}<>"“”«»]+/giu;

/** The parts of a text, each as { text, href }; `href` is null unless the part is the address of a web page. */
export function addressesIn(text) {
  const parts = [];
  let end = 0;
  for (const { 0: found, index } of text.matchAll(ADDRESS)) {
    const address = withoutEnd(found);
    if (!URL.canParse(address)) continue;
    parts.push({ text: text.slice(end, index), href: null }, { text: address, href: address });
    end = index + address.length;
  }
  parts.push({ text: text.slice(end), href: null });
  return parts.filter((part) => part.text !== "");
}

/** An address without what belongs to the sentence: punctuation at its end, and brackets that it does not open. */
function withoutEnd(address) {
  const count = (characters) => [...address].filter((one) => characters.includes(one)).length;
  let surplus = count(")]}") - count("([{");
  let end = address.length;
  for (; end > 0; end -= 1) {
    const isBracket = ")]}".includes(address[end - 1]);
    if (!(isBracket && surplus > 0) && !".,;:!?'’*_".includes(address[end - 1])) break;
    if (isBracket) surplus -= 1;
  }
  return address.slice(0, end);
}

/** Lengths as the service counts them: characters of a subject, bytes of a text. */
export const characters = (text) => [...text].length;
export const bytes = (text) => new TextEncoder().encode(text).length;

/** "Re: " and the subject, truncated to 255 characters. */
export function replyTo(subject) {
  const prefixed = /^re:/i.test(subject) ? subject : `Re: ${subject}`;
  return [...prefixed].slice(0, 255).join("");
}

/** "1 message", "3 messages". */
export const messages = (count) => `${number(count)} ${count === 1 ? "message" : "messages"}`;

export const number = (value) => new Intl.NumberFormat(locale).format(value);
