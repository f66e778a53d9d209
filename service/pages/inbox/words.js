// The words of the page: the texts in the language of the browser, and the formats of names, times and lengths.
//
// This is the first script. It loads the texts, and then starts the page.

/** The languages. The texts of each are in `texts-LANGUAGE.js`; browsers that prefer no other one get the first. */
const LANGUAGES = ["en", "de"];

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const languageOf = (tag) => tag.toLowerCase().split("-")[0];
const preferred = navigator.languages.find((tag) => LANGUAGES.includes(languageOf(tag)));
/** The variant of the language in which dates and numbers are formatted, such as "de-AT". */
const locale = preferred ?? "en-GB";
const language = languageOf(locale);

/** The texts of the page. Those with values are functions; those with elements are functions that return arrays. */
export let t;

async function start() {
  try {
    t = (await import(`/inbox/texts-${language}.js`)).default;
    document.documentElement.lang = language;
    await import("/inbox/app.js");
  } catch (error) {
    const place = document.getElementById("not-loaded");
    place.dataset.cause = String(error);
    place.hidden = false;
  }
}

/** Units of time in seconds. */
const UNITS = { day: DAY, hour: HOUR, minute: MINUTE, second: 1 };

const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto", style: "short" });
const future = new Intl.RelativeTimeFormat(locale, { numeric: "always" });
const weekday = new Intl.DateTimeFormat(locale, { weekday: "short", hour: "numeric", minute: "2-digit" });
const day = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short" });
const dayOfYear = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", year: "numeric" });
const listed = new Intl.ListFormat(locale, { type: "conjunction" });
const choice = new Intl.ListFormat(locale, { type: "disjunction" });
const exact = new Intl.DateTimeFormat(locale, { dateStyle: "full", timeStyle: "medium" });

const numbers = new Intl.NumberFormat(locale);
const rules = new Intl.PluralRules(locale);

export const number = (value) => numbers.format(value);

/** The text for a number. `forms` are by the plural category of the language, with # in place of the number. */
export const plural = (count, forms) => (forms[rules.select(count)] ?? forms.other).replace("#", number(count));

/** The relative time, or the date of older times. */
export function ago(iso, now = new Date()) {
  const then = new Date(iso);
  const seconds = (now - then) / 1000;
  if (seconds < 45) return relative.format(0, "second");
  if (seconds < HOUR) return relative.format(-Math.max(1, Math.round(seconds / MINUTE)), "minute");
  if (seconds < 12 * HOUR) return relative.format(-Math.round(seconds / HOUR), "hour");
  if (seconds < 6 * DAY) return weekday.format(then);
  return then.getFullYear() === now.getFullYear() ? day.format(then) : dayOfYear.format(then);
}

/** The whole date and time, in the reader's time zone. */
export const exactly = (iso) => exact.format(new Date(iso));

/** A duration in seconds in the unit that suits it, rounded up, as [number, unit]. */
function inUnits(seconds) {
  const [unit, size] = Object.entries(UNITS).find(([, size]) => seconds >= 2 * size) ?? ["second", 1];
  return [Math.ceil(seconds / size), unit];
}

/** A time in so many seconds: "in 90 seconds", "in 7 days". */
export const soon = (seconds) => future.format(...inUnits(seconds));

/** A duration in seconds in English, as it is in the texts of the service: "90 seconds", "7 days". */
export function inEnglish(seconds) {
  const [count, unit] = inUnits(seconds);
  return new Intl.NumberFormat("en", { style: "unit", unit, unitDisplay: "long" }).format(count);
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
export const shown = (name) => (isGone(name) ? t.deletedAccount : name);

/** "bob", "bob and carol", "bob, carol and 3 others". */
export function nameList(names) {
  const first = names.slice(0, names.length > 3 ? 2 : 3).map(shown);
  const others = names.length - first.length;
  return listed.format(others > 0 ? [...first, t.others(others)] : first);
}

/** "j", "# or Delete". */
export const eitherOf = (words) => choice.format(words);

/** Whether a text consists of spaces and invisible characters only. */
const isBlank = (text) => !/[^\s\p{Cc}\p{Cf}\u115f\u1160\u2800\u3164\uffa0]/u.test(text);

/** The subject of a message as it is shown. */
export const titleOf = ({ subject }) => (isBlank(subject) ? t.noSubject : subject);

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

start();
