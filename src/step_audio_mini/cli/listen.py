"""`step-audio listen`: what is said in a recording, with times and confidences."""

from __future__ import annotations

from step_audio_mini.cli import output as out
from step_audio_mini.cli.options import (
    BUILT_IN,
    HotWordOption,
    HotWordsOption,
    JsonOption,
    LanguageOption,
    PackOption,
    SoundArgument,
    WeightsOption,
    hot_words_of,
    packs_of,
)
from step_audio_mini.rooms import language_choice


def listen(
    sound: SoundArgument,
    pack: PackOption = None,
    language: LanguageOption = "auto",
    hot_word: HotWordOption = None,
    hot_words: HotWordsOption = None,
    weights: WeightsOption = BUILT_IN,
    as_json: JsonOption = False,
) -> None:
    """Write down what is said in a recording.

    JSON keys: transcript, language, confidence, words (w, lang, start, end, p), nbest (transcript, score, words),
    attributes (snr_db, rate, pitch_hz, language, gender, age, confidence of each), written
    (the transcript with its numbers in digits).
    """
    from step_audio_mini.model import StepAudio2Mini
    from step_audio_mini.text.inverse import written_form

    model = StepAudio2Mini.from_pretrained(weights, hot_words=hot_words_of(hot_word, hot_words))
    hearing = model.listen(sound, packs_of(pack), language_choice(language))
    if as_json:
        out.show_json(out.hearing_json(hearing) | {"written": written_form(hearing.best.text)})
    else:
        out.show(out.hearing_lines(hearing))
