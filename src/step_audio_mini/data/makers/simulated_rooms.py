"""Small simulated rooms, because measured free ones are mostly halls."""

from __future__ import annotations

from typing import Any

import numpy as np

from step_audio_mini.data.makers.backgrounds import decay_time, shaped_response
from step_audio_mini.data.makers.draft import Draft, Rules
from step_audio_mini.data.makers.maker import Maker, Open
from step_audio_mini.data.makers.splits import Split
from step_audio_mini.types import SAMPLE_RATE, Samples

ROOMS, SEED = 240, 11


def _fill(draft: Draft, open_: Open) -> Split:
    rng, made = np.random.default_rng(SEED), 0
    while made < ROOMS:
        response, labels = _simulate(rng)
        if response is None:
            continue
        shaped = shaped_response(response, 1.5)
        facts = labels | {"label": "rir", "rt60": decay_time(shaped)}
        source = f"simulated (image source method, seed {SEED})"
        draft.add_sound(shaped, SAMPLE_RATE, f"sim_{made:03d}", source=source, **facts)
        made += 1
    return lambda row: "test" if row["id"] >= "sim_200" else "dev" if row["id"] >= "sim_180" else "train"


def _simulate(rng: np.random.Generator) -> tuple[Samples | None, dict[str, Any]]:
    """One shoebox room by the image source method (Allen & Berkley 1979); None for a draw that is no room."""
    import pyroomacoustics

    size = [rng.uniform(2.5, 9), rng.uniform(2.2, 7), rng.uniform(2.2, 3.6)]
    seconds = float(rng.uniform(0.15, 0.9))
    try:
        absorption, order = pyroomacoustics.inverse_sabine(seconds, size)
    except ValueError:  # no wall absorbs that much
        return None, {}
    material = pyroomacoustics.Material(absorption)
    room = pyroomacoustics.ShoeBox(size, fs=SAMPLE_RATE, materials=material, max_order=min(order, 30))
    mouth = [rng.uniform(0.4, side - 0.4) for side in size[:2]] + [rng.uniform(1.0, 1.8)]
    ear = [rng.uniform(0.3, side - 0.3) for side in size[:2]] + [rng.uniform(0.5, 1.5)]
    distance = float(np.linalg.norm(np.array(mouth) - ear))
    if distance < 0.3:
        return None, {}
    room.add_source(mouth)
    room.add_microphone(ear)
    room.compute_rir()
    labels = {
        "rt60_target": round(seconds, 3),
        "room_m": [round(side, 2) for side in size],
        "distance_m": round(distance, 2),
    }
    return np.asarray(room.rir[0][0], np.float32), labels


MAKERS = (
    Maker(
        "rir_sim",
        "240 simulated small rooms, RT60 0.15-0.9 s",
        (),
        "CC0 (generated)",
        _fill,
        Rules(seconds=(0.02, 5)),
        trim=False,
    ),
)
