// Conversations that the person wants to keep, in this browser alone, and conversations as files.

import { store, stored } from "./settings.js";

const NAME = "step-audio.history";
const MOST = 50;

/** Kept conversations, newest first: {id, at, turns}. */
export function kept() {
  const found = stored(NAME);
  return Array.isArray(found) ? found : [];
}

export function keep(id, turns) {
  if (!turns.some((turn) => turn.who !== "page")) return;
  const others = kept().filter((entry) => entry.id !== id);
  const all = [{ id, at: turns[0].at, turns }, ...others].slice(0, MOST);
  while (all.length && !store(localStorage, NAME, JSON.stringify(all))) all.pop(); // the oldest gives way
}

export function forget(id) {
  store(localStorage, NAME, JSON.stringify(id === undefined ? [] : kept().filter((entry) => entry.id !== id)));
}

export function asJson(turns) {
  return JSON.stringify({ format: "step-audio-conversation/1", turns }, null, 2);
}

export function asText(turns, names) {
  const lines = turns.map((turn) => {
    if (turn.who === "page") return "—";
    const tools = (turn.tools ?? []).map(({ name, arguments: given, output }) => `  [${name} ${given} → ${output ?? ""}]`);
    return [`${names[turn.who]}: ${turn.heard ?? turn.text}`, ...tools].join("\n");
  });
  return `${lines.join("\n\n")}\n`;
}

/** Hand a file to the person. */
export function save(name, type, content) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

export function fileName(at, ending) {
  return `step-audio-${new Date(at).toISOString().slice(0, 19).replace(/[:T]/g, "-")}.${ending}`;
}
