"""Other systems, run on the same clips in the same run: a recogniser to compare with, and voices nobody trained on."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from step_audio_mini.audio import file
from step_audio_mini.errors import UserError
from step_audio_mini.types import Samples

SECONDS = 60
"""A synthesiser that takes longer for a sentence hangs."""
FLITE_VOICES = ("slt", "awb", "rms")
"""English test voices: recorded people, resynthesised; no training set may hold them."""
ESPEAK_MANDARIN = "cmn-latn-pinyin"
"""The plain `cmn` voice reads characters as English letters; this one reads them with their tones."""
ESPEAK_VARIANTS = ("+f2", "+m3", "+f4", "+m7")
"""Mandarin test voices: variants of one synthesiser, which is said wherever they are used."""


class PocketSphinx:
    """CMU PocketSphinx with the US English model of its wheel: the foreign ear, and the peer of ours (English only)."""

    name = "pocketsphinx"

    def __init__(self) -> None:
        from pocketsphinx import Decoder

        self._decoder = Decoder(samprate=16000, loglevel="FATAL")
        self._fresh = self._decoder.get_cmn()

    def hear(self, samples: NDArray[np.int16]) -> str:
        """Words of a whole utterance, (n,) int16 at 16 kHz; every clip starts from the same state."""
        if not len(samples):
            return ""
        self._decoder.set_cmn(self._fresh)  # else the order of the clips would matter
        self._decoder.start_utt()
        self._decoder.process_raw(samples.tobytes(), full_utt=True)
        self._decoder.end_utt()
        found = self._decoder.hyp()
        return str(found.hypstr) if found else ""


def espeak(text: str, voice: str = ESPEAK_MANDARIN, *, speed: int = 165, pitch: int = 50) -> Samples:
    """espeak-ng says `text`: (n,) at 16 kHz. `speed` in words a minute, `pitch` 0...99; `voice` may end in `+f2`."""
    return _say(["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "-w", "{out}", "-f", "{text}"], text)


def flite(text: str, voice: str = "slt") -> Samples:
    """Flite says English `text`: (n,) at 16 kHz."""
    return _say(["flite", "-voice", voice, "-o", "{out}", "-f", "{text}"], text)


def _say(command: list[str], text: str) -> Samples:
    if shutil.which(command[0]) is None:
        raise UserError(f"{command[0]} is not installed; on Debian: apt install {command[0]}")
    with tempfile.TemporaryDirectory() as folder:
        # the text goes through a file: it must not be read as an option
        places = {"{text}": str(Path(folder) / "text"), "{out}": str(Path(folder) / "out.wav")}
        Path(places["{text}"]).write_text(text + "\n", encoding="utf-8")
        filled = [places.get(word, word) for word in command]
        try:
            subprocess.run(filled, check=True, capture_output=True, timeout=SECONDS)
        except (subprocess.SubprocessError, OSError) as wrong:
            raise UserError(f"{command[0]} could not say '{text[:40]}' ({wrong}); check the voice's name") from wrong
        return file.read(places["{out}"])
