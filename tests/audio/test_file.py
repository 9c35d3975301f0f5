from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from step_audio_mini.audio import file as sound_file
from step_audio_mini.errors import UserError
from step_audio_mini.types import Samples

pytestmark = pytest.mark.unit


def tone(rate: int, seconds: float, channels: int = 1) -> Samples:
    mono = (0.5 * np.sin(2 * np.pi * 440 * np.arange(round(rate * seconds)) / rate)).astype(np.float32)
    return np.repeat(mono[:, None], channels, axis=1)


@pytest.mark.parametrize(
    ("name", "rate", "channels", "subtype", "tolerance"),
    [
        ("a.wav", 16_000, 1, "PCM_16", 1e-4),
        ("a.wav", 44_100, 2, "PCM_24", 2e-3),
        ("a.wav", 96_000, 8, "FLOAT", 2e-3),
        ("a.wav", 8_000, 1, "PCM_U8", 2e-2),
        ("a.wav", 8_000, 1, "ULAW", 4e-2),
        ("a.flac", 48_000, 2, "PCM_16", 2e-3),
        ("a.ogg", 16_000, 1, "VORBIS", 5e-2),
        ("a.mp3", 44_100, 2, "MPEG_LAYER_III", 5e-2),
    ],
)
def test_every_format_becomes_16_khz_mono(
    tmp_path: Path, name: str, rate: int, channels: int, subtype: str, tolerance: float
) -> None:
    sf.write(tmp_path / name, tone(rate, 1.0, channels), rate, subtype=subtype)
    got = sound_file.read(tmp_path / name)
    assert got.dtype == np.float32
    assert got.ndim == 1
    assert abs(len(got) - 16_000) <= 4_000  # lossy codecs pad
    n = min(len(got), 16_000) - 3_200
    np.testing.assert_allclose(got[1_600:n], tone(16_000, 1.0)[1_600:n, 0], atol=tolerance)


def test_a_file_is_recognised_by_content_not_by_name(tmp_path: Path) -> None:
    sf.write(tmp_path / "a.wav", tone(16_000, 0.1), 16_000)
    (tmp_path / "a.wav").rename(tmp_path / "a.txt")
    assert len(sound_file.read(tmp_path / "a.txt")) == 1_600


def test_one_sample_is_a_sound(tmp_path: Path) -> None:
    sf.write(tmp_path / "a.wav", np.full(1, 0.25, np.float32), 16_000)
    np.testing.assert_allclose(sound_file.read(tmp_path / "a.wav"), [0.25], atol=1e-4)


def test_loud_floats_are_clipped(tmp_path: Path) -> None:
    sf.write(tmp_path / "a.wav", np.full((100, 2), 3e38, np.float32), 16_000, subtype="FLOAT")
    assert sound_file.read(tmp_path / "a.wav").max() == 1.0


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_no_numbers_are_named(tmp_path: Path, value: float) -> None:
    sound = tone(16_000, 1.0)
    sound[8_000] = value
    sf.write(tmp_path / "a.wav", sound, 16_000, subtype="FLOAT")
    with pytest.raises(UserError, match=r"a\.wav holds samples that are no numbers"):
        sound_file.read(tmp_path / "a.wav")


def test_files_that_are_no_sound(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("not a sound\n" * 100)
    (tmp_path / "noise.raw").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "header.wav").write_bytes(b"RIFF\x24\x00\x00\x00WAVEfmt ")
    sf.write(tmp_path / "none.wav", np.zeros(0, np.float32), 16_000)
    for name, what in [
        ("empty.wav", "is empty"),
        ("text.wav", "is no sound file"),
        ("noise.raw", "is no sound file"),
        ("header.wav", "is no sound file"),
        ("none.wav", "holds no sound"),
        ("missing.wav", "does not exist"),
        (".", "is a folder"),
        ("text.wav/a.wav", "does not exist"),
        ("n" * 300 + ".wav", "cannot be read"),
    ]:
        with pytest.raises(UserError, match=what) as raised:
            sound_file.read(tmp_path / name)
        assert "\n" not in str(raised.value)


def test_a_device_is_not_read() -> None:
    with pytest.raises(UserError, match="no regular file"):
        sound_file.read("/dev/zero")


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "a.ogg", "a.mp3"])
def test_a_truncated_file_is_refused_or_read_up_to_its_end(tmp_path: Path, name: str) -> None:
    whole = tmp_path / name
    sf.write(whole, tone(16_000, 4.0), 16_000)
    data = whole.read_bytes()
    for share in (0.02, 0.3, 0.7, 0.99):
        cut = tmp_path / f"cut-{name}"
        cut.write_bytes(data[: int(share * len(data))])
        try:
            n = len(sound_file.read(cut))
        except UserError as error:
            assert "cut-" in str(error)
        else:
            assert 0 < n <= 4.2 * 16_000 * share + 4_800


def test_a_long_sound_is_read_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    with sf.SoundFile(path, "w", 96_000, 8, subtype="PCM_U8") as file:
        for _ in range(20):
            file.write(tone(96_000, 1.0, 8))
    tracemalloc.start()
    n = sum(len(block) for block in sound_file.blocks(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert n == 20 * 16_000
    assert peak < 8e6  # the whole sound is 61 MB as float


def test_a_sound_that_is_too_long_is_refused_early(tmp_path: Path) -> None:
    sf.write(tmp_path / "a.wav", tone(8_000, 3.0), 8_000)
    with pytest.raises(UserError, match="lasts 3 s; a turn lasts 2 s"):
        sound_file.read(tmp_path / "a.wav", max_seconds=2)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    sound = tone(16_000, 0.5)[:, 0]
    sound_file.write(tmp_path / "out.wav", sound)
    assert sf.info(tmp_path / "out.wav").subtype == "PCM_16"
    np.testing.assert_allclose(sound_file.read(tmp_path / "out.wav"), sound, atol=1e-4)
    sound_file.write(tmp_path / "out.wav", sound[:10])  # replaces
    assert len(sound_file.read(tmp_path / "out.wav")) == 10
    assert [p.name for p in tmp_path.iterdir()] == ["out.wav"]


def test_unwritable_places_are_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (
        tmp_path,
        tmp_path / "none" / "a.wav",
        tmp_path / "file" / "a.wav",
        tmp_path / ("n" * 300),
        Path("/dev/null"),
    ):
        with pytest.raises(UserError):
            sound_file.write(path, np.zeros(10, np.float32))


def test_a_full_disk_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, *_: object, **__: object) -> None:
        Path(path).write_bytes(b"RIFF")
        raise OSError(28, "No space left on device")

    sound_file.write(tmp_path / "a.wav", np.zeros(10, np.float32))
    before = (tmp_path / "a.wav").read_bytes()
    monkeypatch.setattr(sf, "write", full)
    with pytest.raises(UserError, match="no space left"):
        sound_file.write(tmp_path / "a.wav", np.zeros(99, np.float32))
    assert (tmp_path / "a.wav").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.wav"]
