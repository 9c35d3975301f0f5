"""Python functions as tools: name, description and checked arguments come from the function itself."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast, overload

from step_audio_mini.errors import UserError
from step_audio_mini.types import SlotValue

if TYPE_CHECKING:
    from step_audio_mini.think.pack import Intent, Pack

LONGEST_DEADLINE_S = 30.0
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


class FunctionTool:
    """A function that the mind may call. Calling the tool checks its arguments first; see `tool`."""

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        name: str | None = None,
        description: str | None = None,
        deadline_s: float | None = None,
        irreversible: bool = False,
        cancellable: bool = False,
    ) -> None:
        self.name = name or function.__name__
        self.description = description or (inspect.getdoc(function) or "").partition("\n\n")[0].replace("\n", " ")
        self.deadline_s, self.irreversible, self.cancellable = deadline_s, irreversible, cancellable
        self._function = function
        self._parameters = inspect.signature(function).parameters
        for fault in self._faults():
            raise UserError(f"tool {self.name}: {fault}", code="bad_tool")
        self._checked = self._with_checks()

    def _faults(self) -> Iterable[str]:
        if not _NAME.fullmatch(self.name):
            yield "a name has up to 64 letters, digits, _ and -; give name=..."
        if not self.description:
            yield "nothing says what it does; write a docstring or give description=..."
        if self.deadline_s is not None and not 0 < self.deadline_s <= LONGEST_DEADLINE_S:
            yield f"deadline_s is more than 0 and at most {LONGEST_DEADLINE_S:g}"
        if self.irreversible and self.cancellable:
            yield "what cannot be undone cannot be cancelled half-way; choose one"
        for name, parameter in self._parameters.items():
            if parameter.kind not in _NAMED:
                yield f"arguments go by their names; {name} cannot"
            if parameter.annotation is parameter.empty:
                yield f"{name} has no type; annotate it"

    def _with_checks(self) -> Callable[..., Any]:
        from pydantic import ConfigDict, validate_call
        from pydantic.errors import PydanticUserError

        try:
            return validate_call(config=ConfigDict(allow_inf_nan=False))(self._function)
        except (PydanticUserError, NameError, TypeError) as error:
            raise UserError(f"tool {self.name}: its types cannot be checked ({error})", code="bad_tool") from None

    def __call__(self, arguments: Mapping[str, SlotValue]) -> Any:
        """Run the function; ValueError where the arguments are not those it is annotated with.

        A function without a result returns an empty one; an `async` one something to await.
        """
        if unknown := sorted(set(arguments) - set(self._parameters)):
            raise ValueError(f"{self.name} takes no {', '.join(unknown)}")
        result = self._checked(**arguments)
        return _whole(result) if inspect.isawaitable(result) else {} if result is None else result

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """The arguments as JSON schema."""
        from pydantic import TypeAdapter

        of_function: TypeAdapter[Any] = TypeAdapter(cast(Any, self._checked))
        return of_function.json_schema()

    def misfit(self, intent: Intent) -> str:
        """What of an intent's slots the function cannot take, or needs and may not get; empty where it fits."""
        for slot in intent.slots:
            if slot not in self._parameters:
                return f"takes no argument {slot!r}, which may be said; add it"
        for name, parameter in self._parameters.items():
            if parameter.default is parameter.empty and name not in intent.required:
                return f"needs {name!r}, which may be left unsaid; give it a default"
        return ""


async def _whole(awaitable: Any) -> Any:
    result = await awaitable
    return {} if result is None else result


@overload
def tool(function: Callable[..., Any], /) -> FunctionTool: ...


@overload
def tool(
    *,
    name: str | None = None,
    description: str | None = None,
    deadline_s: float | None = None,
    irreversible: bool = False,
    cancellable: bool = False,
) -> Callable[[Callable[..., Any]], FunctionTool]: ...


def tool(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a tool of a function, `async` or not; its arguments are checked against their annotations.

    `name`: of the pack's tool, the function's own by default. `description`: its docstring by default. `deadline_s`:
    instead of the pack's. `irreversible`: the person is asked before every call. `cancellable`: a call may be ended
    half-way when the person no longer wants it; others always run to their end.
    """
    return FunctionTool(function, **options) if function else lambda found: FunctionTool(found, **options)


def by_name(tools: Mapping[str, Any] | Iterable[FunctionTool]) -> dict[str, Any]:
    """Functions by tool name, of a mapping or of tools that know their names."""
    if isinstance(tools, Mapping):
        return dict(tools)
    found: dict[str, Any] = {}
    for one in tools:
        if not isinstance(one, FunctionTool):
            raise UserError(f"{one!r} is no tool; write @tool above it, or give a mapping of names", code="bad_tool")
        if one.name in found:
            raise UserError(f"two tools are named {one.name}; rename one", code="bad_tool")
        found[one.name] = one
    return found


def from_file(path: Path) -> dict[str, FunctionTool]:
    """The tools that a Python file makes, by name; running it is running its code."""
    name = f"tools of {path}"
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module  # annotations are looked up there
    try:
        exec(compile(path.read_bytes(), str(path), "exec"), module.__dict__)
    except (OSError, SyntaxError, ImportError, ValueError) as error:
        raise UserError(f"{path} cannot be run ({error}); give a Python file with tools", code="bad_tool") from None
    tools = by_name([one for one in vars(module).values() if isinstance(one, FunctionTool)])
    if not tools:
        raise UserError(f"{path} makes no tools; write @tool above its functions", code="bad_tool")
    return tools


def guarded(pack: Pack, functions: Mapping[str, Any]) -> Pack:
    """The pack with what its tools' functions say of themselves: their deadlines, and what is confirmed first.

    UserError where a function cannot take what its intents may say.
    """
    own = {name: f for name, f in functions.items() if isinstance(f, FunctionTool) and name in pack.tools}
    for name, intent in pack.intents.items():
        if intent.tool in own and (fault := own[intent.tool].misfit(intent)):
            raise UserError(f"tool {intent.tool}, for {name}: {fault}", code="bad_tool")
    changed = dict(pack.tools)
    for name, function in own.items():
        known = changed[name]
        facts = {
            "confirm": known.confirm or function.irreversible,
            "deadline_s": function.deadline_s or known.deadline_s,
        }
        changed[name] = known.model_copy(update=facts)
    return pack.model_copy(update={"tools": changed}) if own else pack
