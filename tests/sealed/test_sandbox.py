"""What a sealed process can and cannot do, as root and as an ordinary user."""

import json
import shutil
import sys
from dataclasses import replace

import pytest

from sealed import sandbox, views
from sealed.limits import Limits
from tests.sealed import jobs
from tests.sealed.jobs import mark, notebook, plain

probe = sandbox.probe.__wrapped__  # which looks anew each time


def run(source: str, **limits: int) -> str:
    """What a cell prints in a sealed process."""
    result = mark(notebook(plain(source)), {}, limits=replace(jobs.LIMITS, **limits))
    outputs = result.notebook["cells"][0]["outputs"]
    return "".join(o.get("text", o.get("evalue", "")) for o in outputs) + (result.problem or "")


def test_this_machine_can_seal():
    found = probe()
    assert found.sealed, found.words
    assert "no network" in found.words


def test_a_sandbox_that_leaks_is_not_taken_for_one(monkeypatch):
    command = sandbox.command(views.student(("numpy",), ()))
    command.remove("--unshare-net")
    assert "--unshare-net" in sandbox.command(views.student(("numpy",), ()))
    # each process has a network of its own even so: take away what that needs
    monkeypatch.setattr(sandbox, "command", lambda view: [x for x in command if x != "--cap-add"])
    assert not probe().sealed


def test_without_bubblewrap_the_words_say_what_to_install(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    assert "apt install bubblewrap" in probe().words


def test_on_other_systems_there_is_no_sandbox(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert "needs Linux" in probe().words


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import os; os.fork()", "not permitted"),
        ("import subprocess; subprocess.run(['true'])", "not permitted"),
        ("import os; os.execv('/bin/true', ['true'])", "not permitted"),
        ("import multiprocessing as m; m.get_context('fork').Process(target=print).start()",
         "not permitted"),
        ("import socket; socket.create_connection(('127.0.0.1', 22), 1)", "unreachable"),
        ("import socket; socket.socket(socket.AF_VSOCK)", "not permitted"),
        ("import socket; socket.socket(socket.AF_NETLINK)", "not permitted"),
        ("import socket; socket.socketpair(); socket.socket(); print('pair')", "pair"),
        ("open('/dev/x', 'w')", "Errno"),
        ("import os; os.write(2, b'remember'); print(os.pread(2, 100, 0))", "b''"),
        ("import os; os.memfd_create('x')", "not permitted"),
        ("import mmap, os; print(len(os.listdir('/proc')) < 80, os.getpid())", "True 1"),
        ("import os; print([p for p in os.listdir('/proc') if p.isdigit()])", "['1']"),
        ("print(open('/etc/passwd').read())", "No such file"),
        ("import os; print(os.listdir('/home') if os.path.exists('/home') else 'no homes')",
         "no homes"),
        ("import os; os.setuid(0)", "Errno"),
        ("import pathlib, numpy; pathlib.Path(numpy.__file__).write_text('x')", "Read-only"),
        ("open('/dev/shm/x', 'w').write('x' * (1 << 20))", "No space left"),
        ("open('x', 'wb').write(bytes(3 << 20)); print('written')", "written"),
        ("for i in range(100): open(f'x{i}', 'wb').write(bytes(1 << 20))", "No space left"),
        ("open('/x', 'w')", "Read-only"),
        ("open('/tmp/x', 'w').write('x'); print('scratch')", "scratch"),
        ("x = bytearray(3 << 30)", ""),
        ("fs = [open('/dev/null') for _ in range(500)]", "Too many open files"),
        ("import threading as t; x = t.Thread(target=print, args=['thread']); x.start(); x.join()",
         "thread"),
        ("import os; os.kill(os.getppid(), 9)", ""),
        ("import ctypes; print(ctypes.CDLL(None).ptrace(0, 0, 0, 0))", "-1"),
    ],
)  # fmt: skip
def test_a_sealed_process(source, said):
    output = run(source, disk_mb=16)
    assert said in output
    assert said or "Error" in output or "ended" in output or output == ""


def test_memory_is_limited():
    assert "MemoryError" in json.dumps(
        mark(notebook(plain("bytearray(1 << 30)")), {}).notebook["cells"]
    )


def test_cpu_time_is_limited():
    said = run(
        "import signal; signal.setitimer(signal.ITIMER_REAL, 0)\nwhile True: pass",
        cpu_seconds=1,
        cell_seconds=20,
    )
    assert "ended" in said


def test_random_numbers_differ_from_process_to_process():
    draw = "import random, numpy; print(random.random(), numpy.random.random())"
    assert len({*run(draw).split(), *run(draw).split()}) == 4


def test_a_nursery_that_cannot_start_says_why():
    view = views.View((), (), ("/program",), ())
    nursery = sandbox.Nursery("student", view, Limits())
    with pytest.raises(sandbox.SandboxError, match=r"did not start: .*bwrap"):
        nursery.wait()


def test_an_unknown_module_is_named():
    with pytest.raises(views.UnknownModule, match="'nowhere', which this Python does not have"):
        views.student(("nowhere",), ())
    with pytest.raises(views.UnknownModule, match=r"'latent\.nothing', which does not exist"):
        views.student(("latent.nothing",), ())
