"""Tools that people add in YAML files: upstream's list of commands, and the `tools:` form with arguments.

What they run is kubectl by our own reading of it, or a program in the sandbox. A person's file may give a program the
network, folders to read and environment; the words of a call are arguments and never a script.
"""

from __future__ import annotations

import inspect
import keyword
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import yaml
from msgspec import Meta

from kubemend.kube.names import near
from kubemend.kube.redaction import HIDDEN
from kubemend.model.access import Risk
from kubemend.model.errors import InvalidInput
from kubemend.model.order import Order
from kubemend.model.tool import Function, Tool
from kubemend.tools.look import Look
from kubemend.tools.shell.command import CommandRefused, carry_out
from kubemend.tools.shell.ran import Ran
from kubemend.tools.shell.sandbox import Grant, Limits
from kubemend.tools.shell.script import NotPlain, hidden, plain

NAMES = re.compile(r"[a-z][a-z0-9_]{0,63}")
KEYS = frozenset({"name", "description", "command", "command_desc", "is_interactive", "args", "timeout", "environment",
                  "parameters", "working_directory", "output_format", "network", "folders", "risk"})  # fmt: skip
UNUSED = {
    "working_directory": "the sandbox has one folder, which is its working directory",
    "output_format": "an answer is the program's output as it is",
}
PLACE = re.compile(r"\$\{(\w+)\}")
SHELLS = re.compile(r"(?:ba|da|z|k|c|tc|fi)?sh|python[\d.]*|perl|ruby|node|awk|gawk|php|lua|env|xargs|sudo")
"""Programs one of whose arguments is a program."""
LONGEST_S = 300.0
SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m)?")
MANY = 4096
"""Characters of an argument."""


@dataclass(frozen=True)
class Loaded:
    """The tools of some files by name, and what people should know about them."""

    tools: Mapping[str, Tool]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Argument:
    """One parameter of a tool. default: None when it must be given."""

    name: str
    description: str
    default: str | None


@dataclass(frozen=True)
class Program:
    """What a tool runs. open: words of the call are put behind it (upstream's list form)."""

    argv: tuple[str, ...]
    arguments: tuple[Argument, ...]
    open: bool
    grant: Grant
    seconds: float


def configured(built_in: Mapping[str, Tool], environment: Mapping[str, str] = os.environ) -> Loaded:
    """The tools of the files named in KUBEMEND_CUSTOM_TOOLS (paths with `:` between), else of the default file."""
    named = environment.get("KUBEMEND_CUSTOM_TOOLS", "")
    if named:
        return load([Path(p).expanduser() for p in named.split(":") if p], built_in)
    home = environment.get("XDG_CONFIG_HOME") or "~/.config"
    usual = Path(home).expanduser() / "kubemend" / "tools.yaml"
    return load([usual] if usual.exists() else [], built_in)


def load(paths: Sequence[Path], built_in: Mapping[str, Tool]) -> Loaded:
    """The tools of files, and of all YAML files below folders. InvalidInput: a file that can't be used."""
    made: dict[str, Tool] = {}
    warnings: list[str] = []
    for path in _files(paths):
        for place, entry in enumerate(_entries(path, warnings)):
            try:
                tool = _tool(entry, f"{path}: tool {place + 1}", warnings)
            except InvalidInput as error:
                warnings.append(f"{path}: tool {entry.get('name', place + 1)} is left out: {error.message}")
                continue
            if tool.name in built_in or tool.name in made:
                warnings.append(f"{path}: tool {tool.name} is left out: there is one of that name")
                continue
            made[tool.name] = tool
    return Loaded(made, tuple(warnings))


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(p for p in path.rglob("*") if p.suffix in (".yaml", ".yml") and p.is_file())
        elif path.is_file():
            yield path
        else:
            raise InvalidInput("there is no such file", code="path-unreadable", where=str(path))


def _entries(path: Path, warnings: list[str]) -> list[dict[str, Any]]:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidInput(f"it can't be read: {error}", code="tools-file-invalid", where=str(path)) from error
    if isinstance(found, dict):
        warnings += [f"{path}: {_unknown(str(k), {'tools'})}" for k in found if k != "tools"]
        found = found.get("tools")
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(e, dict) for e in found):
        raise InvalidInput("it is neither a list of tools nor `tools:` with one", code="tools-file-invalid",
                           where=str(path))  # fmt: skip
    return found


def _tool(entry: dict[str, Any], where: str, warnings: list[str]) -> Tool:
    warnings += [f"{where}: {_unknown(str(k), KEYS)}" for k in entry if k not in KEYS]
    warnings += [f"{where}: {k} is not used: {why}" for k, why in UNUSED.items() if k in entry]
    if entry.get("is_interactive"):
        warnings.append(f"{where}: is_interactive is not used: nobody can type into a tool")
    name = entry.get("name")
    if not isinstance(name, str) or not NAMES.fullmatch(name):
        raise InvalidInput(f"{name!r} can't be the name of a tool: lower case, digits and _")
    program = _program(entry)
    risk = Risk.HIGH if any("kubectl" in word for word in program.argv) else Risk.READ
    if program.grant.network and entry.get("risk") != "read":
        raise InvalidInput("it has the network, so it may change something; say `risk: read` if it only reads")
    return Tool(_function(name, entry, program), risk, frozenset(), (), program.seconds + 10)


def _program(entry: dict[str, Any]) -> Program:
    command, args = entry.get("command"), entry.get("args")
    if not isinstance(command, str) or not command.strip():
        raise InvalidInput("it has no command")
    try:
        argv = plain(command)
    except NotPlain as odd:
        raise InvalidInput(f"its command has {odd.why}; put a script into a file, or behind `bash -c` in args") from odd
    if args is not None and not (isinstance(args, list) and all(isinstance(a, str | int | float) for a in args)):
        raise InvalidInput("args is a list of words")
    argv += tuple(str(a) for a in args or ())
    arguments = tuple(_argument(a) for a in entry.get("parameters") or ())
    used = {n for word in argv for n in PLACE.findall(word)}
    if unknown := used - {a.name for a in arguments}:
        raise InvalidInput(f"it has no parameter {', '.join(sorted(unknown))}")
    if used and SHELLS.fullmatch(Path(argv[0]).name):
        _no_code(argv)
    return Program(argv, arguments, args is None and not arguments, _grant(entry), _seconds(entry.get("timeout")))


def _no_code(argv: tuple[str, ...]) -> None:
    """A parameter in the text of a script would be code. Behind the script it is an argument."""
    switch = next((i for i, word in enumerate(argv) if word.startswith("-") and word[-1:] in "ce"), None)
    code = argv[switch + 1 : switch + 2] if switch is not None else argv[1:2]
    if any(PLACE.search(word) for word in (argv[0], *code)):
        raise InvalidInput("a parameter inside of a script is code; give it behind: bash -c 'grep \"$1\"' _ ${pattern}")


def _argument(given: Any) -> Argument:
    name = given.get("name") if isinstance(given, dict) else None
    if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name) or name == "cluster":
        raise InvalidInput(f"{name!r} can't be the name of a parameter")
    default = given.get("default")
    if default is None and not given.get("required", False):
        default = ""
    return Argument(name, str(given.get("description", name)), None if default is None else str(default))


def _grant(entry: dict[str, Any]) -> Grant:
    folders, environment = entry.get("folders") or [], entry.get("environment") or {}
    if not isinstance(environment, dict) or not isinstance(folders, list):
        raise InvalidInput("environment is a mapping, folders a list")
    if "KUBECONFIG" in environment:
        raise InvalidInput("a program of the sandbox gets no cluster; use kubectl as the command")
    places = [Path(str(f)).expanduser() for f in folders]
    if odd := next((p for p in places if not p.is_absolute() or p == Path("/") or not p.is_dir()), None):
        raise InvalidInput(f"{odd} is no folder that can be given")
    values = {str(k): PLACE.sub(lambda m: os.environ.get(m[1], ""), str(v)) for k, v in environment.items()}
    return Grant(entry.get("network") is True, tuple(map(str, places)), tuple(values.items()))


def _seconds(given: Any) -> float:
    parts = SPAN.fullmatch(str(given)) if given is not None else None
    if given is not None and parts is None:
        raise InvalidInput(f"timeout {given!r} is no span of time, such as 30s")
    if parts is None:
        return Limits().seconds
    return min(float(parts[1]) * {"ms": 0.001, "m": 60.0}.get(parts[2], 1.0), LONGEST_S)


def _function(name: str, entry: dict[str, Any], program: Program) -> Function:
    """An async function with the parameters of the file, as if it had been written by hand."""

    async def call(cluster: Look, **given: str) -> Ran | Order:
        argv = _opened(program, given["command"]) if program.open else _filled(program, given)
        made = await carry_out(cluster, argv, grant=program.grant, limits=Limits(seconds=program.seconds))
        return made if isinstance(made, Order) else _without_values(made, program.grant)

    description = str(entry.get("description") or f"Run {program.argv[0]}").strip()
    call.__name__ = call.__qualname__ = name
    call.__module__ = f"kubemend.tools.custom.{name}"
    call.__doc__ = description if description.split("\n", 1)[0].endswith(".") else f"{description}."
    call.__signature__ = inspect.Signature(_parameters(entry, program), return_annotation=Ran | Order)  # type: ignore[attr-defined]
    return call


def _parameters(entry: dict[str, Any], program: Program) -> list[inspect.Parameter]:
    handle = inspect.Parameter("cluster", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Look)
    if program.open:
        told = str(entry.get("command_desc") or f"What is put behind {' '.join(program.argv)}.")
        return [handle, _keyword("command", told, None), _keyword("modifies_resource", "Not believed.", "unknown")]
    return [handle, *(_keyword(a.name, a.description, a.default) for a in program.arguments)]


def _keyword(name: str, description: str, default: str | None) -> inspect.Parameter:
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=inspect.Parameter.empty if default is None else default,
        annotation=Annotated[str, Meta(description=description, max_length=MANY)],
    )


def _opened(program: Program, words: str) -> tuple[str, ...]:
    """The configured command with the call's words behind it; they may repeat the command."""
    if why := hidden(words):
        raise CommandRefused(why)
    try:
        given = plain(words) if words.strip() else ()
    except NotPlain as odd:
        raise CommandRefused(f"it has {odd.why}; plain arguments only") from odd
    return given if given[: len(program.argv)] == program.argv else program.argv + given


def _filled(program: Program, given: Mapping[str, str]) -> tuple[str, ...]:
    for name, value in given.items():
        if value.startswith("-"):
            raise CommandRefused(f"{name} may not begin with -: it would be a flag", where=name)
        if why := hidden(value):
            raise CommandRefused(why, where=name)
    return tuple(PLACE.sub(lambda m: given[m[1]], word) for word in program.argv)


def _without_values(made: Ran, grant: Grant) -> Ran:
    """Without the environment that the file gave: a program may print it."""
    stdout, stderr = made.stdout, made.stderr
    for _, value in grant.environment:
        if len(value) > 5:
            stdout, stderr = stdout.replace(value, HIDDEN), stderr.replace(value, HIDDEN)
    return Ran(made.command, made.class_, stdout, stderr, made.exit_code, made.error, made.stream_type)


def _unknown(key: str, known: set[str] | frozenset[str]) -> str:
    guess = near(key, known)
    return f"there is no key {key!r}" + (f"; did you mean {guess}?" if guess else "")
