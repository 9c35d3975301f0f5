// What was said, understood and done, read from the server's events. Knows no page, no sound, no clock of its own.
//
// A turn is one of
//   {kind: "you",  id, text, final, language, confidence, snr, typed, at}
//   {kind: "it",   id, parts, text, tools, times, server, status, cut, heard, at}     one per response
//   {kind: "note", key, values, at}                                                   reconnected, failed, ...
// Events: changed {turn}, removed {turn}, marker {kind, at}, failed {message}: an answer could not be made.

const MOST = 1000; // turns: some hours of talk

export class Conversation extends EventTarget {
  turns = [];
  settings = {}; // the session as the server says it is
  active = null; // the response that is being made
  #ended = null; // {ended, noticed}: the end of speech that the next answer will answer
  #toWall;

  /** `toWall(ms)` tells when the microphone heard a moment of the input clock, on the page's clock. */
  constructor(toWall = () => null) {
    super();
    this.#toWall = toWall;
  }

  receive(event, now) {
    const known = HANDLERS[event.type];
    if (known) known.call(this, event, now);
  }

  /** The person wrote instead of speaking. */
  wrote(id, text, now) {
    this.#add({ kind: "you", id, text, final: true, typed: true, at: Date.now() });
    this.asked(now);
  }

  /** The person finished: released the key, sent a text. */
  asked(now) {
    this.#ended = { ended: now, noticed: now };
    this.#mark("end", now);
  }

  /** The first sample of an item is heard. */
  sounded(item, at) {
    const turn = this.#turnOf(item);
    if (!turn || turn.times.sounded) return;
    turn.times.sounded = at;
    this.#mark("answer", at);
    this.#changed(turn);
  }

  /** Playing stopped `ms` into an item because the person interrupted. */
  cut(item, ms, now) {
    const turn = this.#turnOf(item);
    if (!turn) return;
    const part = turn.parts.get(item);
    turn.cut = { item, ms };
    turn.heard = part.text.slice(0, Math.round((part.text.length * ms) / Math.max(1, part.ms)));
    this.#mark("cut", now);
    this.#changed(turn);
  }

  /** Between turns; of several in a row the last one counts. */
  note(key, values = {}) {
    const last = this.turns.at(-1);
    if (!last) return;
    if (last.kind === "note") this.#remove(last);
    this.#add({ kind: "note", key, values, at: Date.now() });
  }

  /** A new session begins on a new line: nothing of the old one is still to come. */
  lost() {
    this.active = this.#ended = null;
    for (const turn of this.turns) {
      if (turn.kind === "you" && !turn.final) this.#remove(turn);
      if (turn.kind === "it" && turn.status === "in_progress") this.#change(turn, { status: "cancelled" });
    }
  }

  /** Everything, as plain objects for a file. */
  plain() {
    return this.turns.map((turn) => {
      const at = new Date(turn.at).toISOString();
      if (turn.kind === "you") {
        const { text, language, confidence, snr, typed } = turn;
        return { who: "you", at, text, typed: Boolean(typed), language, confidence, snr_db: snr };
      }
      if (turn.kind === "note") return { who: "page", at, note: turn.key, ...turn.values };
      const { text, heard, cut, tools, status } = turn;
      const times = { page: breakdown(turn), server: turn.server };
      const unheard = cut ? { heard, interrupted_at_ms: cut.ms } : {};
      return { who: "assistant", at, text, ...unheard, status, tools, times_ms: times };
    });
  }

  // What the events do

  _speechStarted({ item_id, audio_start_ms }, now) {
    this.#mark("speech", this.#toWall(audio_start_ms) ?? now);
    this.#you(item_id);
  }

  _speechStopped({ item_id, audio_end_ms, step_audio }, now) {
    if (step_audio?.dropped) return this.#remove(this.#you(item_id));
    const ended = Math.min(now, this.#toWall(audio_end_ms) ?? now);
    this.#ended = { ended, noticed: now };
    this.#mark("end", ended);
    return this.#you(item_id);
  }

  _partial(event) {
    const turn = this.#you(event.item_id);
    const whole = event.step_audio?.text; // a partial reading may change its mind; standard deltas only add
    const text = whole ?? (turn.text ?? "") + (event.delta ?? "");
    if (!turn.final) this.#change(turn, { text });
  }

  _understood(event) {
    const turn = this.#you(event.item_id);
    const text = event.transcript.trim();
    if (!text && !turn.text) return this.#remove(turn);
    const extra = event.step_audio ?? {};
    const spoken = event.languages?.[0];
    return this.#change(turn, {
      text,
      final: true,
      language: extra.language ?? spoken?.code ?? spoken ?? turn.language,
      confidence: extra.confidence ?? likelihood(event.logprobs) ?? turn.confidence,
      snr: extra.snr_db ?? turn.snr,
    });
  }

  _item({ item }) {
    const extra = item.step_audio ?? {};
    if (item.type === "function_call_output") {
      const turn = this.turns.findLast((entry) => entry.tools?.some((tool) => tool.call_id === item.call_id));
      const tool = turn?.tools.find((entry) => entry.call_id === item.call_id);
      if (!tool) return;
      Object.assign(tool, { output: item.output, status: "completed" });
      this.#changed(turn);
    } else if (item.role === "user") {
      const turn = this.turns.findLast((entry) => entry.id === item.id);
      if (turn && extra.language) this.#change(turn, { language: extra.language });
    }
  }

  _responseCreated({ response }, now) {
    this.active = response.id;
    const times = { ...(this.#ended ?? {}), created: now };
    this.#ended = null;
    const empty = { parts: new Map(), text: "", tools: [], times, server: {} };
    this.#add({ kind: "it", id: response.id, status: "in_progress", at: Date.now(), ...empty });
  }

  _responseDone({ response }) {
    if (this.active === response.id) this.active = null;
    const turn = this.#answer(response.id);
    if (!turn) return;
    const problem = response.status_details?.error;
    if (response.status === "failed") this.#emit("failed", { message: problem?.message ?? problem?.code ?? "" });
    const extra = response.step_audio ?? {};
    if (!turn.tools.length) turn.tools = (extra.tool_calls ?? []).map(ownTool);
    this.#change(turn, { status: response.status, server: numbers(extra.timings_ms ?? {}) });
    const empty = !turn.text && !turn.tools.length;
    if (empty) this.#remove(turn);
  }

  _outputItem({ response_id, item }) {
    const turn = this.#answer(response_id);
    if (!turn) return;
    if (item.type === "message") {
      if (!turn.parts.has(item.id)) turn.parts.set(item.id, { text: "", ms: 0 });
    } else if (item.type === "function_call") {
      const found = turn.tools.find((entry) => entry.call_id === item.call_id);
      const { call_id, name, status } = item;
      const told = { call_id, name, arguments: item.arguments || found?.arguments || "", status: found?.status ?? status };
      if (found) Object.assign(found, told);
      else turn.tools.push(told);
    }
    this.#changed(turn);
  }

  _arguments({ response_id, call_id, arguments: text }) {
    const turn = this.#answer(response_id);
    const tool = turn?.tools.find((entry) => entry.call_id === call_id);
    if (!tool) return;
    tool.arguments = text;
    this.#changed(turn);
  }

  _answerText({ response_id, item_id, delta }, now) {
    this.#extend(response_id, item_id, now, (part) => (part.text += delta));
  }

  _answerWhole({ response_id, item_id, transcript, text }, now) {
    this.#extend(response_id, item_id, now, (part) => (part.text = transcript ?? text));
  }

  _answerSound({ response_id, item_id, delta }, now) {
    const bytes = Math.floor((delta.length * 3) / 4);
    this.#extend(response_id, item_id, now, (part) => (part.ms += bytes / 48));
  }

  /** Only what was heard stays in the conversation: the server tells exactly which words that was. */
  _retrieved({ item }) {
    const turn = this.#turnOf(item.id);
    const heard = item.content?.map((part) => part.transcript ?? part.text ?? "").join("");
    if (turn?.cut && heard !== undefined && turn.text.startsWith(heard)) this.#change(turn, { heard });
  }

  #extend(response, item, now, how) {
    const turn = this.#answer(response);
    if (!turn) return;
    if (!turn.parts.has(item)) turn.parts.set(item, { text: "", ms: 0 });
    how(turn.parts.get(item));
    turn.times.first ??= now;
    this.#change(turn, { text: [...turn.parts.values()].map((part) => part.text).join("") });
  }

  _committed({ item_id }) {
    this.#you(item_id);
  }

  _notUnderstood({ item_id }) {
    this.#remove(this.#you(item_id));
  }

  /** The turn of an item of the person's, made where it is new. */
  #you(id) {
    const found = this.turns.findLast((turn) => turn.kind === "you" && turn.id === id);
    if (found) return found;
    const turn = { kind: "you", id, text: "", final: false, at: Date.now() };
    this.#add(turn);
    return turn;
  }

  #answer(id) {
    return this.turns.findLast((turn) => turn.kind === "it" && turn.id === id);
  }

  #turnOf(item) {
    return this.turns.findLast((turn) => turn.kind === "it" && turn.parts.has(item));
  }

  #add(turn) {
    this.turns.push(turn);
    if (this.turns.length > MOST) this.#remove(this.turns[0]);
    this.#changed(turn);
  }

  #change(turn, values) {
    this.#changed(Object.assign(turn, values));
  }

  #changed(turn) {
    this.#emit("changed", { turn });
  }

  #remove(turn) {
    this.turns = this.turns.filter((entry) => entry !== turn);
    this.#emit("removed", { turn });
  }

  #mark(kind, at) {
    this.#emit("marker", { kind, at });
  }

  _session({ session }) {
    this.settings = session;
  }

  #emit(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}

const OF = Conversation.prototype;
const HANDLERS = {
  "session.created": OF._session,
  "session.updated": OF._session,
  "input_audio_buffer.speech_started": OF._speechStarted,
  "input_audio_buffer.speech_stopped": OF._speechStopped,
  "input_audio_buffer.committed": OF._committed,
  "conversation.item.input_audio_transcription.delta": OF._partial,
  "conversation.item.input_audio_transcription.completed": OF._understood,
  "conversation.item.input_audio_transcription.failed": OF._notUnderstood,
  "conversation.item.added": OF._item,
  "conversation.item.done": OF._item,
  "conversation.item.retrieved": OF._retrieved,
  "response.created": OF._responseCreated,
  "response.done": OF._responseDone,
  "response.output_item.added": OF._outputItem,
  "response.output_item.done": OF._outputItem,
  "response.function_call_arguments.done": OF._arguments,
  "response.output_audio.delta": OF._answerSound,
  "response.output_audio_transcript.delta": OF._answerText,
  "response.output_audio_transcript.done": OF._answerWhole,
  "response.output_text.delta": OF._answerText,
  "response.output_text.done": OF._answerWhole,
};

/**
 * Where the time of an answer went, whole milliseconds from the end of speech to the first sound: the silence that the
 * server waited for, which it tells with its stages, then what the page measures itself.
 */
export function breakdown({ times, server }) {
  const { ended, noticed, first, sounded } = times;
  if (ended === undefined || first === undefined) return {};
  const pause = server.end_of_turn ? { pause: server.end_of_turn } : {};
  const spans = { ...pause, turn: noticed - ended, answer: first - noticed };
  if (sounded !== undefined) spans.play = sounded - first;
  const whole = Object.fromEntries(Object.entries(spans).map(([name, ms]) => [name, Math.max(0, Math.round(ms))]));
  return { ...whole, total: Object.values(whole).reduce((sum, ms) => sum + ms, 0) };
}

/** A function that the server ran by itself; the protocol has items for the client's functions only. */
function ownTool({ name, arguments: given, result }, place) {
  return { call_id: `own_${place}`, name, arguments: JSON.stringify(given), output: JSON.stringify(result), status: "completed" };
}

/** Mean likelihood of the transcript's tokens, where the server gives them. */
function likelihood(logprobs) {
  if (!logprobs?.length) return undefined;
  return Math.exp(logprobs.reduce((sum, { logprob }) => sum + logprob, 0) / logprobs.length);
}

function numbers(values) {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => Number.isFinite(value)));
}
