// One call: the line, the conversation, microphone and loudspeaker, and what the person does with them.

import { Microphone, Player, openContext, soundPossible } from "./audio.js";
import { InputClock, Overlap } from "./clock.js";
import { Conversation } from "./conversation.js";
import { base64FromPcm } from "./pcm.js";
import { Line } from "./socket.js";

const BEFORE = 15; // frames of 20 ms from before the button was pressed: people speak a little too early
const AFTER = 200; // milliseconds after its release: and let go a little too early
const PCM = { type: "audio/pcm", rate: 24000 };
const EXTRAS = { partials: true, hold: true }; // beyond the protocol: a server that does not know them sends neither
// Of no interest to the person: two races that a call settles by itself.
const HARMLESS = ["response_cancel_not_active", "conversation_already_has_active_response"];

export class Call extends EventTarget {
  // Events: state, level {you, it}, notice {key, values}
  conversation;
  player = null;
  held = false; // the button is pressed
  muted = false;
  #settings;
  #line = new Line();
  #microphone = new Microphone();
  #context = null;
  #clock = new InputClock();
  #overlap = new Overlap();
  #before = []; // frames not sent yet, of before a press
  #dropped = new Set(); // responses that were interrupted: their late sound is not played
  #on = false;
  #opening = false; // the microphone, for which the browser may ask
  #ready = false; // the server has taken our settings
  #speaking = false; // the person, by the server's word
  #awaiting = false; // an answer is to come
  #waits = null; // {seconds, reason} until the next try
  #flat = 0; // frames of perfect silence
  #numbered = 0;
  #ups = 0;

  constructor(settings) {
    super();
    this.#settings = settings;
    this.conversation = new Conversation((ms) => this.#clock.wallOf(ms));
    this.conversation.addEventListener("failed", ({ detail }) => this.#notice("trouble", detail));
    const on = (name, how) => this.#line.addEventListener(name, ({ detail }) => how(detail));
    on("message", ({ event }) => this.#receive(event));
    on("up", () => this.#up());
    on("down", ({ delay, reason }) => this.#down({ seconds: Math.max(1, Math.round(delay / 1000)), reason }));
    on("over", ({ reason, code }) => {
      this.hangUp();
      this.#notice(`closed_${reason}`, { code });
    });
  }

  get isOn() {
    return this.#on;
  }

  /** Whether the session stands. */
  get isReady() {
    return this.#ready;
  }

  get listens() {
    return this.#microphone.isOpen;
  }

  /** What the state's words tell of. */
  get values() {
    return this.#waits ?? {};
  }

  get state() {
    if (!this.#on) return "off";
    if (this.#waits) return "reconnecting";
    if (this.#opening) return "opening";
    if (!this.#ready) return "connecting";
    if (this.held || this.#speaking) return "hearing";
    const press = this.#settings.get("mode") === "press";
    if (this.player?.busy) {
      if (!this.listens || this.muted) return "answering_only";
      return press ? "answering_press" : "answering";
    }
    if (this.#awaiting) return "thinking";
    if (!this.listens) return "writing";
    if (press) return "hold";
    return this.muted ? "muted" : "listening";
  }

  /** By a gesture of the person, since browsers allow sound only then. */
  async start({ url, microphone }) {
    if (!this.#on) {
      this.#on = true;
      this.#ups = 0;
      this.conversation.note("note_new");
      this.#line.open({ url, key: this.#settings.key });
    }
    this.#opening = microphone;
    this.#tell();
    await this.#openSound();
    if (microphone) await this.#openMicrophone();
    if (this.#on) this.#tell();
    else this.#microphone.close(); // hung up meanwhile
  }

  hangUp() {
    if (!this.#on) return;
    this.#on = this.#ready = this.held = this.muted = false;
    this.#line.close();
    this.#microphone.close();
    this.player?.clear();
    this.#calm();
    this.conversation.lost();
    this.#tell();
  }

  /** Something was chosen that only a new session takes. */
  restart(url, what) {
    if (!this.#on) return;
    this.#line.open({ url, key: this.#settings.key });
    this.#lose();
    this.#ups = 0;
    this.conversation.note("note_changed", { what });
    this.#tell();
  }

  /** Something was chosen that the running session takes. */
  update() {
    this.#speaking = false;
    if (this.#line.isUp) this.#configure();
    this.#tell();
  }

  async changeMicrophone() {
    if (!this.listens) return;
    this.#microphone.close();
    await this.#openMicrophone();
    this.#tell();
  }

  mute(on) {
    this.muted = on;
    this.#speaking = false;
    if (on) this.#send({ type: "input_audio_buffer.clear" });
    this.#tell();
  }

  press() {
    if (this.held || !this.#ready || !this.listens) return false;
    this.interrupt();
    this.held = true;
    this.#send({ type: "input_audio_buffer.clear" });
    for (const frame of this.#before) this.#append(frame);
    this.#before = [];
    this.#tell();
    return true;
  }

  async release() {
    if (!this.held) return;
    await new Promise((done) => setTimeout(done, AFTER));
    if (!this.held) return;
    this.held = false;
    this.conversation.asked(performance.now());
    this.#awaiting = true;
    this.#send({ type: "input_audio_buffer.commit" });
    this.#send({ type: "response.create" });
    this.#tell();
  }

  write(text) {
    if (!this.#ready) return false;
    this.interrupt();
    const id = `item_page_${Date.now().toString(36)}_${++this.#numbered}`;
    const content = [{ type: "input_text", text }];
    this.#send({ type: "conversation.item.create", item: { id, type: "message", role: "user", content } });
    this.#send({ type: "response.create" });
    this.conversation.wrote(id, text, performance.now());
    this.#awaiting = true;
    this.#tell();
    return true;
  }

  /** The person wants the answer to stop. */
  interrupt() {
    if (!this.conversation.active && !this.player?.busy) return;
    if (this.conversation.active) this.#send({ type: "response.cancel" });
    this.#silence();
  }

  /** The network came back, or the page is looked at again: phones put sound to sleep behind its back. */
  wake() {
    this.#line.hurry();
    if (this.#on) this.#context?.resume();
  }

  /** Stop playing, and tell the server what was really heard. */
  async #silence() {
    const { active } = this.conversation;
    if (active) this.#dropped.add(active);
    this.#awaiting = false;
    const at = performance.now();
    const heard = await this.player?.clear();
    this.player?.duck(false);
    this.#tell();
    if (!heard) return;
    this.conversation.cut(heard.item, heard.ms, at);
    const { item, ms } = heard;
    this.#send({ type: "conversation.item.truncate", item_id: item, content_index: 0, audio_end_ms: ms });
    this.#send({ type: "conversation.item.retrieve", item_id: item });
  }

  async #openSound() {
    if (this.#context || !soundPossible()) return;
    try {
      this.#context = await openContext();
      this.player = new Player(this.#context);
      this.player.addEventListener("started", ({ detail }) => this.conversation.sounded(detail.item, detail.at));
      this.player.addEventListener("ended", () => this.#tell());
      this.player.addEventListener("level", ({ detail }) => this.#emit("level", { it: detail.level }));
      if (this.#ready) this.#configure(); // answers can be spoken now
    } catch {
      this.#context = null;
      this.#notice("sound_failed");
    }
  }

  async #openMicrophone() {
    this.#opening = Boolean(this.#context) && !this.listens;
    if (!this.#context) this.#notice("insecure");
    if (!this.#opening) return;
    const options = {
      device: this.#settings.get("device"),
      suppressNoise: this.#settings.get("quiet"),
      heard: (frame) => this.#heard(frame),
      lost: () => this.#microphoneLost(),
    };
    this.#tell();
    try {
      await this.#context.resume();
      await this.#microphone.open(this.#context, options);
      this.#flat = 0;
    } catch (error) {
      const key = { NotAllowedError: "microphone_denied", NotFoundError: "no_microphone" }[error.name];
      this.#notice(key ?? "microphone_busy");
    }
    this.#opening = false;
  }

  /** Unplugged, or taken away by the person or the system: another one will do. */
  async #microphoneLost() {
    this.#microphone.close();
    this.held = this.#speaking = false;
    this.#send({ type: "input_audio_buffer.clear" });
    await this.#openMicrophone();
    if (this.listens) this.#notice("microphone_changed");
    this.#tell();
  }

  #heard({ frame, level, peak }) {
    this.#flat = peak === 0 ? this.#flat + 1 : 0;
    if (this.#flat === 200) this.#notice("microphone_silent"); // four seconds
    const press = this.#settings.get("mode") === "press";
    const open = press ? this.held : !this.muted;
    this.#emit("level", { you: press || !this.muted ? level : 0, heard: open });
    if (!this.#ready) return;
    if (open) this.#append(frame);
    else if (press) this.#before = [...this.#before.slice(1 - BEFORE), frame];
    const over = this.#overlap.push(level);
    if (this.player?.busy && !press && !this.muted) this.player.duck(over);
  }

  #append(frame) {
    if (this.#send({ type: "input_audio_buffer.append", audio: base64FromPcm(frame) })) this.#clock.appended(performance.now());
  }

  #up() {
    this.#waits = null;
    if (this.#ups++) this.conversation.note("note_reconnected");
    this.#tell();
  }

  #down(values) {
    this.#lose();
    this.#waits = values;
    this.#tell();
  }

  /** The session is gone: nothing of it is still to come. */
  #lose() {
    this.#ready = this.held = false;
    this.player?.clear();
    this.#calm();
    this.conversation.lost();
  }

  #calm() {
    this.#speaking = this.#awaiting = false;
    this.#waits = null;
    this.#before = [];
    this.#dropped.clear();
    this.#clock.restart();
  }

  #configure() {
    const get = (name) => this.#settings.get(name);
    const aloud = get("aloud") && this.player !== null;
    const open = { type: "semantic_vad", eagerness: get("pace"), create_response: true, interrupt_response: true };
    const transcription = { model: this.conversation.settings.model, ...(get("spoken") ? { language: get("spoken") } : {}) };
    const input = { format: PCM, transcription, turn_detection: get("mode") === "open" ? open : null };
    const output = { format: PCM, ...(get("voice") ? { voice: get("voice") } : {}) };
    const session = { type: "realtime", output_modalities: [aloud ? "audio" : "text"], audio: { input, output }, step_audio: EXTRAS };
    this.#send({ type: "session.update", event_id: "page_settings", session });
  }

  #receive(event) {
    this.conversation.receive(event, performance.now());
    if (event.type === "session.created") this.#configure();
    else if (event.type === "session.updated") this.#ready = true;
    else if (event.type === "error") this.#failed(event.error ?? {});
    else if (event.type === "input_audio_buffer.speech_started") this.#spoke();
    else if (event.type === "input_audio_buffer.speech_stopped")
      [this.#speaking, this.#awaiting] = [false, !event.step_audio?.dropped];
    else if (nothingUnderstood(event)) this.#awaiting = false;
    else if (event.type === "response.output_audio.delta") this.#sound(event);
    else if (event.type === "response.output_audio.done") this.player?.end(event.item_id);
    else if (event.type === "response.done") this.#answered(event.response);
    else return;
    this.#tell();
  }

  #spoke() {
    this.#speaking = true;
    if (this.conversation.active || this.player?.busy) this.#silence();
  }

  #sound({ response_id, item_id, delta, step_audio: extra }) {
    if (this.#dropped.has(response_id)) return;
    if (typeof extra?.hold === "boolean") this.player?.hold(extra.hold);
    if (delta) this.player?.push(item_id, delta);
  }

  #answered(response) {
    this.#awaiting = false;
    this.#dropped.delete(response.id);
    // An answer that was cut short may lack its `output_audio.done`; one that was not has had it: then this does nothing.
    for (const item of response.output ?? []) if (item.type === "message") this.player?.end(item.id);
  }

  #failed({ code, message, event_id }) {
    if (event_id === "page_settings") this.#ready = true; // it goes on with the settings it has
    if (code === "input_audio_buffer_commit_empty") {
      this.#awaiting = false;
      this.#notice("nothing_heard");
    } else if (!HARMLESS.includes(code) && !code?.startsWith("item_")) {
      this.#notice("trouble", { message: message ?? code });
    }
  }

  #send(event) {
    return this.#line.send(event);
  }

  #tell() {
    this.#emit("state");
  }

  #notice(key, values = {}) {
    this.#emit("notice", { key, values });
  }

  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

function nothingUnderstood({ type, transcript }) {
  const of = "conversation.item.input_audio_transcription.";
  return type === `${of}failed` || (type === `${of}completed` && !transcript.trim());
}
