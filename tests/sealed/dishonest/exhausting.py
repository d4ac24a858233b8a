"""Hand-ins that use up what others need, each within bounds: seconds, two gigabytes, hundreds.

What they do right is worth 7 points where their end does not cost the rest as well.
"""

from nbformat.v4 import new_code_cell

from tests.sealed.dishonest.kinds import HandIn, cheat

TIME, MEMORY, PROCESSES = "exhausting time", "exhausting memory", "exhausting processes"
DISK, OUTPUT, HANDLES = "exhausting disk", "exhausting output", "exhausting file handles"
REST = ("distortion", "caesar", "tally")


def in_walk(body: str) -> dict[str, str]:
    """An answer to the third task that does this, and is wrong."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    return {"walk": f"def walk(n_steps, rng):\n{lines}\n    return np.zeros(n_steps + 1)"}


CORPUS: list[HandIn] = [
    cheat(
        "loop-in-a-cell",
        TIME,
        "Loops for forty seconds at the end.",
        honest=REST,
        last="import time\nend = time.monotonic() + 40\nwhile time.monotonic() < end:\n    pass",
    ),
    cheat(
        "loop-in-a-function",
        TIME,
        "Loops for forty seconds when it is called.",
        honest=REST,
        answers=in_walk("""\
import time
end = time.monotonic() + 40
while time.monotonic() < end:
    pass"""),
    ),
    cheat(
        "loop-in-c",
        TIME,
        "Loops where Python looks for no signal.",
        honest=REST,
        answers=in_walk(
            "import collections, itertools\n"
            "collections.deque(itertools.repeat(None, 5_000_000_000), maxlen=0)"
        ),
    ),
    cheat(
        "deaf",
        TIME,
        "Ignores signals, alarms and every exception while it loops for forty seconds.",
        honest=REST,
        last="""\
import signal, time
for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
end = time.monotonic() + 40
while time.monotonic() < end:
    try:
        while time.monotonic() < end:
            time.sleep(0.01)
    except BaseException as error:
        signal.alarm(0)""",
    ),
    cheat(
        "naps",
        TIME,
        "Sleeps for a second in each of sixty cells, and within the limit of every one.",
        honest=REST,
        edit=lambda notebook: notebook.cells.extend(_naps()),
    ),
    cheat(
        "busy-threads",
        TIME,
        "Keeps eight threads busy for twenty seconds, behind the cells.",
        honest=REST,
        first="""\
import hashlib, threading, time
def work():
    end = time.monotonic() + 20
    while time.monotonic() < end:
        hashlib.sha256(bytes(1_000_000)).digest()
for _ in range(8):
    threading.Thread(target=work).start()""",
    ),
    cheat(
        "expression",
        TIME,
        "Hands in a regular expression that takes for ever.",
        honest=REST,
        answers=in_walk('import re\nre.match("(a|aa)+b", "a" * 41)'),
    ),
    cheat(
        "memory-hog",
        MEMORY,
        "Takes two gigabytes of memory.",
        honest=REST,
        answers=in_walk("hog = [bytearray(1 << 26) for _ in range(31)]\nnp.ones(1 << 20)"),
    ),
    cheat(
        "memory-files",
        MEMORY,
        "Takes a gigabyte and a half in files that lie in memory and have no name.",
        honest=REST,
        last="""\
import mmap, os
held = []
for n in range(24):
    fd = os.memfd_create("$token")
    os.truncate(fd, 1 << 26)
    os.write(fd, bytes(1 << 26))
    held.append((fd, mmap.mmap(fd, 1 << 26)))
print("DONE: 1.5 GB in memory files")""",
    ),
    cheat(
        "shared-memory",
        MEMORY,
        "Takes half a gigabyte of shared memory, and leaves it.",
        honest=REST,
        last="""\
for n in range(8):
    with open(f"/dev/shm/$token-{n}", "wb") as file:
        file.write(bytes(1 << 26))
print("DONE: 512 MB of shared memory")""",
    ),
    cheat(
        "old-shared-memory",
        MEMORY,
        "Takes 256 MB of System V shared memory and message queues, which outlive processes.",
        honest=REST,
        last="""\
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
for n in range(4):
    block = libc.shmget(0, 1 << 26, 0o1600)
    if block >= 0:
        at = libc.shmat(block, None, 0)
        ctypes.memset(at, 1, 1 << 26)
        libc.shmctl(block, 0, None)
        print("DONE: System V shared memory")""",
    ),
    cheat(
        "giant-results",
        MEMORY,
        "Returns half a gigabyte, and arrays that are gigantic only when they are written down.",
        honest=["tally"],
        answers=in_walk("return np.broadcast_to(np.int64(1), (1 << 40,))")
        | {
            "caesar": "def caesar(text, shift):\n    return 'x' * (1 << 28)",
            "distortion": "def distortion(*given):\n    return np.ones((1 << 14, 1 << 12))",
        },
    ),
    cheat(
        "compressed",
        MEMORY,
        "Returns an object that shares one list so often that it has 2^60 elements.",
        honest=REST,
        answers=in_walk("many = [0]\nfor _ in range(60):\n    many = [many, many]\nreturn many"),
    ),
    cheat(
        "fork-bomb",
        PROCESSES,
        "Forks two hundred processes that stay for twenty seconds.",
        honest=REST,
        last="""\
import os, time
started = 0
for _ in range(200):
    try:
        pid = os.fork()
    except OSError:
        break
    if pid == 0:
        try:
            open("/proc/self/comm", "w").write("$token"[:15])
            time.sleep(20)
        finally:
            os._exit(0)
    started += 1
print("DONE: forked" if started else "no processes")""",
    ),
    cheat(
        "subprocesses",
        PROCESSES,
        "Starts programs in every way that Python knows.",
        honest=REST,
        last="""\
import multiprocessing, os, subprocess, sys
command = [sys.executable, "-c", "print('DONE: ran a program')"]
ways = [
    lambda: subprocess.run(command, capture_output=True, timeout=10).stdout,
    lambda: os.popen("echo DONE: ran a shell").read(),
    lambda: os.waitpid(os.posix_spawn("/bin/true", ["/bin/true"], {}), 0) and "DONE: spawned",
    lambda: multiprocessing.get_context("fork").Pool(1).map(str, ["DONE: a pool"]),
    lambda: os.forkpty()[0] or os._exit(0),
]
for way in ways[:4]:
    try:
        print(way())
    except Exception as error:
        print(type(error).__name__)""",
    ),
    cheat(
        "threads",
        PROCESSES,
        "Starts five hundred threads that sleep for twenty seconds.",
        honest=REST,
        last="""\
import threading, time
for _ in range(500):
    threading.Thread(target=time.sleep, args=(20,), daemon=True).start()""",
    ),
    cheat(
        "full-disk",
        DISK,
        "Writes half a gigabyte into its work folder and /tmp.",
        honest=REST,
        last="""\
import os
written = 0
for path in ("filler", "/tmp/$token-filler"):
    try:
        with open(path, "wb") as file:
            for _ in range(32):
                written += file.write(bytes(1 << 23))
    except OSError as error:
        print(error)
print("DONE: 512 MB written" if written >= 1 << 29 else "stopped")""",
    ),
    cheat(
        "luggage",
        DISK,
        "Hands in two thousand files beside the notebook.",
        honest=REST,
        files={f"many/{n}.txt": "file" for n in range(2_000)},
    ),
    cheat(
        "heavy-luggage",
        DISK,
        "Hands in a file of forty megabytes beside the notebook.",
        honest=REST,
        files={"data.csv": "1,2,3,4\n" * 5_000_000},
    ),
    cheat(
        "log-flood",
        DISK,
        "Writes a hundred megabytes to the files that its process was born with.",
        honest=REST,
        last="""\
import os, stat
for fd in (1, 2):
    written = 0
    try:
        for _ in range(50):
            written += os.write(fd, bytes(1 << 20))
    except OSError as error:
        print(error)
    if written and stat.S_ISREG(os.fstat(fd).st_mode):
        print("DONE: wrote into a file outside", written >> 20, "MB")""",
    ),
    cheat(
        "many-files",
        DISK,
        "Writes twenty thousand files, and one that claims to be a terabyte.",
        honest=REST,
        last="""\
import os
n = 0
try:
    os.makedirs("many")
    for n in range(20_000):
        open(f"many/{n}", "w").close()
except OSError as error:
    print(error)
with open("sparse", "wb") as file:
    file.truncate(1 << 40)
print("DONE: a file of a terabyte")""",
    ),
    cheat(
        "print-flood",
        OUTPUT,
        "Prints a hundred megabytes.",
        honest=REST,
        last="line = 'flood ' * 10_000\nfor _ in range(1_700):\n    print(line)",
    ),
    cheat(
        "display-flood",
        OUTPUT,
        "Displays ten thousand pictures, and writes to both streams by turns.",
        honest=REST,
        last="""\
import os, sys
for n in range(10_000):
    print(n, file=sys.stderr if n % 2 else sys.stdout)
try:
    from IPython.display import SVG, display
    for n in range(10_000):
        display({"image/svg+xml": "<svg>" + "x" * 1000 + "</svg>"}, raw=True)
except ImportError as error:
    print(error)
for _ in range(2_000):
    os.write(1, b"x" * 10_000)""",
    ),
    cheat(
        "flood-in-a-test",
        OUTPUT,
        "Prints fifty megabytes, and raises an error with fifty, whenever it is called.",
        honest=REST,
        answers=in_walk("print('x' * 50_000_000)\nraise ValueError('x' * 50_000_000)"),
    ),
    cheat(
        "limits-lifted",
        OUTPUT,
        "Lifts the limit that its own process keeps of output, and prints 400 MB in 60 cells.",
        honest=REST,
        edit=lambda notebook: notebook.cells.extend(_prints()),
    ),
    cheat(
        "file-handles",
        HANDLES,
        "Opens files, pipes and sockets until there are no more.",
        honest=REST,
        answers=in_walk("""\
import os, socket
held = globals().setdefault("held", [])
try:
    for _ in range(5_000):
        held.append(open("/dev/null"))
except OSError:
    pass
try:
    for _ in range(1_000):
        held.append(socket.socketpair())
except OSError:
    pass"""),
    ),
]


def _naps() -> list:
    return [new_code_cell("import time\ntime.sleep(1)") for _ in range(60)]


def _prints() -> list:
    lift = """\
import sys
for thing in [getattr(get_ipython(), "recorder", None), *vars(sys.stdout).values()]:
    if hasattr(thing, "room"):
        thing.room = 1 << 60
print("x" * 7_000_000)"""
    return [new_code_cell(lift) for _ in range(60)]
