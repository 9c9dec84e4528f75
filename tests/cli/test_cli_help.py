"""The list of commands, and what it costs."""

import inspect
import subprocess
import sys

import pytest

from kubemend.app import program
from kubemend.surfaces.cli.commands import COMMANDS, GROUPS, page

HEAVY = ("aiohttp", "sqlalchemy", "cyclopts", "rich", "asyncio", "msgspec", "yaml")


def test_help_lists_every_command_and_imports_nothing_heavy():
    code = (
        "import sys; from kubemend.app import run; run(['--help']);"
        f"print('loaded:', [m for m in {HEAVY!r} if m in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for command in COMMANDS:
        assert f"  {command.path} " in said
    assert "loaded: []" in said


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_without_a_command_the_help_is_shown(cli, arguments):
    ran = cli(*arguments)
    assert (ran.status, ran.out) == (0, page() + "\n")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: c.path)
def test_every_command_is_there_and_explains_itself(cli, command):
    app = program()
    for word in command.path.split():
        app = app[word]
    assert inspect.getdoc(app.default_command)
    ran = cli(*command.path.split(), "--help")
    assert ran.status == 0
    assert f"Usage: kubemend {command.path}" in ran.out
    for argument in app.assemble_argument_collection():
        assert argument.parameter.help or not argument.show, f"{argument.names} says nothing"


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_alone_lists_what_is_in_it(cli, group):
    ran = cli(group)
    assert ran.status == 0
    for command in COMMANDS:
        if command.path.startswith(group + " "):
            assert command.path.removeprefix(group + " ") in ran.out


def test_the_version_has_an_option_and_a_command(cli):
    assert cli("--version").out.startswith("kubemend ")
    assert cli("version", "-o", "json").json["kubemend"] in cli("--version").out


def test_commands_below_the_first_level_belong_to_a_group():
    assert {c.path.partition(" ")[0] for c in COMMANDS if " " in c.path} == set(GROUPS)
