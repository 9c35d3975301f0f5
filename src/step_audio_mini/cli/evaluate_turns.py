"""`step-audio evaluate turns`, which plays recordings to the turn-taking of a call."""

from __future__ import annotations

from step_audio_mini.cli.evaluate import CacheOption, MostOption, OutOption, _over, _run, app
from step_audio_mini.cli.options import BUILT_IN, JsonOption, WeightsOption


@app.command()
def turns(
    cache: CacheOption,
    out: OutOption = None,
    most: MostOption = 1000,
    weights: WeightsOption = BUILT_IN,
    as_json: JsonOption = False,
) -> None:
    """How soon after the last word a turn ends and how often before it; what speech and noise do to the assistant."""
    from step_audio_mini.data.cache import Cache
    from step_audio_mini.evaluate.ears import lexicon_of
    from step_audio_mini.evaluate.trained import trained_speakers
    from step_audio_mini.evaluate.turns import TurnsTest, measure
    from step_audio_mini.listen.stream import Stream
    from step_audio_mini.rooms import TrainedRooms
    from step_audio_mini.runtime.manifest import Weights

    opened = Weights.open(weights)
    rooms = TrainedRooms(opened, None, {}, None)
    ears = rooms.ears("home", "auto")
    assert isinstance(ears, Stream)
    test = TurnsTest(Cache.open(cache), ears, lexicon_of(opened), most, trained_speakers(opened))
    _run(_over("turns", most), weights, out, as_json, lambda tell: measure(test, tell))
