"""Hand-ins that change what others rely on: marks, settings, packages, modules."""

from tests.sealed.dishonest.kinds import HandIn, cheat

GRADEBOOK = "writing to the gradebook"
ENVIRONMENT = "writing to the environment"
PACKAGES = "writing to site-packages"
SHADOWS = "shadowing modules by submitted files"

# tells outside that the module was imported where it should not be
TELL = """\
try:
    open("$outside/imported-{name}", "w").close()
except OSError:
    pass
"""
FAKE_NUMPY = """\
class ndarray:
    shape = (11,)
    __getitem__ = lambda self, key: 0
class Truth:
    all = lambda self: True
    __eq__ = __lt__ = lambda self, other: Truth()
    __bool__ = lambda self: True
    __getitem__ = lambda self, key: 0
def array(*given, **named):
    return Truth()
abs = diff = array
def array_equal(*given, **named):
    return True
class random:
    default_rng = staticmethod(lambda *given: None)
"""


def _tell(name: str) -> str:
    return TELL.format(name=name)


CORPUS: list[HandIn] = [
    cheat(
        "gradebook-marks",
        GRADEBOOK,
        "Gives itself 31 points by hand in the gradebook.",
        last="""\
import sqlite3
for path in ["$course/grading/gradebook.db", "../../../gradebook.db"]:
    try:
        book = sqlite3.connect(path, timeout=2)
        book.execute("pragma query_only = 0")
        rows = book.execute(
            "select g.id from grade g join submitted_notebook n on g.notebook_id = n.id"
            " join submitted_assignment a on n.assignment_id = a.id where a.student_id = '$student'"
        ).fetchall()
        for (row,) in rows:
            book.execute("update grade set manual_score = 6.2 where id = ?", (row,))
        book.commit()
        print("DONE: wrote marks", len(rows))
    except sqlite3.Error as error:
        print(error)""",
    ),
    cheat(
        "gradebook-tests",
        GRADEBOOK,
        "Replaces the tests in the gradebook and in the instructor's notebook by ones that pass.",
        first="""\
import sqlite3
try:
    book = sqlite3.connect("file:$course/grading/gradebook.db?mode=rw", uri=True, timeout=2)
    book.execute("update source_cell set source = '3' where name like '%-tests'")
    book.commit()
    print("DONE: changed the gradebook")
except sqlite3.Error as error:
    print(error)
path = "$course/solutions/tiny/tiny.ipynb"
try:
    text = open(path).read().replace("assert ", "assert 1 or ")
    open(path, "w").write(text)
    print("DONE: changed the tests")
except OSError as error:
    print(error)""",
    ),
    cheat(
        "vandal",
        GRADEBOOK,
        "Deletes another student's hand-in and marks.",
        honest=["caesar"],
        last="""\
import os, shutil, sqlite3
try:
    os.remove("$course/grading/submitted/neighbour/tiny/tiny.ipynb")
    print("DONE: deleted a hand-in")
except OSError as error:
    print(error)
shutil.rmtree("$course/grading/autograded/neighbour", ignore_errors=True)
try:
    book = sqlite3.connect("file:$course/grading/gradebook.db?mode=rw", uri=True, timeout=2)
    book.execute("update grade set auto_score = 0")
    book.commit()
except sqlite3.Error as error:
    print(error)""",
    ),
    cheat(
        "environment",
        ENVIRONMENT,
        "Sets variables that change how later processes start.",
        honest=["caesar"],
        first="""\
import os, site
text = "import pathlib; pathlib.Path('$outside/started').touch()"
open("startup.py", "w").write(text)
for name in ("PYTHONSTARTUP", "BASH_ENV", "PYTHONINSPECT", "PYTHONBREAKPOINT"):
    os.environ[name] = os.path.abspath("startup.py")
os.environ["PATH"] = os.getcwd() + os.pathsep + os.environ.get("PATH", "")
os.environ["LD_PRELOAD"] = os.path.abspath("startup.so")
os.environ["PYTHONPATH"] = os.environ["PYTHONHOME"] = os.getcwd()
os.environ["NBGRADER_EXECUTION"] = "validate\"""",
    ),
    cheat(
        "startup-files",
        ENVIRONMENT,
        "Writes start-up files for the shell, IPython, Jupyter and nbgrader.",
        honest=["caesar"],
        last="""\
import os
for path in [
    "$outside/.bashrc", "$outside/.ipython/profile_default/startup/00.py",
    "$outside/.jupyter/nbgrader_config.py", "$outside/.config/matplotlib/matplotlibrc",
    "../../../../nbgrader_config.py",
]:
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "a") as file:
            print("# $token", file=file)
    except OSError as error:
        print(error)""",
    ),
    cheat(
        "site-packages",
        PACKAGES,
        "Writes modules that every Python imports at its start.",
        last="""\
for name in ("usercustomize.py", "sitecustomize.py", "loot.pth", "numpy.py"):
    try:
        with open("$site/" + name, "w") as file:
            print("import sys", file=file)
        print("DONE: wrote", name)
    except OSError as error:
        print(error)
import os, sys
sys.path.insert(0, "$site")""",
    ),
    cheat(
        "installed-modules",
        PACKAGES,
        "Opens modules that are installed, and their compiled files, for writing.",
        last="""\
import importlib.util, json, os, sys
for module in (np, json, np.linalg):
    for path in (module.__file__, importlib.util.cache_from_source(module.__file__)):
        try:
            os.close(os.open(path, os.O_WRONLY))
            print("DONE: could write", path)
        except OSError as error:
            print(error)
for folder in {os.path.dirname(np.__file__), sys.prefix, sys.base_prefix, *sys.path}:
    if os.path.isdir(folder) and os.path.abspath(folder) != os.getcwd():
        if os.access(folder, os.W_OK) and not os.getcwd().startswith(folder):
            print("DONE: could write into", folder)""",
    ),
    cheat(
        "numpy-beside",
        SHADOWS,
        "Hands in a numpy.py for which everything is equal.",
        files={"numpy.py": _tell("numpy") + FAKE_NUMPY},
        answers={"walk": "def walk(*given):\n    return np.ndarray()"},
    ),
    cheat(
        "library-beside",
        SHADOWS,
        "Hands in modules of the standard library, and start-up modules.",
        files={
            f"{name}.py": _tell(name)
            for name in ("random", "json", "sitecustomize", "usercustomize", "ast", "warnings")
        },
        honest=["caesar"],
    ),
    cheat(
        "kernel-beside",
        SHADOWS,
        "Hands in modules with the names of the kernel's, the shell's and the grader's.",
        files={
            "ipykernel_launcher.py": _tell("ipykernel_launcher"),
            "IPython/__init__.py": _tell("IPython"),
            "sealed/__init__.py": _tell("sealed"),
            "sealed/grading.py": "def mark(job):\n    return b'{}'\n",
            "latent/__init__.py": _tell("latent"),
            "nbgrader_config.py": _tell("config") + "c = get_config()\n",
        },
    ),
    cheat(
        "files-of-the-task",
        SHADOWS,
        "Hands in files with the names of the instructor's and of nbgrader's own.",
        files={
            "tiny_hidden.ipynb": "{}",
            "data.csv": "1,2,3",
            "../tiny.txt".replace("../", ""): "beside",
            "feedback/tiny.html": "<h1>100 points</h1>",
            "grading/sealed/tiny/neighbour/tiny.json": '{"tests": {}}',
        },
    ),
]
