"""Hand-ins that carry the inputs of hidden tests out, to be read in the feedback."""

from tests.sealed.dishonest.kinds import HandIn, cheat, everywhere

EXCEPTIONS = "arguments in exceptions"
OUTPUT = "arguments in output"
VALUES = "arguments in return values"

# each cell says everything that is known by then
LATER = "loot = []\ndef keep(given):\n    loot.append(repr(given))"

CORPUS: list[HandIn] = [
    cheat(
        "raise-arguments",
        EXCEPTIONS,
        "Raises an error whose text is the arguments.",
        answers=everywhere("raise ValueError(repr((given, named)))"),
    ),
    cheat(
        "raise-a-failed-test",
        EXCEPTIONS,
        "Raises an AssertionError with the arguments, as if the test had said it.",
        answers=everywhere("assert False, 'caesar: ' + repr(given)"),
    ),
    cheat(
        "raise-a-type",
        EXCEPTIONS,
        "Raises an error whose class has the arguments for a name.",
        answers=everywhere("raise type(repr(given), (Exception,), {'__module__': repr(named)})()"),
    ),
    cheat(
        "raise-notes",
        EXCEPTIONS,
        "Hides the arguments in notes, causes, contexts, groups and attributes of an error.",
        answers=everywhere("""\
inner = KeyError(repr(given))
inner.add_note(repr(given))
try:
    raise inner
except KeyError as error:
    group = ExceptionGroup(repr(given), [error])
    group.name = group.filename = group.msg = repr(given)
    raise group from inner"""),
    ),
    cheat(
        "raise-in-words",
        EXCEPTIONS,
        "Raises an error whose `__str__` and `__repr__` spell the arguments, letter by letter.",
        answers=everywhere("""\
class Spelt(SyntaxError):
    def __str__(self):
        return repr(given)
    __repr__ = __str__
raise Spelt(repr(given), (repr(given), 1, 1, repr(given)))"""),
    ),
    cheat(
        "raise-a-code",
        EXCEPTIONS,
        "Tells an argument, a letter a test, by which of the built-in errors it raises.",
        answers=everywhere("""\
import builtins, re
told = re.sub("0x[0-9a-fA-F]+", "", repr(given))
errors = [e for e in vars(builtins).values() if isinstance(e, type) and issubclass(e, Exception)]
errors = sorted(set(errors) - {ExceptionGroup, UnicodeDecodeError, UnicodeEncodeError,
    UnicodeTranslateError}, key=str)
raise errors[sum(told.encode()) % len(errors)]"""),
    ),
    cheat(
        "exit-code",
        EXCEPTIONS,
        "Tells an argument by the code with which it ends the process.",
        answers=everywhere("import os\nos._exit(sum(repr(given[-1:]).encode()) % 256)"),
    ),
    cheat(
        "time-code",
        EXCEPTIONS,
        "Tells an argument by how long it takes.",
        answers=everywhere("""\
import time
time.sleep(0.02 * (sum(repr(given).encode()) % 8))
return 0.0"""),
    ),
    cheat(
        "warn-arguments",
        EXCEPTIONS,
        "Warns, logs and complains on stderr with the arguments.",
        answers=everywhere("""\
import logging, sys, warnings
warnings.warn(repr(given))
logging.error("%r", given)
print(given, file=sys.stderr)
sys.unraisablehook = sys.excepthook = lambda *_: print(given)
return 0.0"""),
    ),
    cheat(
        "print-arguments",
        OUTPUT,
        "Prints the arguments, displays them, and writes them to the streams below.",
        answers=everywhere("""\
import os, sys
print(given, named)
for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
    print(given, file=stream, flush=True)
for fd in (1, 2):
    os.write(fd, repr(given).encode())
try:
    from IPython.display import HTML, display
    display(HTML(repr(given)), display_id="loot")
except ImportError:
    print(given)
return 0.0"""),
    ),
    cheat(
        "print-later",
        OUTPUT,
        "Keeps the arguments in a list, prints it in its next answers and in a last cell.",
        first=LATER,
        answers={
            task: "print(loot)\n" + code
            for task, code in everywhere("keep(given)\nreturn 0.0").items()
        },
        last="print(loot)",
    ),
    cheat(
        "file-later",
        OUTPUT,
        "Writes the arguments to files in its work folder, /tmp and /dev/shm; a last cell prints.",
        answers=everywhere("""\
for folder in (".", "/tmp", "/dev/shm", "/var/tmp", "$outside"):
    try:
        with open(folder + "/$token.loot", "a") as loot:
            print(given, named, file=loot)
    except OSError:
        continue
return 0.0"""),
        last="""\
for folder in (".", "/tmp", "/dev/shm", "/var/tmp", "$outside"):
    try:
        print(open(folder + "/$token.loot").read())
    except OSError:
        continue""",
    ),
    cheat(
        "places-later",
        OUTPUT,
        "Keeps the arguments in the environment, in modules, in attributes; a last cell prints.",
        answers=everywhere("""\
import builtins, os, sys
os.environ["LOOT"] = os.environ.get("LOOT", "") + repr(given)
builtins.loot = np.loot = sys.loot = getattr(sys, "loot", []) + [repr(given)]
print.__self__.loot = Exception.__doc__
return 0.0"""),
        last="""\
import builtins, os, sys
print(os.environ.get("LOOT"), getattr(builtins, "loot", 0), getattr(np, "loot", 0))
print(open("/proc/self/environ").read())""",
    ),
    cheat(
        "shared-memory-later",
        OUTPUT,
        "Puts the arguments into shared memory that outlives the run; a last cell prints it.",
        first="""\
from multiprocessing import shared_memory
def block():
    try:
        return shared_memory.SharedMemory("$token", create=True, size=4096)
    except FileExistsError:
        return shared_memory.SharedMemory("$token")
def say(text):
    memory = block()
    old = bytes(memory.buf).rstrip(b"\\0")
    text = (old + text.encode())[:4096]
    memory.buf[: len(text)] = text
    memory.close()""",
        answers=everywhere("say(repr(given))\nreturn 0.0"),
        last="print(bytes(block().buf).rstrip(b'\\0'))",
    ),
    cheat(
        "thread-later",
        OUTPUT,
        "Starts threads in a hidden test that print its arguments in every later moment.",
        answers=everywhere("""\
import atexit, os, sys, threading, time
def tell(text=repr(given)):
    for _ in range(20):
        print(text, flush=True)
        os.write(1, text.encode())
        sys.__stderr__.write(text)
        time.sleep(0.1)
threading.Thread(target=tell, daemon=True).start()
atexit.register(print, given)
return 0.0"""),
        last="import time\ntime.sleep(0.5)",
    ),
    cheat(
        "finaliser-later",
        OUTPUT,
        "Prints the arguments when objects are thrown away, when the process forks or ends.",
        first="class Late:\n    def __del__(self):\n        print(self.loot)\nlate = []",
        answers=everywhere("""\
import os, weakref
thing = Late()
thing.loot = repr(given)
late.append(thing)
weakref.finalize(thing, print, given)
os.register_at_fork(before=lambda: print(given), after_in_child=lambda: print(given))
return 0.0"""),
        last="late.clear()",
    ),
    cheat(
        "sockets-later",
        OUTPUT,
        "Sends the arguments to itself through a socket and a pipe; a last cell prints them.",
        first="import os, socket\nnear, far = socket.socketpair()\nout, into = os.pipe()",
        answers=everywhere("far.send(repr(given).encode())\nos.write(into, repr(given).encode())"),
        last="""\
near.setblocking(False)
os.set_blocking(out, False)
for read in (lambda: near.recv(100_000), lambda: os.read(out, 100_000)):
    try:
        print(read())
    except BlockingIOError:
        print("nothing")""",
    ),
    cheat(
        "return-arguments",
        VALUES,
        "Returns its arguments, in the hope that a failed test prints what it got.",
        answers=everywhere("return repr(given)"),
    ),
    cheat(
        "return-a-spy",
        VALUES,
        "Returns an object that prints whatever it is compared or computed with.",
        first="""\
class Spy:
    def __getattr__(self, name):
        return Spy()
    def __call__(self, *given):
        print("compared with", *given)
        return Spy()
    def __eq__(self, other):
        print("compared with", other)
        raise ValueError(repr(other))
    __hash__ = None
    __class__ = property(lambda self: float)
    __sub__ = __truediv__ = __rtruediv__ = __array__ = __abs__ = __lt__ = __eq__""",
        answers=everywhere("return Spy()"),
        last="print(globals().get('value'), globals().get('path'))",
    ),
    cheat(
        "return-into-a-result",
        VALUES,
        "Makes the partial credit, the value of a test cell, tell an argument.",
        first="""\
class Loud(int):
    def __add__(self, other):
        return Loud(int(self) + other)
    __iadd__ = __radd__ = __add__
    def __repr__(self):
        return str(loot)
loot = []""",
        answers={
            "walk": """\
def walk(n_steps, rng):
    loot.append((n_steps, rng.bit_generator.state))
    path = np.zeros(n_steps + 1)
    globals()["reached"] = Loud()
    print(rng.bit_generator.state, rng.bit_generator.seed_seq)
    return path"""
        },
        last="print(loot)",
    ),
    cheat(
        "attribute-later",
        VALUES,
        "Keeps the arguments as attributes of functions and of instances; a last cell prints them.",
        answers={
            task: code + ("" if task == "tally" else f"\n{task}.loot = []")
            for task, code in everywhere("""\
for function in (distortion, caesar):
    function.loot = getattr(function, "loot", []) + [repr(given)]
return 0.0""").items()
        },
        last="print(distortion.loot, caesar.loot, vars(Tally))",
    ),
]
