// Puts the page together: what is pressed goes to the call, what the call tells is shown.

import { soundPossible } from "./audio.js";
import { Call } from "./call.js";
import { byId, make } from "./dom.js";
import { keep } from "./history.js";
import { currentLanguage, preferredLanguage, speakLanguage, text } from "./i18n.js";
import { historyPanel, settingsPanel } from "./panels.js";
import { Server } from "./server.js";
import { Settings } from "./settings.js";
import { pressButton } from "./talk-button.js";
import { Timeline, height } from "./timeline.js";
import { View, languageTag } from "./view.js";

const settings = new Settings();
const server = new Server();
const call = new Call(settings);
const { conversation } = call;
const view = new View(byId("turns"));
const timeline = new Timeline(byId("timeline"), showLevel);
const began = Date.now().toString(36);
let saving = null; // a timer, while something is not kept yet
let loudest = 0; // of the microphone since the last picture
let shownLevel = "";
let noticed = null; // the notice on show, for a change of language

const pressMode = () => settings.get("mode") === "press";
const url = () => server.url(settings.get("pack"));

// Conversation

conversation.addEventListener("changed", ({ detail: { turn } }) => {
  byId("welcome").hidden = true;
  view.show(turn);
  // Spoken answers need no second voice over them; silent ones are read by the screen reader once they are whole.
  const silent = !settings.get("aloud") || !call.player;
  if (silent && turn.kind === "it" && turn.status === "completed") say("said", turn.text);
  saving ??= setTimeout(save, 3000);
});
conversation.addEventListener("removed", ({ detail: { turn } }) => view.drop(turn));
conversation.addEventListener("marker", ({ detail: { kind, at } }) => timeline.mark(kind, at));

function save() {
  clearTimeout(saving);
  saving = null;
  if (settings.get("keep")) keep(began, conversation.plain());
}

/** Into a live region, once: a screen reader would read the same words again. */
function say(region, words) {
  if (byId(region).textContent !== words) byId(region).textContent = words;
}

// State

call.addEventListener("state", () => {
  const { state } = call;
  byId("state").dataset.state = state;
  byId("state-text").textContent = stateText();
  // Not while somebody speaks: the screen reader would talk over both.
  if (!["hearing", "thinking"].includes(state) && !state.startsWith("answering")) say("live", stateText());
  allow("stop", state.startsWith("answering") || Boolean(conversation.active));
  allow("hang-up", call.isOn);
  timeline.run(call.isOn);
  showButton();
});

function stateText() {
  const { reason } = call.values;
  return text(`state_${call.state}${reason ? `_${reason}` : ""}`, call.values);
}

/** Who pressed it by key must not be left nowhere when it goes. */
function allow(button, on) {
  if (!on && document.activeElement === byId(button)) byId("talk").focus();
  byId(button).disabled = !on;
}

function buttonKey() {
  if (call.state === "reconnecting") return "retry";
  if (!call.listens || !call.isOn) return "start";
  if (pressMode()) return call.held ? "release" : "hold";
  return call.muted ? "unmute" : "mute";
}

function showButton() {
  const key = buttonKey();
  const button = byId("talk");
  button.setAttribute("aria-label", text(`talk_${key}`));
  button.title = text(`talk_${key}`);
  button.dataset.live = String(call.isReady && call.listens && !call.muted && (!pressMode() || call.held));
  button.dataset.muted = String(call.muted);
  button.dataset.waits = String(key === "retry");
}

call.addEventListener("level", ({ detail: { you, it, heard } }) => {
  timeline.add({ you: heard === false ? 0 : you, it });
  if (you !== undefined) loudest = Math.max(loudest, height(you));
});

/** As often as the picture of the sound is drawn, which is less often than levels come. */
function showLevel() {
  const level = loudest.toFixed(2);
  loudest = 0;
  if (level === shownLevel) return;
  shownLevel = level;
  byId("talk").style.setProperty("--level", level);
  byId("level").style.setProperty("--level", level);
  byId("level").setAttribute("aria-valuenow", String(Math.round(100 * level)));
}

call.addEventListener("notice", ({ detail: { key, values } }) => notice(key, values));

function notice(key, values = {}) {
  noticed = { key, values };
  byId("notice-text").textContent = text(key, values);
  byId("notice").hidden = false;
}

function dismiss() {
  noticed = null;
  byId("notice").hidden = true;
}

// What is pressed

pressButton(byId("talk"), {
  async click() {
    if (call.state === "reconnecting") return call.wake();
    if (call.isOn && call.listens) return pressMode() ? undefined : call.mute(!call.muted);
    if (!soundPossible()) return insecure();
    dismiss();
    return call.start({ url: url(), microphone: true });
  },
  canHold: () => ["hold", "release"].includes(buttonKey()),
  isHeld: () => call.held,
  press: () => call.press(),
  release: () => call.release(),
});

byId("write").addEventListener("submit", async (event) => {
  event.preventDefault();
  const words = byId("words").value.trim();
  if (words && (await write(words))) byId("words").value = "";
});

async function write(words) {
  dismiss();
  if (!call.isOn) await call.start({ url: url(), microphone: false });
  return (await ready()) && call.write(words);
}

/** Resolves once the session stands; false where it never did. */
function ready() {
  return new Promise((done) => {
    const look = () => {
      if (call.isReady || !call.isOn) finish(call.isReady);
    };
    const finish = (well) => {
      call.removeEventListener("state", look);
      done(well);
    };
    call.addEventListener("state", look);
    look();
  });
}

byId("stop").addEventListener("click", () => call.interrupt());
byId("hang-up").addEventListener("click", () => call.hangUp());
byId("notice-close").addEventListener("click", dismiss);
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !event.isComposing && !document.querySelector("dialog[open]")) call.interrupt();
});
addEventListener("online", () => call.wake());
document.addEventListener("visibilitychange", () => document.hidden || call.wake());
addEventListener("pagehide", () => {
  call.hangUp();
  save();
});
navigator.mediaDevices?.addEventListener("devicechange", () => fillPanel());

// What is chosen

for (const input of document.querySelectorAll("[name=mode]")) {
  input.checked = input.value === settings.get("mode");
  input.addEventListener("change", () => settings.set("mode", input.value));
}

settings.addEventListener("changed", ({ detail: { name } }) => {
  if (name === "pack" || name === "voice") {
    showOffer();
    call.restart(url(), text(name));
  } else if (name === "device" || name === "quiet") call.changeMicrophone();
  else if (["mode", "pace", "spoken", "aloud"].includes(name)) call.update();
});

byId("language").addEventListener("click", () => {
  settings.set("language", currentLanguage() === "zh" ? "en" : "zh");
  words();
});

function words() {
  speakLanguage(settings.get("language") ?? preferredLanguage());
  byId("language").lang = currentLanguage() === "zh" ? "en" : "zh";
  byId("state-text").textContent = stateText();
  if (noticed) notice(noticed.key, noticed.values);
  showButton();
  view.again();
  showOffer();
}

/** What the chosen model can do: in the settings, and for who just came. */
function showOffer() {
  fillPanel();
  const pack = settings.get("pack");
  const about = server.about(server.model(pack), currentLanguage());
  byId("offer").textContent = about && text("offer", { about });
  const item = (words) => make("li", {}, make("button", { type: "button", lang: languageTag(null, words), click: () => write(words) }, words));
  byId("examples").replaceChildren(...server.examples(pack, currentLanguage()).map(item));
}

const THEMES = ["auto", "light", "dark"];
byId("theme").addEventListener("click", () => {
  settings.set("theme", THEMES[(THEMES.indexOf(settings.get("theme")) + 1) % THEMES.length]);
  theme();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", theme);

function theme() {
  document.documentElement.dataset.theme = settings.get("theme");
  timeline.recolour();
}

function insecure() {
  notice("insecure", { host: location.hostname, port: location.port || "80" });
}

const fillPanel = settingsPanel(settings, server, showOffer);
historyPanel(settings, conversation);
theme();
words();
if (!soundPossible()) insecure();
server.look(settings.key).then(showOffer);
