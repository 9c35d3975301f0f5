"""Sound files into 16 kHz mono float32 and back, in bounded memory, with one clear line for every bad file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile as sf

from step_audio_mini.audio.resample import Resampler
from step_audio_mini.errors import UserError
from step_audio_mini.types import SAMPLE_RATE, Samples

MAX_SECONDS = 60.0
"""Longest sound that is taken as one turn of speech."""
BLOCK = 2**18
"""Samples over all channels that are decoded at a time (1 MB): the memory a file of any length needs."""


def blocks(path: str | Path, max_seconds: float = MAX_SECONDS) -> Iterator[Samples]:
    """Yield the sound of a file as mono float32 at 16 kHz within ±1, in blocks of some seconds, (n,) each.

    Channels are averaged. UserError for a file that is missing, no sound, damaged, empty, too long, or holds NaN.
    """
    path = Path(path)
    with _open(path) as file:
        if file.frames > max_seconds * file.samplerate:
            raise UserError(
                f"{path} lasts {file.frames / file.samplerate:.0f} s; a turn lasts {max_seconds:g} s at most, "
                "so cut it into single turns"
            )
        try:
            resampler = Resampler(file.samplerate)
        except UserError as error:
            raise UserError(f"{path}: {error}") from None
        done = 0
        while len(block := _decode(file, path)):
            _check_finite(block, path, done / file.samplerate)
            done += len(block)
            yield resampler.push(np.clip(block, -1.0, 1.0).mean(axis=1, dtype=np.float32))
        if not done:
            raise UserError(f"{path} holds no sound (0 samples); record it again")
        if done < file.frames:
            seconds, promised = done / file.samplerate, file.frames / file.samplerate
            raise UserError(
                f"{path} is cut short: {seconds:.1f} s of {promised:.1f} s are there; copy or record it again"
            )
        yield resampler.finish()


def read(path: str | Path, max_seconds: float = MAX_SECONDS) -> Samples:
    """Read a file as mono float32 at 16 kHz within ±1, (n,); UserError where it is longer than `max_seconds`."""
    return np.concatenate(list(blocks(path, max_seconds)))


def write(path: str | Path, samples: Samples, sample_rate: int = SAMPLE_RATE) -> None:
    """Write mono sound, (n,) within ±1, as a 16-bit WAV that appears whole or not at all."""
    path = Path(path)
    check_writable(path)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    pcm = np.round(np.clip(samples, -1.0, 1.0) * 32767).astype(np.int16)
    try:
        sf.write(beside, pcm, sample_rate, subtype="PCM_16", format="WAV")
        beside.replace(path)
    except (OSError, sf.SoundFileError) as error:
        raise _unwritable(path, error) from error
    finally:
        beside.unlink(missing_ok=True)


def check_writable(path: str | Path) -> None:
    """UserError where an output file cannot be made, so that a long job fails before it begins."""
    path = Path(path)
    try:
        if path.is_dir():
            raise UserError(f"{path} is a folder; name a file in it")
        if not path.parent.is_dir():
            raise UserError(f"{path} cannot be written: there is no folder {path.parent}; make it first")
        if path.exists() and not path.is_file():
            raise UserError(f"{path} is no regular file; name a file that may be replaced")
        if not os.access(path if path.exists() else path.parent, os.W_OK):
            raise UserError(f"{path} cannot be written: permission denied; choose another place")
    except OSError as error:  # a name that is too long
        raise _unwritable(path, error) from error


def _open(path: Path) -> sf.SoundFile:
    try:
        if path.is_dir():
            raise UserError(f"{path} is a folder; name a sound file in it")
        if not path.exists():
            raise UserError(f"{path} does not exist; check the name")
        if not path.is_file():
            raise UserError(f"{path} is no regular file; save the sound as a file first")
        if not path.stat().st_size:
            raise UserError(f"{path} is empty (0 bytes); record it again")
        return sf.SoundFile(path)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({_reason(error)}); check the name and its permissions") from error
    except (TypeError, ValueError, sf.SoundFileError) as error:  # TypeError: soundfile's answer to *.raw
        raise UserError(f"{path} is no sound file, or damaged; give a WAV, FLAC, Ogg or MP3 file") from error


def _decode(file: sf.SoundFile, path: Path) -> Samples:
    """Return the next block, (n, channels); n is 0 at the end."""
    try:
        block: Samples = file.read(max(1, BLOCK // file.channels), dtype="float32", always_2d=True)
    except (OSError, sf.SoundFileError) as error:
        raise UserError(f"{path} is damaged ({_reason(error)}); copy or record it again") from error
    return block


def _check_finite(block: Samples, path: Path, start: float) -> None:
    bad = np.flatnonzero(~np.isfinite(block).all(axis=1))
    if len(bad):
        raise UserError(
            f"{path} holds samples that are no numbers (NaN or infinite, first after {start:.1f} s); export it anew"
        )


def _unwritable(path: Path, error: Exception) -> UserError:
    return UserError(f"{path} cannot be written ({_reason(error)}); choose another place")


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(getattr(error, "error_string", "unknown error")).removeprefix("Error : ").rstrip(".")
