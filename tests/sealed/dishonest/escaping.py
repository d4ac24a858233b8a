"""Hand-ins that reach beyond their process: others' processes, the network, the disk, /proc."""

from tests.sealed import tiny
from tests.sealed.dishonest.kinds import HandIn, Made, cheat

SURVIVING, SIGNALS, NETWORK = (
    "surviving the run",
    "killing or signalling other processes",
    "the network",
)
LINKS, SOCKETS, PROC = (
    "escaping through symlinks",
    "escaping through sockets",
    "escaping through /proc",
)
HONEST = ("caesar",)

# calls of the kernel, and which of them succeeded
LIBC = """\
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
def attempt(what, call, *given):
    if call(*given) >= 0:
        print("DONE:", what)
    else:
        print(what, os.strerror(ctypes.get_errno()))
"""

CORPUS: list[HandIn] = [
    cheat(
        "daemon",
        SURVIVING,
        "Leaves a daemon, forked twice and in a session of its own, that goes on writing.",
        honest=HONEST,
        last="""\
import os, time
try:
    pid = os.fork()
except OSError as error:
    pid = -1
    print(error)
if pid == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    open("/proc/self/comm", "w").write("$token"[:15])
    for fd in range(256):
        try:
            os.close(fd)
        except OSError:
            continue
    for _ in range(60):
        try:
            with open("$outside/heartbeat", "a") as file:
                file.write("alive ")
        except OSError:
            pass
        time.sleep(0.5)
    os._exit(0)""",
    ),
    cheat(
        "detached-program",
        SURVIVING,
        "Starts a program in a session of its own that stays.",
        honest=HONEST,
        last="""\
import subprocess, sys
program = "import signal, time; signal.signal(signal.SIGHUP, signal.SIG_IGN); time.sleep(30)"
try:
    subprocess.Popen([sys.executable, "-c", program, "$token"], start_new_session=True)
    print("DONE: a program that stays")
except OSError as error:
    print(error)""",
    ),
    cheat(
        "lingering-threads",
        SURVIVING,
        "Has threads and exit handlers that keep the process from ending for twenty seconds.",
        honest=HONEST,
        last="""\
import atexit, signal, threading, time
threading.Thread(target=time.sleep, args=(20,)).start()
atexit.register(time.sleep, 20)
threading._register_atexit(time.sleep, 20)
signal.signal(signal.SIGTERM, lambda *given: time.sleep(20))
class Slow:
    def __del__(self):
        time.sleep(20)
slow = Slow()
slow.slow = slow""",
    ),
    cheat(
        "kill",
        SIGNALS,
        "Kills another process of the machine, by its number.",
        honest=HONEST,
        last="""\
import os, signal
for number in (signal.SIGTERM, signal.SIGKILL):
    try:
        os.kill($victim, number)
        print("DONE: killed")
    except OSError as error:
        print(error)""",
    ),
    cheat(
        "kill-by-other-means",
        SIGNALS,
        "Stops, limits and slows another process: pidfd, ptrace, prlimit, nice, oom_score_adj.",
        honest=HONEST,
        last=LIBC
        + """\
import resource, signal
attempt("ptrace", libc.ptrace, 0x4206, $victim, None, None)
attempt("let go", libc.ptrace, 17, $victim, None, None)
for what, call in {
    "pidfd": lambda: signal.pidfd_send_signal(os.pidfd_open($victim), signal.SIGKILL),
    "prlimit": lambda: resource.prlimit($victim, resource.RLIMIT_CORE, (0, 0)),
    "priority": lambda: os.setpriority(os.PRIO_PROCESS, $victim, 19),
    "oom": lambda: open("/proc/$victim/oom_score_adj", "w").write("1000"),
    "memory": lambda: open("/proc/$victim/mem", "r+b").close(),
}.items():
    try:
        call()
        print("DONE:", what)
    except Exception as error:
        print(what, error)""",
    ),
    cheat(
        "kill-the-parent",
        SIGNALS,
        "Kills whatever started it, and the first process.",
        honest=HONEST,
        last="""\
import os, signal
print(os.getpid(), os.getppid(), os.getpgrp(), os.getsid(0))
try:
    os.kill(1, signal.SIGKILL)  # which the first process never gets from within
except OSError as error:
    print(error)
if os.getppid() > 1:
    try:
        os.kill(os.getppid(), signal.SIGTERM)
        print("DONE: signalled the parent")
    except OSError as error:
        print(error)""",
    ),
    cheat(
        "group",
        SIGNALS,
        "Looks whether it shares a process group or a session with processes that it cannot see.",
        honest=HONEST,
        last="""\
import os
if os.getpgrp() == 0 or os.getsid(0) == 0:
    print("DONE: shares a process group with the outside")
try:
    os.close(os.open("/dev/tty", os.O_RDWR))
    print("DONE: has a terminal")
except OSError as error:
    print(error)
others = [name for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]
for other in others:
    try:
        line = open(f"/proc/{other}/cmdline").read().replace("\\0", " ")
        print(other, line)
        if "$token" in line:
            print("DONE: sees other processes")
    except OSError as error:
        print(error)""",
    ),
    cheat(
        "network",
        NETWORK,
        "Connects to loopback addresses, by TCP and UDP.",
        answers={
            "caesar": """\
def caesar(text, shift):
    import socket
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            try:
                with socket.socket(family, kind) as door:
                    door.settimeout(1)
                    door.connect((host, $port))
                    door.send(text.encode())
            except OSError:
                continue
    return text"""
        },
        last='caesar("$token", 1)',
    ),
    cheat(
        "listen",
        NETWORK,
        "Listens at a port for whoever comes, and asks which networks there are.",
        honest=HONEST,
        last="""\
import os, socket
try:
    door = socket.create_server(("127.0.0.1", 0))
    print(door.getsockname(), socket.if_nameindex(), socket.gethostname())
    names = [name for _, name in socket.if_nameindex() if name != "lo"]
    if names:
        print("DONE: sees networks", names)
except OSError as error:
    print(error)""",
    ),
    cheat(
        "link-handed-in",
        LINKS,
        "Hands in symbolic links to a secret file and to the solutions, and prints them.",
        links={
            "notes.txt": "$outside/secret.txt",
            "answers.json": "$course/solutions/tiny/tiny.ipynb",
        },
        last="""\
for name in ("notes.txt", "answers.json"):
    try:
        print(open(name).read())
    except OSError as error:
        print(error)""",
    ),
    HandIn(
        "link-for-a-notebook",
        LINKS,
        "Hands in a symbolic link to the solutions instead of a notebook.",
        lambda release, about: Made(
            b"",
            name="empty.txt",
            links={f"{tiny.NAME}.ipynb": str(about.course / "solutions/tiny/tiny.ipynb")},
        ),
        broken=True,
    ),
    cheat(
        "link-made",
        LINKS,
        "Makes symbolic links from its work folder to files outside, and writes through them.",
        honest=HONEST,
        last="""\
import os
for target in ("$outside/precious.txt", "$outside/new.txt"):
    for name in ("data.csv", "tiny.ipynb", "tiny.html"):
        try:
            if os.path.lexists(name):
                os.remove(name)
            os.symlink(target, name)
            with open(name, "a") as file:
                file.write("changed")
        except OSError as error:
            print(error)
try:
    os.link("$outside/precious.txt", "hard")
    open("hard", "a").write("changed")
except OSError as error:
    print(error)""",
    ),
    cheat(
        "unix-sockets",
        SOCKETS,
        "Talks to Unix sockets: an abstract one, one in a folder, and those of the system.",
        answers={
            "caesar": """\
def caesar(text, shift):
    import socket
    for path in ("\\0$socket", "$outside/door.sock", "/run/dbus/system_bus_socket"):
        try:
            with socket.socket(socket.AF_UNIX) as door:
                door.settimeout(1)
                door.connect(path)
                if "bus" not in path:
                    door.send(text.encode())
                print("DONE: connected to", path.strip("\\0"))
        except OSError:
            continue
    return text"""
        },
        last='caesar("$token", 1)',
    ),
    cheat(
        "socket-families",
        SOCKETS,
        "Opens sockets of families that no network namespace holds back: to the hypervisor, "
        "to the kernel's ciphers.",
        honest=HONEST,
        last="""\
import socket
for name in ("AF_VSOCK", "AF_ALG", "AF_PACKET", "AF_CAN", "AF_TIPC", "AF_BLUETOOTH", "AF_QIPCRTR"):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET, socket.SOCK_RAW):
        try:
            socket.socket(getattr(socket, name), kind).close()
            print("DONE: a socket of", name)
        except (OSError, AttributeError) as error:
            print(name, error)""",
    ),
    cheat(
        "special-files",
        SOCKETS,
        "Puts pipes, sockets and devices where the grader may look for files.",
        honest=HONEST,
        last="""\
import os, socket, stat
for name in ("data.csv", "out.txt", "tiny.json"):
    try:
        os.mkfifo(name)
    except OSError as error:
        print(error)
try:
    socket.socket(socket.AF_UNIX).bind("door.sock")
    os.mknod("disk", 0o600 | stat.S_IFBLK, os.makedev(8, 0))
    print("DONE: made a device")
except OSError as error:
    print(error)
for path in ("/dev/mem", "/dev/kmsg", "/dev/sda", "/proc/sysrq-trigger"):
    try:
        os.close(os.open(path, os.O_RDWR))
        print("DONE: opened", path)
    except OSError as error:
        print(path, error)""",
    ),
    cheat(
        "sent-files",
        SOCKETS,
        "Looks for folders among its open files, and climbs out from them.",
        honest=HONEST,
        last="""\
import os
for fd in range(256):
    for path in ("../../../../../../../$outside/secret.txt", "$outside/secret.txt"):
        try:
            found = os.open(path.replace("//", "/"), os.O_RDONLY, dir_fd=fd)
            print("DONE: read", os.read(found, 1000))
        except (OSError, OverflowError):
            continue""",
    ),
    cheat(
        "proc-roots",
        PROC,
        "Reads a secret through /proc: roots, folders and open files of every process.",
        honest=HONEST,
        last="""\
import glob, os
places = ["/proc/1/root", "/proc/self/root", "/proc/thread-self/root", "/proc/$victim/root"]
places += glob.glob("/proc/[0-9]*/root") + [path + "/.." for path in glob.glob("/proc/*/cwd")]
for place in places:
    for path in ("$outside/secret.txt", "$course/solutions/tiny/tiny.ipynb"):
        try:
            print("DONE: read", place + path, open(place + path).read()[:2000])
        except (OSError, ValueError):
            continue
for path in glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/fd/*"):
    if f"/{os.getpid()}/" not in path and "environ" in path:
        try:
            print(path, open(path, "rb").read(2000))
        except OSError as error:
            print(error)""",
    ),
    cheat(
        "kernel-calls",
        PROC,
        "Asks the kernel for namespaces, mounts, another root, and rights.",
        honest=HONEST,
        last=LIBC
        + """\
attempt("chroot", libc.chroot, b".")
attempt("mount", libc.mount, b"none", b".", b"tmpfs", 0, None)
attempt("setuid", libc.setuid, 0 if os.getuid() else 12345)
host = os.uname().nodename.encode()
attempt("sethostname", libc.sethostname, host, len(host))
attempt("keyring", libc.syscall, 248, b"user", b"$token", b"loot", 4, -3)
attempt("perf", libc.syscall, 298, None, 0, -1, -1, 0)
attempt("bpf", libc.syscall, 321, 0, None, 0)
attempt("io_uring", libc.syscall, 425, 1, ctypes.create_string_buffer(256))
attempt("userfaultfd", libc.syscall, 323, 0)
attempt("namespace", libc.unshare, 0x10000000)
attempt("mount namespace", libc.unshare, 0x00020000)
try:
    os.setns(os.open("/proc/1/ns/mnt", os.O_RDONLY), 0)
    print("DONE: setns")
except (OSError, AttributeError) as error:
    print(error)
print(open("/proc/self/status").read())""",
    ),
    cheat(
        "proc-self",
        PROC,
        "Raises its own limits and changes its own memory, name and rights through /proc.",
        honest=HONEST,
        last="""\
import resource
for name in ("AS", "CPU", "NPROC", "FSIZE"):
    limit = getattr(resource, "RLIMIT_" + name)
    before = resource.getrlimit(limit)
    try:
        resource.setrlimit(limit, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        if before[1] != resource.RLIM_INFINITY:
            print("DONE: raised a limit", limit)
    except (OSError, ValueError) as error:
        print(error)
for path, text in {
    "/proc/self/oom_score_adj": "-1000", "/proc/self/uid_map": "0 0 1",
    "/proc/sys/kernel/core_pattern": None, "/proc/sys/vm/overcommit_memory": None,
    "/sys/fs/cgroup/cgroup.procs": None, "/sys/fs/cgroup/memory/cgroup.procs": None,
}.items():
    try:
        with open(path, "r+") as file:
            if text is not None:
                file.write(text)
                file.flush()
        print("DONE: wrote", path)
    except OSError as error:
        print(path, error)""",
    ),
]
