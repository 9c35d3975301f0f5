"""`step-audio talk`: a recording of a person in, a spoken answer out."""

from __future__ import annotations

from step_audio_mini.audio import file as sound_file
from step_audio_mini.cli import output as out
from step_audio_mini.cli.options import (
    BUILT_IN,
    HotWordOption,
    HotWordsOption,
    JsonOption,
    LanguageOption,
    OutputOption,
    PackOption,
    SoundArgument,
    VoiceOption,
    WeightsOption,
    hot_words_of,
    packs_of,
)
from step_audio_mini.rooms import language_choice


def talk(  # noqa: PLR0913, PLR0917 (options of a command line)
    sound: SoundArgument,
    output: OutputOption,
    pack: PackOption = None,
    language: LanguageOption = "auto",
    voice: VoiceOption = None,
    hot_word: HotWordOption = None,
    hot_words: HotWordsOption = None,
    weights: WeightsOption = BUILT_IN,
    as_json: JsonOption = False,
) -> None:
    """Answer a recording of a person aloud.

    JSON keys: transcript, language, confidence, words (w, start, end, p), attributes (snr_db, rate, pitch_hz), act,
    state (intent, slots), tool_calls (name, arguments, result), reply, style (emotion, speed), audio (path,
    sample_rate, seconds), timings_ms (listen, think, speak_first, total).
    """
    from step_audio_mini.model import StepAudio2Mini
    from step_audio_mini.think.store import default_path

    sound_file.check_writable(output)
    words = hot_words_of(hot_word, hot_words)
    model = StepAudio2Mini.from_pretrained(weights, voice=voice, state=default_path(), hot_words=words)
    turn = model.talk(sound, packs_of(pack), language_choice(language))
    sound_file.write(output, turn.audio.samples, turn.audio.sample_rate)
    if as_json:
        out.show_json(out.turn_json(turn, output))
        return
    audio, ms = out.audio_json(turn.audio, output), out.timings(turn)
    first = ms["listen"] + ms["think"] + ms["speak_first"]
    spoken = f"{audio['path']}   ({audio['seconds']} s; began {first} ms of processor time after the end of speech)"
    out.show([*out.hearing_lines(turn.hearing), *out.decision_lines(turn.decision), ("spoken", spoken)])
