"""Hand-ins that end their process, or return what nobody expects."""

from tests.sealed.dishonest.exhausting import in_walk
from tests.sealed.dishonest.kinds import HandIn, cheat, everywhere

ENDING, HOSTILE = "ending the process", "hostile values"
REST = ("distortion", "caesar")

CORPUS: list[HandIn] = [
    cheat(
        "stop-iteration",
        ENDING,
        "Raises StopIteration, which ends the loops of a test as if all were well.",
        answers=everywhere("raise StopIteration(3)"),
    ),
    cheat(
        "system-exit",
        ENDING,
        "Raises SystemExit, in the hope that a test that ends is a test passed.",
        answers=everywhere("raise SystemExit(0)"),
    ),
    cheat(
        "keyboard-interrupt",
        ENDING,
        "Raises KeyboardInterrupt, as if the instructor had pressed Ctrl-C.",
        answers=everywhere("raise KeyboardInterrupt"),
    ),
    cheat(
        "other-ends",
        ENDING,
        "Raises GeneratorExit, CancelledError and a class beside Exception of its own.",
        answers=everywhere("""\
import asyncio, unittest
class Mine(BaseException):
    pass
kinds = [GeneratorExit, asyncio.CancelledError, unittest.SkipTest, Mine]
raise kinds[len(repr(given)) % 4]"""),
    ),
    cheat(
        "exit",
        ENDING,
        "Ends the process at once, with a code that says success.",
        answers=everywhere("import os\nos._exit(0)"),
    ),
    cheat(
        "exit-politely",
        ENDING,
        "Calls `exit` and `quit` in a cell, before the tests.",
        first="import sys\ntry:\n    exit()\nfinally:\n    sys.exit(0)",
        answers=everywhere("return 1.5"),
    ),
    cheat(
        "replace-the-program",
        ENDING,
        "Replaces its program by one that ends well.",
        answers=everywhere("import os\nos.execv('/bin/true', ['/bin/true'])"),
    ),
    cheat(
        "segfault",
        ENDING,
        "Crashes the interpreter by writing to address zero.",
        honest=REST,
        answers=in_walk("import ctypes\nctypes.memset(0, 1, 1)"),
    ),
    cheat(
        "abort",
        ENDING,
        "Aborts the process by a signal to itself.",
        honest=REST,
        answers=in_walk("import os\nos.abort()"),
    ),
    cheat(
        "recursion",
        ENDING,
        "Lifts the limit of recursion and runs the stack over.",
        honest=REST,
        answers=in_walk(
            "import sys\nsys.setrecursionlimit(10**8)\ndef down(n):\n    return down(n + 1) + 1\n"
            "class Deep:\n    __repr__ = lambda self: repr(self)\n"
            "    __getattr__ = lambda self, name: getattr(self, name + name)\nrepr(Deep())\ndown(0)"
        ),
    ),
    cheat(
        "stopped",
        ENDING,
        "Stops its own process, so that it neither answers nor ends.",
        honest=REST,
        answers=in_walk("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)"),
    ),
    cheat(
        "shut-down-by-cells",
        ENDING,
        "Uses the shell's magic to reset, run programs and leave.",
        honest=REST,
        last="""\
%reset -f
!echo DONE: a shell
%run nothing.py
%%capture""",
    ),
    cheat(
        "deep-nesting",
        HOSTILE,
        "Returns lists nested a hundred thousand deep.",
        honest=REST,
        answers=in_walk("deep = []\nfor _ in range(100_000):\n    deep = [deep]\nreturn deep"),
    ),
    cheat(
        "cycle",
        HOSTILE,
        "Returns lists and dictionaries that contain themselves.",
        honest=REST,
        answers=in_walk("cycle = {}\ncycle[1] = [cycle]\nreturn [cycle, cycle]"),
    ),
    cheat(
        "endless",
        HOSTILE,
        "Returns iterators that never end, and a length that is too long.",
        answers=everywhere("""\
import itertools
class Long(list):
    __len__ = lambda self: (1 << 62)
    __iter__ = lambda self: itertools.repeat(0)
return Long() if len(given) % 2 else itertools.count()"""),
    ),
    cheat(
        "long-range",
        HOSTILE,
        "Returns ranges of a million million numbers, which weigh nothing until they are used.",
        answers=everywhere("return range(10**12)"),
    ),
    cheat(
        "pickle",
        HOSTILE,
        "Returns objects that run code when they are unpickled or copied.",
        first="""\
class Trap:
    def __reduce__(self):
        return (open, ("$outside/unpickled", "w"))
    __deepcopy__ = __copy__ = lambda self, *given: open("$outside/copied", "w")
array = np.array([Trap(), 1.5], dtype=object)""",
        answers=everywhere("return Trap() if len(given) % 2 else array"),
    ),
    cheat(
        "objects",
        HOSTILE,
        "Returns arrays of objects, records, masks, dates, memory maps and matrices.",
        answers=everywhere("""\
values = [
    np.array([None, lambda: 1]), np.ma.masked_all(11), np.array([(1, 2.0)], dtype="i4,f8"),
    np.array(["2026-01-01"], dtype="M8[D]"), np.matrix([[1.5]]), np.zeros((0, 1 << 40)),
    np.lib.stride_tricks.as_strided(np.zeros(1), (1 << 30,), (0,)), np.float16("nan"),
]
return values[len(repr(given)) % len(values)]"""),
    ),
    cheat(
        "lying-objects",
        HOSTILE,
        "Returns subclasses of list, dict, int and str whose methods raise, lie and exit.",
        first="""\
import os
def leave(*given, **named):
    os._exit(0)
class List(list):
    __iter__ = __len__ = __getitem__ = __repr__ = leave
class Dict(dict):
    items = keys = __iter__ = __len__ = leave
class Int(int):
    __int__ = __index__ = __float__ = __repr__ = __str__ = __add__ = __eq__ = leave
    __hash__ = int.__hash__
class Str(str):
    encode = __str__ = __repr__ = __len__ = __iter__ = leave""",
        answers=everywhere("return [List([1]), {1: Dict(a=1)}, (Int(3),), Str('x')]"),
    ),
    cheat(
        "keys",
        HOSTILE,
        "Returns dictionaries with the grader's own words for keys, as if they were its data.",
        answers=everywhere("""\
words = ["ok", "kind", "type", "ref", "r", "a", "d", "call", "error", "value", "__class__", "$$ref"]
values = [True, "handle", 0, ["<f8", [11], ""], {"passed": True}]
return [{word: value for word in words} for value in values]"""),
    ),
    cheat(
        "surrogates",
        HOSTILE,
        "Prints, returns and raises texts that no encoding can write.",
        answers=everywhere(
            "print('\\ud800', '\\x00', '\\x1b[2J', '\\u202e')\n"
            "raise ValueError('\\udfff' + chr(0) + repr(given))"
        )
        | {"caesar": "def caesar(*given):\n    return '\\ud800\\x00'"},
        last="print('\\ud800')\n'\\ud800'",
    ),
    cheat(
        "giant-numbers",
        HOSTILE,
        "Returns integers of a million digits, infinities and NaNs inside of everything.",
        answers=everywhere("""\
values = [7 ** 1_000_000, float("inf"), {"a": float("nan")}, complex("nan"), -0.0, 1 << 70, b"x"]
return values[len(repr(given)) % len(values)]"""),
    ),
    cheat(
        "handles",
        HOSTILE,
        "Returns functions, classes, modules and itself, and objects whose attributes never end.",
        first="""\
class Endless:
    def __getattr__(self, name):
        return Endless()
    def __call__(self, *given, **named):
        for thing in given:
            print("given", thing, dir(thing))
        return Endless()""",
        answers={
            "distortion": "distortion = Endless()",
            "caesar": "import os as caesar",
            "walk": "def walk(*given):\n    return walk",
            "tally": "Tally = Endless",
        },
    ),
]
