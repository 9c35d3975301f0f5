"""The main job in one line: python demo.py --input_audio test.wav --output_audio output.wav."""

from __future__ import annotations

import argparse
import sys

from step_audio_mini.cli.main import main

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Answer a recording of a person aloud.")
    parser.add_argument("--input_audio", required=True, help="a recording of one turn of speech")
    parser.add_argument("--output_audio", required=True, help="where the spoken answer goes, as WAV")
    parser.add_argument("--pack", default="home", help="scenario, or a folder with a pack.yaml")
    given = parser.parse_args()
    sys.exit(main(["talk", "-o", given.output_audio, "--pack", given.pack, "--", given.input_audio]))
