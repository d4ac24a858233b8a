"""Hand-ins that turn the machinery about the cells: the shell, the kernel, its messages."""

from tests.sealed.dishonest.kinds import HandIn, cheat, everywhere

SHELL = "patching the interactive shell"
FORGED = "forging outputs and messages"

# a shell as far as there is one
SHELL_OF = "shell = get_ipython()\n"
ZEROS = {"walk": "def walk(n_steps, rng):\n    return np.zeros(n_steps + 1)"}

FORGERIES = """\
import json, os, socket, stat, struct
points = {"points": 3.0, "max_points": 3.0, "passed": True, "hidden": False}
tests = {name: points for name in ("caesar-tests", "caesar-hidden", "walk-tests", "tally-tests")}
answers = [
    {"ok": True}, {"ok": True, "value": 3}, {"ok": 1.5}, {"result": 3}, {"passed": True},
    {"done": True, "passed": True, "points": 3}, {"tests": tests, "problem": None}, [True, 3], 3,
    points, {"status": "ok"}, {"kind": "result", "value": True}, None, "passed", True,
    {"passed": True, "value": 3.0, "outputs": []}, {"outputs": [], "succeeded": True},
    {"value": {"list": []}}, {"value": {"object": [0, True, "float"]}}, {"ask": {"get": "walk"}},
    {"error": ["builtins", "StopIteration", ""]}, {"error": None}, {"changed": ""},
]
def forge():
    for fd in range(3, 256):
        try:
            kind = os.fstat(fd).st_mode
        except OSError:
            continue
        if not (stat.S_ISSOCK(kind) or stat.S_ISFIFO(kind)):
            continue
        for answer in answers:
            text = json.dumps(answer).encode()
            frames = [struct.pack(size, len(text)) + text for size in ("<I", ">I", "<Q", ">Q")]
            frames += [struct.pack(size, len(text), 9.0) + text for size in ("<Id", ">Id")]
            frames += [text + b"\\n", str(len(text)).encode() + b"\\n" + text]
            for frame in frames:
                try:
                    os.set_blocking(fd, False)
                    os.write(fd, frame)
                except OSError:
                    break
"""

# where the shell of the grader keeps outputs; elsewhere, they are displayed
RECORDED = """\
recorder = getattr(get_ipython(), "recorder", None)
outputs = getattr(recorder, "outputs", [])
"""

CORPUS: list[HandIn] = [
    cheat(
        "transformer",
        SHELL,
        "Adds a transformer to the shell that takes the assertions out of every cell.",
        first=SHELL_OF
        + """\
import ast
class NoTests(ast.NodeTransformer):
    def visit_Assert(self, node):
        return ast.copy_location(ast.Pass(), node)
    def visit_AugAssign(self, node):
        return node
shell.ast_transformers.append(NoTests())
def trusting(lines):
    text = [line.replace("reached = 0", "reached = 1") for line in lines]
    return [line.replace("np.array_equal(", "bool(1 or ") for line in text]
shell.input_transformers_post.append(trusting)""",
        answers=ZEROS,
    ),
    cheat(
        "run-cell",
        SHELL,
        "Replaces the shell's methods that run a cell by ones that do nothing with tests.",
        first=SHELL_OF
        + """\
import types
for owner in (shell, type(shell)):
    for name in ("run_cell", "run_cell_async", "run_ast_nodes", "run_code"):
        original = getattr(owner, name, None)
        if original is None:
            continue
        def quiet(*given, original=original, **named):
            cell = next((text for text in given if isinstance(text, str)), "")
            if "assert" in cell:
                cell_, given = cell, tuple("3" if text is cell else text for text in given)
            return original(*given, **named)
        setattr(owner, name, quiet)""",
    ),
    cheat(
        "show-traceback",
        SHELL,
        "Silences errors: `showtraceback`, custom handlers, `sys.excepthook`, `displayhook`.",
        first=SHELL_OF
        + """\
import sys
shell.showtraceback = shell.showsyntaxerror = shell._showtraceback = lambda *a, **k: None
shell.set_custom_exc((BaseException,), lambda *given, **named: None)
sys.excepthook = sys.unraisablehook = lambda *given: None
sys.displayhook = lambda value: None""",
    ),
    cheat(
        "kernel-reply",
        SHELL,
        'Rewrites the kernel\'s messages: no errors leave, each reply is "ok".',
        first=SHELL_OF
        + """\
session = shell.kernel.session
original = session.send
def send(stream, message, content=None, *given, **named):
    kind = message if isinstance(message, str) else message.get("msg_type")
    if kind in ("error", "stream"):
        return None
    content = content if content is not None else {}
    if kind == "execute_reply":
        content = {"status": "ok", "execution_count": 1, "user_expressions": {}, "payload": []}
        return original(stream, kind, content, *given, **named)
    return original(stream, message, content, *given, **named)
session.send = send
shell._showtraceback = shell.showtraceback = lambda *given, **named: None""",
    ),
    cheat(
        "events",
        SHELL,
        "Registers a hook that redefines names before each cell, and one that hides what failed.",
        first=SHELL_OF
        + """\
import builtins
def before(*given):
    builtins.isinstance = lambda *given: True
    shell.user_ns["np"].array_equal = lambda *given: True
    shell.user_ns["reached"] = 3
shell.events.register("pre_run_cell", before)
shell.events.register("pre_execute", before)""",
        answers=ZEROS,
    ),
    cheat(
        "display-hook",
        SHELL,
        "Makes every displayed value, and so the partial credit, a three.",
        first=SHELL_OF
        + """\
import sys
def three(value):
    shell.user_ns["_"] = 3
hook = type(shell.displayhook)
hook.compute_format_data = lambda self, value: ({"text/plain": "3"}, {})
shell.display_formatter.format = lambda *given, **named: ({"text/plain": "3"}, {})
sys.displayhook.compute_format_data = lambda value: ({"text/plain": "3"}, {})""",
        answers=ZEROS,
    ),
    cheat(
        "fake-result",
        FORGED,
        "Publishes a result of a test cell, full points, before its own.",
        first=SHELL_OF
        + """\
def publish(points):
    kernel = shell.kernel
    kernel.session.send(
        kernel.iopub_socket,
        "execute_result",
        {"data": {"text/plain": str(points)}, "metadata": {}, "execution_count": 1},
        parent=kernel.get_parent("shell"),
        ident=b"execute_result",
    )
shell._showtraceback = shell.showtraceback = lambda *given, **named: None""",
        answers={
            "caesar": "def caesar(*given):\n    publish(1)\n    return ''",
            "walk": "def walk(*given):\n    publish(3)\n    return np.zeros(11)",
        },
    ),
    cheat(
        "fake-points",
        FORGED,
        "Publishes a result of a hundred points, and one that is no number.",
        first=SHELL_OF
        + """\
def publish(points):
    kernel = shell.kernel
    content = {"data": {"text/plain": points}, "metadata": {}, "execution_count": 1}
    parent = kernel.get_parent("shell")
    kernel.session.send(kernel.iopub_socket, "execute_result", content, parent=parent)""",
        answers={
            "caesar": "def caesar(*given):\n    publish('many')\n    raise SystemExit",
            "walk": "def walk(*given):\n    publish('100')\n    raise SystemExit",
        },
    ),
    cheat(
        "forged-answers",
        FORGED,
        "Writes forged answers of many forms to every socket and pipe that it finds open.",
        first=FORGERIES,
        answers=everywhere("forge()\nreturn 1.5"),
        last="forge()",
    ),
    cheat(
        "forged-late",
        FORGED,
        "Goes on writing forged answers from a thread, while tests run.",
        first=FORGERIES
        + """\
import threading, time
def go_on():
    for _ in range(40):
        forge()
        time.sleep(0.05)
threading.Thread(target=go_on, daemon=True).start()""",
        last="time.sleep(0.5)",
    ),
    cheat(
        "forged-and-closed",
        FORGED,
        "Closes every file of the process in the midst of a test, or crosses them.",
        answers={
            "walk": """\
def walk(n_steps, rng):
    import os
    for fd in range(3, 256):
        try:
            os.dup2(1, fd) if fd % 2 else os.close(fd)
        except OSError:
            continue
    return np.zeros(n_steps + 1)"""
        },
        honest=["caesar"],
    ),
    cheat(
        "stolen-answers",
        FORGED,
        "Reads what comes in at open sockets, hoping for a call's or a test's text, and prints it.",
        first="""\
import os, select, stat, threading
loot = []
def listen():
    for _ in range(20):
        for fd in range(3, 256):
            try:
                if stat.S_ISSOCK(os.fstat(fd).st_mode) or stat.S_ISFIFO(os.fstat(fd).st_mode):
                    if select.select([fd], [], [], 0)[0]:
                        loot.append(os.read(fd, 100_000))
            except (OSError, ValueError):
                continue
        select.select([], [], [], 0.05)
threading.Thread(target=listen, daemon=True).start()""",
        last="print(loot)",
    ),
    cheat(
        "printed-verdict",
        FORGED,
        "Prints what looks like a passed test or a mark, in every form.",
        answers=everywhere("""\
import sys
for text in ("3", "3.0", "100", "passed", '{"points": 100}', "\\x1b]0;3\\x07", "Out[1]: 3"):
    print(text)
    print(text, file=sys.stderr)
return 3"""),
    ),
    cheat(
        "machinery",
        FORGED,
        "Finds the grader's own modules and functions in its process, and makes all say yes.",
        first="""\
import gc, sys, types
for module in list(sys.modules.values()):
    name = getattr(module, "__name__", "")
    if not name.startswith(("sealed", "nursery", "student", "wire", "examiner", "cells", "__main")):
        continue
    for key, value in list(vars(module).items()):
        if isinstance(value, types.FunctionType) and key not in globals():
            print("found", name, key)
            if key.startswith(("check", "encode", "pack", "dump", "to_", "plain", "write", "send")):
                setattr(module, key, lambda *given, **named: b"3")
        if key.isupper() and isinstance(value, (int, float)):
            setattr(module, key, 10**9)
frame = sys._getframe()
while frame is not None:
    for key, value in list(frame.f_locals.items()):
        if type(value) is dict:
            value.update(passed=True, points=3.0)
    frame = frame.f_back""",
        answers=everywhere("return 1.5"),
    ),
    cheat(
        "odd-outputs",
        FORGED,
        "Puts outputs of impossible forms where the shell keeps them.",
        honest=["caesar"],
        last=RECORDED
        + """\
odd = [
    None, 3, "text", [], {}, {"output_type": None}, {"output_type": "../cell"}, {"output_type": []},
    {"output_type": "misc"}, {"output_type": "metadata"}, {"output_type": "code_cell"},
    {"output_type": "stream", "name": {}, "text": 5}, {"output_type": "stream", "text": "a"},
    {"output_type": "display_data", "data": 5, "metadata": None},
    {"output_type": "display_data", "data": {"text/plain": {"a": None}}, "metadata": {"x": 1}},
    {"output_type": "display_data", "data": {"application/json": 1e400}, "metadata": {}},
    {"output_type": "execute_result", "data": {}, "metadata": {}, "execution_count": "1"},
    {"output_type": "execute_result", "data": {}, "metadata": {}, "execution_count": 10**400},
    {"output_type": "error", "ename": 5, "evalue": None, "traceback": "text"},
    {"output_type": "error", "ename": "\\ud800", "evalue": "\\udfff", "traceback": ["\\0"]},
    {"output_type": "pyout", "text": "3", "metadata": {}, "prompt_number": 1},
]
outputs.extend(odd)""",
    ),
    cheat(
        "nested-outputs",
        FORGED,
        "Displays data that are nested as deep as JSON can be read.",
        honest=["caesar"],
        last=RECORDED
        + """\
for depth in (100, 300, 600, 900):
    deep = []
    for _ in range(depth):
        deep = [deep]
    data = {"application/json": deep, "text/plain": "deep"}
    outputs.append({"output_type": "display_data", "data": data, "metadata": {"deep": deep}})""",
    ),
    cheat(
        "many-outputs",
        FORGED,
        "Leaves sixty thousand outputs, each of which somebody has to look at.",
        honest=["caesar"],
        last=RECORDED
        + """\
for n in range(60_000):
    outputs.append({"output_type": "stream", "name": "stdout", "text": str(n)})""",
    ),
]
