// What the server offers and where it is: addresses beside the page's own, and its list of models.
//
// Beyond OpenAI's fields an entry of /v1/models may have `step_audio: {label: {en, zh}, about: {en, zh},
// voices: [{name, language}], examples: {en: [...], zh: [...]}}`; a page of a server without them offers less choice.

const BASE = new URL("v1/", document.baseURI);
const USUAL = "step-audio-mini";

export class Server {
  models = [];

  /** Ask what there is; a server that does not tell has one model. */
  async look(key) {
    try {
      const headers = key ? { Authorization: `Bearer ${key}` } : {};
      const answer = await fetch(new URL("models", BASE), { headers });
      const { data } = await answer.json();
      this.models = Array.isArray(data) ? data.filter((entry) => typeof entry?.id === "string") : [];
    } catch {
      this.models = [];
    }
  }

  /** The chosen model, or the first there is. */
  model(chosen) {
    return this.models.find((entry) => entry.id === chosen) ?? this.models[0] ?? { id: USUAL };
  }

  label(entry, language) {
    return entry.step_audio?.label?.[language] ?? entry.id;
  }

  about(entry, language) {
    return entry.step_audio?.about?.[language] ?? "";
  }

  voices(chosen) {
    const voices = this.model(chosen).step_audio?.voices ?? [];
    return voices.map((voice) => (typeof voice === "string" ? { name: voice } : voice));
  }

  examples(chosen, language) {
    return this.model(chosen).step_audio?.examples?.[language] ?? [];
  }

  url(chosen) {
    const url = new URL("realtime", BASE);
    url.protocol = url.protocol.replace("http", "ws");
    url.searchParams.set("model", this.model(chosen).id);
    return url.href;
  }
}
