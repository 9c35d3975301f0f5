"""`step-audio`: finds the command, runs it, and turns whatever goes wrong into one line and an exit code.

A command NAME lives in `cli/NAME.py`: `app`, a typer.Typer, where it has commands of its own, otherwise a function
NAME. Only the command that is asked for is imported.
"""

from __future__ import annotations

import io
import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module

import typer

from step_audio_mini.errors import UserError

COMMANDS = {
    "talk": "Answer a recording of a person aloud.",
    "listen": "Write down what is said in a recording.",
    "think": "Decide on words instead of sound: state, tool calls, reply.",
    "speak": "Say a text.",
    "serve": "Hold calls over the OpenAI Realtime protocol, and show a web page to try one.",
    "doctor": "Check this installation and its weights.",
    "prepare": "Make training packs of recordings and texts.",
    "train": "Train a part of the model.",
    "export": "Turn a training run into weights.",
    "evaluate": "Measure a part of the model, or the whole.",
    "bench": "Measure speed and memory.",
}
_PACKAGES = {
    "train": ("torch", "onnx", "onnxscript", "scipy", "matplotlib"),
    "pitch": ("pyworld",),
    "evaluate": ("jiwer", "pocketsphinx"),
    "serve": ("fastapi", "openai", "prometheus_client", "uvicorn", "websockets"),
    "prepare": ("cn2an", "opencc", "pypinyin_dict", "ToJyutping", "pyroomacoustics"),
}
EXTRA_OF = {package: extra for extra, packages in _PACKAGES.items() for package in packages}
"""Package -> the extra that brings it."""


def run() -> None:
    """Entry point of `step-audio`."""
    sys.exit(main(sys.argv[1:]))


def main(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code: 0 done, 2 the user can mend it, 1 our fault."""
    if os.environ.get("STEP_AUDIO_DEBUG"):
        return _call(arguments)
    warnings.simplefilter("ignore")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # what a terminal cannot show must not end the command
    try:
        code = _call(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output has gone: nothing left to say, not even at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (Exception, KeyboardInterrupt) as error:  # the one place where all is caught: no traceback reaches a user
        line, code = _explain(error, _command(arguments))
        if line:
            print(f"step-audio: {' '.join(line.split())}", file=sys.stderr)
    return code


def _call(arguments: Sequence[str]) -> int:
    return int(app_of(_command(arguments))(list(arguments), prog_name="step-audio", standalone_mode=False) or 0)


def _explain(error: BaseException, command: str) -> tuple[str, int]:
    """The line and the exit code that an error means to a user."""
    if isinstance(error, UserError):
        return str(error), error.exit_code
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        return "stopped", 130
    if isinstance(error, ModuleNotFoundError) and (package := (error.name or "").partition(".")[0]) in EXTRA_OF:
        return f"needs {package}: pip install 'step-audio-mini[{EXTRA_OF[package]}]'", 2
    if hasattr(error, "format_message"):  # a command line that typer cannot read
        message = error.format_message().rstrip(".")
        return (f"{message}; try 'step-audio {command} --help'".replace("  ", " ") if message else ""), 2
    if isinstance(error, OSError) and error.strerror:  # a place that is missing, full or forbidden
        return f"{error.filename or 'a file'}: {error.strerror.lower()}; check that place", 2
    what = " ".join(f"{type(error).__name__}: {error}".split())[:200]
    return f"unexpected {what}; our fault, please report it (STEP_AUDIO_DEBUG=1 shows where it came from)", 1


def app_of(asked: str) -> typer.Typer:
    """The command line with one command imported and the others named."""
    app = typer.Typer(
        name="step-audio",
        help="Speech in, sensible speech out, on a plain CPU.",
        add_completion=False,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    for name, line in COMMANDS.items():
        module = import_module(f"step_audio_mini.cli.{name}") if name == asked else None
        if module is None:
            app.command(name, help=line)(_unasked)
        elif hasattr(module, "app"):
            app.add_typer(module.app, name=name, help=line)
        else:
            app.command(name)(getattr(module, name))
    return app


def _unasked() -> None:
    """Stand-in of a command that was not asked for, so that it appears in the help."""


def _command(arguments: Sequence[str]) -> str:
    return arguments[0] if arguments and arguments[0] in COMMANDS else ""


if __name__ == "__main__":
    run()
