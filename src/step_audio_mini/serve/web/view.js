// Shows the conversation: one list entry a turn, altered in place, so that what is opened stays open.

import { breakdown } from "./conversation.js";
import { make } from "./dom.js";
import { hasText, text } from "./i18n.js";

export class View {
  #list;
  #shown = new Map(); // turn -> {element, update}

  constructor(list) {
    this.#list = list;
  }

  show(turn) {
    let entry = this.#shown.get(turn);
    if (!entry) {
      entry = { you: person, it: assistant, note }[turn.kind]();
      this.#shown.set(turn, entry);
      this.#list.append(entry.element);
    }
    const low = nearBottom();
    entry.update(turn);
    if (low) scrollTo({ top: document.body.scrollHeight });
  }

  drop(turn) {
    this.#shown.get(turn)?.element.remove();
    this.#shown.delete(turn);
  }

  /** The page's language changed. */
  again() {
    for (const [turn, { update }] of this.#shown) update(turn);
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
  const asked = make("pre", { tabindex: "0" });
  const given = make("pre", { tabindex: "0" });
  const heads = [make("h4"), make("h4")];
  const summary = make("summary", {}, name, brief, state);
  list.append(make("li.tool", {}, make("details", {}, summary, heads[0], asked, heads[1], given)));
  return (tool, status) => {
    name.textContent = tool.name;
    const values = parsed(tool.arguments);
    brief.textContent = values ? Object.values(values).join(", ") : "";
    state.textContent = text(`tool_${stateOf(tool, status)}`);
    state.dataset.state = stateOf(tool, status);
    heads[0].textContent = text("tool_asked");
    heads[1].textContent = text("tool_given");
    asked.textContent = pretty(tool.arguments);
    given.textContent = pretty(tool.output);
    heads[1].hidden = given.hidden = tool.output === undefined;
  };
}

function stateOf({ output, status }, response) {
  if (output !== undefined) {
    const { error, outcome = "done" } = parsed(output) ?? {};
    return error === undefined && outcome === "done" ? "done" : "failed";
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
    element.hidden = total === undefined;
    if (element.hidden) return;
    const heard = "play" in parts;
    head.textContent = text(heard ? "first_sound" : "first_text", { ms: total });
    strip.replaceChildren(...Object.entries(parts).map(([name, ms]) => segment(name, ms)));
    const rows = Object.entries(parts).flatMap(([name, ms]) => row(text(`span_${name}`), ms, name));
    const inside = Object.entries(turn.server).flatMap(([name, ms]) => row(stageName(name), ms));
    if (inside.length) rows.push(make("dt.head", {}, text("inside")), make("dd"), ...inside);
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
function languageTag(language, words = "") {
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
  return value ? JSON.stringify(value, null, 2) : json;
}
