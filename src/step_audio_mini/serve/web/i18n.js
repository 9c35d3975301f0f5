// The page in the person's language: texts by key, filled into the document and asked for by the other files.

import { TEXTS } from "./texts.js";

let language = "en";

export function currentLanguage() {
  return language;
}

export function preferredLanguage() {
  const known = (navigator.languages ?? []).map((tag) => tag.slice(0, 2).toLowerCase());
  return known.find((tag) => tag in TEXTS) ?? "en";
}

/** The text of a key with its `{values}`; the key itself where there is none. */
export function text(key, values = {}) {
  const found = TEXTS[language][key] ?? key;
  return found.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

/** Whether there is a text of that key. */
export const hasText = (key) => key in TEXTS.en;

/** Write all texts of the document anew: `data-text`, and `data-text-ATTRIBUTE` for attributes. */
export function speakLanguage(chosen) {
  language = chosen in TEXTS ? chosen : "en";
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  document.title = text("title");
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = text(element.dataset.text);
  for (const attribute of ["aria-label", "placeholder", "title"]) {
    for (const element of document.querySelectorAll(`[data-text-${attribute}]`)) {
      element.setAttribute(attribute, text(element.getAttribute(`data-text-${attribute}`)));
    }
  }
}
