"""Pretended programs: the shell, the small tools, the images' own servers."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machines import container, pod

from kubemend.lab.images import CATALOGUE, full_name
from kubemend.lab.node.applets import APPLETS
from kubemend.lab.node.config import command_line, expand
from kubemend.lab.node.process import Behaviour, OutOfMemory, Process, find_program
from kubemend.lab.node.syntax import parse
from kubemend.lab.node.words import SyntaxProblem


async def _unreachable(host: str, port: int) -> str:
    return "" if (host, port) == ("db", 5432) else f"lookup {host}: no such host"


def process(**more) -> tuple[Process, list[str]]:
    lines: list[str] = []
    fields = {"pace": 0.001, "connect": _unreachable, "used": lambda _memory, _cpu: None, "programs": APPLETS, **more}
    return Process(write=lines.append, **fields), lines


async def run(script: str, **more) -> tuple[int, list[str]]:
    made, lines = process(**more)
    return await APPLETS["sh"](made, ["sh", "-c", script]), lines


@pytest.mark.parametrize(
    ("script", "code", "lines"),
    [
        ("exit 3", 3, []),
        ("echo a; echo b", 0, ["a", "b"]),
        ("echo one && echo two", 0, ["one", "two"]),
        ("false && echo never", 1, []),
        ("false || echo rescued", 0, ["rescued"]),
        ("true; false; exit $?", 1, []),
        ("sleep 1; exit 4", 4, []),
        ("nosuch", 127, ["sh: nosuch: not found"]),
        ("nosuch || exit 9", 9, ["sh: nosuch: not found"]),
        ("if false; then echo a; elif true; then echo b; else echo c; fi", 0, ["b"]),
        ('if [ -n "$NAME" ]; then echo hi $NAME; fi', 0, ["hi bob"]),
        ('test -z "$NAME" || exit 5', 5, []),
        ("X=1; [ $X -eq 1 ] && echo yes", 0, ["yes"]),
        ("for i in 1 2 3; do echo n$i; done", 0, ["n1", "n2", "n3"]),
        ("i=0; while [ $i != done ]; do i=done; echo turn; done", 0, ["turn"]),
        ("until true; do echo never; done; echo after", 0, ["after"]),
        ("while true; do break; done; exit 2", 2, []),
        ("echo 'single $NAME' \"double $NAME\"", 0, ["single $NAME double bob"]),
        ("echo ${MISSING:-fallback} ${NAME}", 0, ["fallback bob"]),
        ("echo $(hostname)-x", 0, ["one-x"]),
        (
            "touch /tmp/a; cat /tmp/a && rm /tmp/a; cat /tmp/a",
            1,
            ["cat: can't open '/tmp/a': No such file or directory"],
        ),
        ("echo ok > /tmp/ok; test -f /tmp/ok", 0, []),
        ("true 2>/dev/null >&2; echo $?", 0, ["0"]),
        ("(exit 6); echo $?", 6, []),
        ("{ echo grouped; }", 0, ["grouped"]),
        ("echo a | cat; echo b", 0, ["b"]),
        ("set -e; false; echo never", 1, []),
        ("set -e; false || true; echo on", 0, ["on"]),
        ("# nothing but a comment", 0, []),
        ("echo a # and one at the end\necho b", 0, ["a", "b"]),
        ("exec echo last; echo never", 0, ["last"]),
        ("! true", 1, []),
        ("nc -z db 5432 && echo up", 0, ["up"]),
        ("wget -qO- http://web/x", 1, ["wget: lookup web: no such host"]),
        ("if true; then", 2, ['sh: syntax error: unexpected "end of file" (expecting "fi")']),
        ("echo 'open", 2, ["sh: syntax error: missing '"]),
        ("printf 'a %s\\n' b", 0, ["a b"]),
        ("sleep x", 1, ["sleep: invalid number 'x'"]),
    ],
)
async def test_a_script_does_what_a_shell_would(script, code, lines):
    assert await run(script, env={"NAME": "bob", "HOSTNAME": "one"}) == (code, lines)


async def test_a_job_beside_the_script_ends_with_it():
    made, lines = process()
    script = "httpd -f -p 8080 & sleep 1; echo serving"
    assert await APPLETS["sh"](made, ["sh", "-c", script]) == 0
    assert lines == ["serving"]
    assert made.listens(8080)


async def test_a_busy_loop_leaves_time_for_others():
    made, _ = process()
    task = asyncio.create_task(APPLETS["sh"](made, ["sh", "-c", "while true; do :; done"]))
    done, _ = await asyncio.wait({task}, timeout=0.05)
    assert not done
    task.cancel()


async def test_a_read_only_root_takes_files_in_volumes_alone():
    both = "echo x > /data/x && echo x > /etc/x"
    code, lines = await run(both, read_only=True, writable=["/data"])
    assert (code, lines) == (1, ["sh: can't create /etc/x: Read-only file system"])


@given(st.text(alphabet="ab '\"\\$(){};&|<>#\n!", max_size=30))
def test_any_text_is_read_as_a_script_or_refused_as_one(text):
    with contextlib.suppress(SyntaxProblem):
        parse(text)


@pytest.mark.parametrize(
    ("image", "args", "code", "said"),
    [
        ("registry.lab/web:1.0", ["--prot", "80"], 2, "flag provided but not defined: -prot"),
        ("registry.lab/web:1.0", ["--port", "many"], 1, "invalid port 'many'"),
        ("nginx:1.27", ["--daemon"], 1, 'nginx: invalid option: "daemon"'),
        ("postgres:16", [], 1, "Error: Database is uninitialized and superuser password is not specified."),
        ("polinux/stress", ["--vm", "1", "--vm-bytes", "lots"], 1, "stress: FAIL: [1] (244) unrecognized number"),
        ("polinux/stress", ["--cpu", "1", "--timeout", "1s"], 0, "stress: info: [1] dispatching hogs: 1 cpu"),
    ],
)
async def test_a_program_refuses_what_it_can_t_use(image, args, code, said):
    found = CATALOGUE.pull(image)
    made, lines = process(programs=found.programs)
    argv = command_line(container(image, args=args), found.entrypoint, found.cmd, {})
    program = find_program(found.programs, argv[0])
    assert program is not None
    assert await program(made, argv) == code
    assert lines[0].startswith(said)


@pytest.mark.parametrize(
    ("image", "argv", "env", "port", "paths"),
    [
        ("registry.lab/web:1.1", [], {}, 8080, {"/", "/healthz", "/ready"}),
        ("registry.lab/api:2.0", ["--port=9000"], {}, 9000, {"/", "/healthz", "/ready"}),
        ("registry.lab/web:1.1", [], {"PORT": "81"}, 81, {"/", "/healthz", "/ready"}),
        ("nginx", [], {}, 80, {"/", "/index.html"}),
        ("redis:7", [], {}, 6379, None),
        ("postgres:16", [], {"POSTGRES_PASSWORD": "x"}, 5432, None),
        ("registry.lab/config-reader:1.0", [], {"CONFIG": "x"}, 8080, {"/", "/healthz", "/ready"}),
    ],
)
async def test_a_server_listens_where_it_should(image, argv, env, port, paths):
    found = CATALOGUE.pull(image)
    made, _ = process(programs=found.programs, env=env)
    program = found.programs[found.entrypoint[0]]
    task = asyncio.create_task(program(made, [found.entrypoint[0], *argv]))
    await asyncio.wait_for(made.changed.wait(), 1)
    assert made.listens(port)
    assert made.served == {port: paths}
    task.cancel()


async def test_nginx_needs_its_cache_to_be_writable():
    made, lines = process(read_only=True)
    assert await CATALOGUE.pull("nginx:1.27").programs["nginx"](made, ["nginx"]) == 1
    assert lines[0].endswith("failed (30: Read-only file system)")


async def test_memory_beyond_the_limit_is_the_end():
    made, _ = process(limit=100)
    await made.use(100)
    with pytest.raises(OutOfMemory):
        await made.use(101)


def test_annotations_say_how_a_program_behaves():
    notes = {
        "lab.kubemend.dev/memory": "200Mi",
        "lab.kubemend.dev/serves": "8080:/healthz,/ready 9090",
        "lab.kubemend.dev/startup-seconds": "0.5",
        "lab.kubemend.dev/exit.side": "1",
        "lab.kubemend.dev/needs": "db:5432",
    }
    made = pod(notes=notes)
    made["spec"]["containers"].append({"name": "side", "image": "busybox"})
    assert Behaviour.of(made, "main") == Behaviour(
        memory=200 << 20,
        serves={8080: frozenset({"/healthz", "/ready"}), 9090: frozenset({"/"})},
        startup=0.5,
        needs=("db", 5432),
    )
    assert Behaviour.of(made, "side") == Behaviour(exit=1)


@pytest.mark.parametrize(
    ("fields", "argv"),
    [
        ({}, ["entry", "cmd"]),
        ({"args": ["x"]}, ["entry", "x"]),
        ({"command": ["y"]}, ["y"]),
        ({"command": ["y"], "args": ["$(A)", "$(B)", "$$(A)"]}, ["y", "1", "$(B)", "$(A)"]),
    ],
)
def test_command_and_args_replace_what_the_image_says(fields, argv):
    assert command_line(container(**fields), ["entry"], ["cmd"], {"A": "1"}) == argv


def test_an_escaped_reference_is_left_alone():
    assert expand("$$(A) $(A)", {"A": "1"}) == "$(A) 1"


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("polinux/stress", "docker.io/polinux/stress:latest"),
        ("registry.lab/web:1.0", "registry.lab/web:1.0"),
        ("localhost:5000/x", "localhost:5000/x:latest"),
    ],
)
def test_a_reference_is_made_whole_as_containerd_does(short, full):
    assert full_name(short) == full
