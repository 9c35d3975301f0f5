// The two dialogs: settings, and history with export. Every control writes one setting.

import { microphones } from "./audio.js";
import { byId, make } from "./dom.js";
import * as history from "./history.js";
import { currentLanguage, text } from "./i18n.js";

const SELECTS = ["pack", "voice", "spoken", "pace", "device"];
const TICKS = ["aloud", "quiet", "keep"];

export function openable(button, dialog, before) {
  byId(button).addEventListener("click", () => {
    before();
    byId(dialog).showModal();
  });
  // A click beside the dialog closes it; clicks inside hit its form.
  byId(dialog).addEventListener("click", ({ target }) => target === byId(dialog) && byId(dialog).close());
}

/** `looked` is told when the server was asked again what it offers. */
export function settingsPanel(settings, server, looked) {
  for (const name of SELECTS) byId(name).addEventListener("change", ({ target }) => settings.set(name, target.value));
  for (const name of TICKS) byId(name).addEventListener("change", ({ target }) => settings.set(name, target.checked));
  byId("key").addEventListener("change", async ({ target }) => {
    settings.key = target.value.trim();
    await server.look(settings.key);
    looked();
  });
  async function fill() {
    fillPack(settings, server);
    fillVoice(settings, server);
    for (const name of ["spoken", "pace"]) byId(name).value = settings.get(name);
    for (const name of TICKS) byId(name).checked = settings.get(name);
    byId("key").value = settings.key;
    const devices = await microphones();
    byId("device-row").hidden = devices.length < 2;
    choices("device", [["", text("device_any")], ...devices.map((device) => [device.deviceId, device.label])], settings);
  }
  openable("open-settings", "settings", fill);
  return fill;
}

function fillPack(settings, server) {
  const language = currentLanguage();
  byId("pack-row").hidden = server.models.length < 2;
  choices("pack", server.models.map((entry) => [entry.id, server.label(entry)]), settings);
  const model = server.model(settings.get("pack"));
  byId("pack").value = model.id;
  byId("pack-about").textContent = server.about(model, language);
  const can = server.can(model, language);
  byId("pack-more").hidden = !can.length;
  byId("pack-can").replaceChildren(...can.map((thing) => make("li", {}, thing)));
}

function fillVoice(settings, server) {
  const voices = server.voices(settings.get("pack"));
  const named = { zh: text("chinese"), en: text("english") };
  const label = ({ name, language }) => (named[language] ? `${name} (${named[language]})` : name);
  byId("voice-row").hidden = voices.length < 2;
  choices("voice", [["", text("voice_auto")], ...voices.map((voice) => [voice.name, label(voice)])], settings);
}

function choices(id, entries, settings) {
  byId(id).replaceChildren(...entries.map(([value, label]) => make("option", { value }, label)));
  byId(id).value = settings.get(id);
  if (byId(id).selectedIndex < 0) byId(id).selectedIndex = 0;
}

export function historyPanel(settings, conversation) {
  const names = () => ({ you: text("you"), assistant: text("assistant") });
  const write = (turns, ending) => {
    const [type, content] = ending === "json" ? ["application/json", history.asJson(turns)] : ["text/plain", history.asText(turns, names())];
    history.save(history.fileName(turns[0]?.at ?? Date.now(), ending), type, content);
  };
  byId("export-json").addEventListener("click", () => write(conversation.plain(), "json"));
  byId("export-text").addEventListener("click", () => write(conversation.plain(), "txt"));
  byId("forget").addEventListener("click", () => {
    history.forget();
    fill();
  });
  function fill() {
    const past = history.kept();
    const none = !conversation.turns.length;
    byId("export-json").disabled = byId("export-text").disabled = none;
    byId("forget").hidden = !past.length;
    byId("history-empty").hidden = past.length > 0 || settings.get("keep");
    byId("history-empty").textContent = text("past_none");
    byId("past").replaceChildren(...past.map((entry) => pastEntry(entry, { names, write, again: fill })));
  }
  openable("open-history", "history", fill);
}

function pastEntry({ id, at, turns }, { names, write, again }) {
  const when = new Date(at).toLocaleString(document.documentElement.lang);
  const first = turns.find((turn) => turn.who === "you")?.text ?? "…";
  const drop = () => {
    history.forget(id);
    again();
  };
  const button = (key, click) => make("button.soft", { type: "button", click, "aria-label": `${text(key)}: ${when}` }, text(key));
  const count = text("past_turns", { count: turns.filter((turn) => turn.who !== "page").length });
  const words = make("p.words");
  const read = () => (words.textContent = history.asText(turns, names()));
  const head = make("summary", {}, make("b", {}, first), make("small", {}, `${when} · ${count}`));
  const buttons = make("p.choices", {}, button("past_open", () => write(turns, "json")), button("past_drop", drop));
  return make("li", {}, make("details", { toggle: read }, head, words, buttons));
}
