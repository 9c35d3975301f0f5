// What the server offers and where it is: addresses beside the page's own, and its list of models.
//
// Beyond OpenAI's fields an entry of /v1/models may have `step_audio: {packs: [...], languages: [...], about: {en, zh},
// can: {en: [...], zh: [...]}, examples: {en: [...], zh: [...]}, voices: [{name, language}]}`; a page of a server without
// them offers less choice.

import { hasText, text } from "./i18n.js";

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
      const known = Array.isArray(data) ? data.filter((entry) => typeof entry?.id === "string") : [];
      this.models = known.filter((entry, place) => known.findIndex((other) => same(entry, other)) === place);
    } catch {
      this.models = [];
    }
  }

  /** The chosen model, or the first there is. */
  model(chosen) {
    return this.models.find((entry) => entry.id === chosen) ?? this.models[0] ?? { id: USUAL };
  }

  label({ id, step_audio: { packs = [], languages = [] } = {} }) {
    const named = packs.map((pack) => (hasText(`pack_${pack}`) ? text(`pack_${pack}`) : pack)).join(" + ");
    return (named || id) + (languages.length === 1 ? text(`only_${languages[0]}`) : "");
  }

  /** What can be asked for, in the page's language where that is told. */
  about({ step_audio: { about = {} } = {} }, language) {
    return about[language] ?? Object.values(about)[0] ?? "";
  }

  /** The same thing by thing. */
  can({ step_audio: { can = {} } = {} }, language) {
    return can[language] ?? Object.values(can)[0] ?? [];
  }

  voices(chosen) {
    const voices = this.model(chosen).step_audio?.voices ?? [];
    return voices.map((voice) => (typeof voice === "string" ? { name: voice } : voice));
  }

  /** Four sentences to try: the server's own, else those that the page knows for its packs, from each in turn. */
  examples(chosen, language) {
    const { examples = {}, packs = ["home", "clock-weather"] } = this.model(chosen).step_audio ?? {};
    const keys = [1, 2, 3, 4].flatMap((number) => packs.map((pack) => `example_${pack}_${number}`));
    return (examples[language] ?? keys.filter(hasText).map((key) => text(key))).slice(0, 4);
  }

  url(chosen) {
    const url = new URL("realtime", BASE);
    url.protocol = url.protocol.replace("http", "ws");
    url.searchParams.set("model", this.model(chosen).id);
    return url.href;
  }
}

/** The usual model is often one of the others under another name. */
function same(one, other) {
  const packs = ({ id, step_audio: told }) => JSON.stringify(told?.packs ?? id);
  return packs(one) === packs(other);
}
