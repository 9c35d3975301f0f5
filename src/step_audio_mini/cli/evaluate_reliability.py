"""`step-audio evaluate reliability`, which tells whether word confidences mean what they say."""

from __future__ import annotations

from step_audio_mini.cli.evaluate import CacheOption, MostOption, OutOption, _over, _run, app
from step_audio_mini.cli.options import BUILT_IN, JsonOption, WeightsOption


@app.command()
def reliability(
    cache: CacheOption,
    out: OutOption = None,
    most: MostOption = 1000,
    weights: WeightsOption = BUILT_IN,
    as_json: JsonOption = False,
) -> None:
    """Whether of the words that are 80 % sure 80 % are right, level by level; n counts words."""
    from step_audio_mini.data.cache import Cache
    from step_audio_mini.evaluate.ears import EarsTest, OurEars, lexicon_of
    from step_audio_mini.evaluate.sureness import measure
    from step_audio_mini.evaluate.trained import trained_speakers
    from step_audio_mini.runtime.manifest import Weights

    opened = Weights.open(weights)
    test = EarsTest(Cache.open(cache), lexicon_of(opened), most, 0, trained_speakers(opened))
    command = _over("reliability", most)
    _run(command, weights, out, as_json, lambda tell: measure(test, OurEars(opened), tell))
