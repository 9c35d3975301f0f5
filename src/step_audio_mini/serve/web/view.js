// Shows the conversation: one list entry a turn, altered in place, so that what is opened stays open.

import { breakdown } from "./conversation.js";
import { make } from "./dom.js";
import { currentLanguage, hasText, text } from "./i18n.js";

const MOST = 150; // turns on the page; the history has all
const BAD = ["failed", "timeout", "unconnected", "cancelled"]; // outcomes of tools; packs have good ones of their own
const LONGEST = 20000; // letters of what a tool was told or tells

export class View {
  #list;
  #shown = new Map(); // turn -> {element, update}
  #due = new Set(); // turns that changed since the last picture: sound comes many times a second
  #gone = new WeakSet(); // turns too far back
  #earlier = note();
  #low = true; // the person looks at the newest

  constructor(list) {
    this.#list = list;
    addEventListener("scroll", () => (this.#low = nearBottom()), { passive: true });
  }

  show(turn) {
    if (!this.#due.size) requestAnimationFrame(() => this.#draw());
    this.#due.add(turn);
  }

  #draw() {
    for (const turn of this.#due) this.#update(turn);
    this.#due.clear();
    if (this.#low) scrollTo({ top: document.body.scrollHeight });
  }

  #update(turn) {
    if (this.#gone.has(turn)) return;
    let entry = this.#shown.get(turn);
    if (!entry) {
      entry = { you: person, it: assistant, note }[turn.kind]();
      this.#shown.set(turn, entry);
      this.#list.append(entry.element);
    }
    entry.update(turn);
    if (this.#shown.size > MOST) this.#shorten();
  }

  #shorten() {
    const [oldest] = this.#shown.keys();
    this.#gone.add(oldest);
    this.drop(oldest);
    this.#earlier.update({ key: "earlier" });
    this.#list.prepend(this.#earlier.element);
  }

  drop(turn) {
    this.#due.delete(turn);
    this.#shown.get(turn)?.element.remove();
    this.#shown.delete(turn);
  }

  /** The page's language changed. */
  again() {
    for (const [turn, { update }] of this.#shown) update(turn);
    this.#earlier.update({ key: "earlier" });
  }
}

function nearBottom() {
  return innerHeight + scrollY > document.body.scrollHeight - 120;
}

function person() {
  const who = make("h3.who");
  const said = make("p.said");
  const facts = make("p.facts");
  const update = (turn) => {
    who.textContent = text("you");
    said.textContent = turn.text || "…";
    said.lang = languageTag(turn.language, turn.text);
    said.classList.toggle("partial", !turn.final);
    facts.textContent = factsOf(turn).join(" · ");
  };
  return { element: make("li.turn.you", {}, who, said, facts), update };
}

function factsOf({ typed, final, language, confidence, snr }) {
  if (typed) return [text("typed")];
  if (!final) return [text("partial")];
  const facts = [];
  const named = { zh: "chinese", en: "english", mixed: "mixed" }[language?.split("-")[0]];
  if (named) facts.push(text(named));
  if (Number.isFinite(confidence)) facts.push(text("sure", { percent: Math.round(100 * confidence) }));
  if (Number.isFinite(snr)) facts.push(text("snr", { db: Math.round(snr) }));
  return facts;
}

function assistant() {
  const who = make("h3.who");
  const tools = make("ul.tools");
  const heard = make("span");
  const struck = make("span.unseen"); // screen readers do not tell what is struck out
  const unheard = make("s.unheard");
  const said = make("p.said", {}, heard, struck, unheard);
  const cut = make("p.cut");
  const times = timesOf();
  const cards = new Map();
  const update = (turn) => {
    who.textContent = text("assistant");
    for (const tool of turn.tools) {
      if (!cards.has(tool)) cards.set(tool, toolCard(tools));
      cards.get(tool)(tool, turn.status);
    }
    tools.hidden = !turn.tools.length;
    heard.textContent = turn.cut ? turn.heard : turn.text;
    unheard.textContent = turn.cut ? turn.text.slice(turn.heard.length) : "";
    struck.textContent = unheard.textContent ? ` (${text("unheard")}) ` : "";
    said.hidden = !turn.text;
    said.lang = languageTag(null, turn.text);
    cut.hidden = !turn.cut && turn.status !== "cancelled";
    cut.textContent = turn.cut ? text("cut", { seconds: (turn.cut.ms / 1000).toFixed(1) }) : text("stopped");
    times.update(turn);
  };
  return { element: make("li.turn.it", {}, who, tools, said, cut, times.element), update };
}

function toolCard(list) {
  const name = make("code");
  const brief = make("span.brief");
  const state = make("span.done");
  const [asked, given] = [0, 1].map(() => make("pre", { tabindex: "0", role: "group" })); // long ones scroll, by key too
  const heads = [make("h4"), make("h4")];
  const summary = make("summary", {}, name, brief, state);
  list.append(make("li.tool", {}, make("details", {}, summary, heads[0], asked, heads[1], given)));
  let last = "";
  return (tool, status) => {
    const now = [currentLanguage(), status, tool.arguments, tool.output].join("\n");
    if (now === last) return; // results may be long
    last = now;
    name.textContent = tool.name;
    brief.textContent = Object.values(parsed(tool.arguments) ?? {}).map(plainly).join(", ").slice(0, 200);
    const came = stateOf(tool, status);
    state.textContent = hasText(`tool_${came}`) ? text(`tool_${came}`) : came.replaceAll("_", " ");
    state.dataset.state = BAD.includes(came) ? "failed" : came;
    heads[0].textContent = text("tool_asked");
    heads[1].textContent = text("tool_given");
    asked.setAttribute("aria-label", `${tool.name}: ${text("tool_asked")}`);
    given.setAttribute("aria-label", `${tool.name}: ${text("tool_given")}`);
    asked.textContent = pretty(tool.arguments);
    given.textContent = pretty(tool.output);
    heads[1].hidden = given.hidden = tool.output === undefined;
  };
}

const plainly = (value) => (typeof value === "object" ? JSON.stringify(value) : value);

/** What came of it: done, running, failed, or an outcome that the tool named. */
function stateOf({ output, status }, response) {
  if (output !== undefined) {
    const { error, outcome = "done" } = parsed(output) ?? {};
    return error === undefined ? String(outcome) : "failed";
  }
  if (status === "incomplete") return "failed";
  return response === "in_progress" ? "running" : "done";
}

function timesOf() {
  const head = make("span");
  const strip = make("span.strip", { "aria-hidden": "true" });
  const spans = make("dl");
  const element = make("details.times", {}, make("summary", {}, head, strip), spans);
  const update = (turn) => {
    const { total, ...parts } = breakdown(turn);
    element.hidden = total === undefined || turn.status === "in_progress"; // the server's part comes last
    if (element.hidden) return;
    const heard = "play" in parts;
    head.textContent = text(heard ? "first_sound" : "first_text", { ms: total });
    strip.replaceChildren(...Object.entries(parts).map(([name, ms]) => segment(name, ms)));
    const rows = Object.entries(parts).flatMap(([name, ms]) => row(text(`span_${name}`), ms, name));
    const inside = Object.entries(turn.server).filter(([name]) => name !== "end_of_turn").flatMap(([name, ms]) => row(stageName(name), ms));
    if (inside.length) rows.push(make("dt.inside", {}, text("inside")), make("dd"), ...inside);
    spans.replaceChildren(...rows);
  };
  return { element, update };
}

function segment(name, ms) {
  const element = make(`i.${name}-span`);
  element.style.flexGrow = Math.max(1, ms);
  return element;
}

function row(label, ms, name) {
  return [make(name ? `dt.${name}-span` : "dt", {}, label), make("dd", {}, `${Math.round(ms)} ms`)];
}

function stageName(name) {
  const key = `time_${name.replace(/_ms$/, "")}`;
  return hasText(key) ? text(key) : name.replace(/_ms$/, "").replaceAll("_", " ");
}

function note() {
  const line = make("p");
  return { element: make("li.note", {}, line), update: (turn) => (line.textContent = text(turn.key, turn.values)) };
}

/** For screen readers and fonts: by the server's word, else by the letters. */
export function languageTag(language, words = "") {
  if (language === "zh" || language === "en") return language;
  return /\p{Script=Han}/u.test(words) ? "zh" : "en";
}

function parsed(json) {
  try {
    const value = JSON.parse(json);
    return value && typeof value === "object" ? value : null;
  } catch {
    return null;
  }
}

function pretty(json = "") {
  const value = parsed(json);
  const all = value ? JSON.stringify(value, null, 2) : String(json);
  return all.length > LONGEST ? `${all.slice(0, LONGEST)} …` : all;
}
