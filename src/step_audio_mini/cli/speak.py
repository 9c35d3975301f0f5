"""`step-audio speak`: a text in, speech out."""

from __future__ import annotations

from typing import Annotated

import typer

from step_audio_mini.audio import file as sound_file
from step_audio_mini.cli import output as out
from step_audio_mini.cli.options import (
    BUILT_IN,
    JsonOption,
    LanguageOption,
    OutputOption,
    VoiceOption,
    WeightsOption,
)
from step_audio_mini.rooms import language_choice
from step_audio_mini.types import Style


def speak(
    text: Annotated[
        str, typer.Argument(metavar="TEXT", help="Mandarin, English or both; [[HH AH0 L OW1]] for phones.")
    ],
    output: OutputOption,
    language: LanguageOption = "auto",
    voice: VoiceOption = None,
    speed: Annotated[float, typer.Option(min=0.5, max=2.0, help="1 is the voice's own.")] = 1.0,
    weights: WeightsOption = BUILT_IN,
    as_json: JsonOption = False,
) -> None:
    """Say a text.

    JSON keys: audio (path, sample_rate, seconds).
    """
    from step_audio_mini.model import StepAudio2Mini

    sound_file.check_writable(output)
    model = StepAudio2Mini.from_pretrained(weights, voice=voice)
    audio = model.speak(text, language_choice(language), Style(speed=speed))
    sound_file.write(output, audio.samples, audio.sample_rate)
    facts = out.audio_json(audio, output)
    if as_json:
        out.show_json({"audio": facts})
    else:
        out.show([("spoken", f"{facts['path']}   ({facts['seconds']} s)")])
