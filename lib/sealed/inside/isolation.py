"""What a forked process gives up before it runs a stranger's code.

The interpreter that it was forked from already lives in bubblewrap: no network, no disk but Python,
no process but its own. Here each process parts from its siblings too: its own mounts with a private
work folder of limited size, its own processes, network and shared memory, no rights, limits, and a
filter of system calls. Further processes are forbidden, and so is memory that a process's limit
does not count; so the memory limit of one process is that of the hand-in.
"""

import ctypes
import os
import pathlib
import platform
import resource
import struct

WORK, SCRATCH = "/hand-in", "/scratch"  # the current folder, and that for temporary files

NEWNS, NEWUTS, NEWIPC, NEWPID, NEWNET = 0x20000, 0x4000000, 0x8000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REC, MS_PRIVATE = 1, 2, 4, 8, 0x4000, 0x40000
PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS, PR_CAP_AMBIENT = 4, 24, 38, 47
PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2

# What a hand-in has no use for. Numbers: Linux's tables of system calls.
FORBIDDEN = {
    "x86_64": {
        "fork": 57, "vfork": 58, "execve": 59, "execveat": 322, "ptrace": 101,
        "process_vm_readv": 310, "process_vm_writev": 311, "shmget": 29, "semget": 64,
        "msgget": 68, "mq_open": 240, "memfd_create": 319, "memfd_secret": 447, "mount": 165,
        "umount2": 166, "pivot_root": 155, "chroot": 161, "unshare": 272, "setns": 308,
        "personality": 135, "keyctl": 250, "add_key": 248, "request_key": 249, "bpf": 321,
        "perf_event_open": 298, "userfaultfd": 323, "io_uring_setup": 425,
        "name_to_handle_at": 303, "open_by_handle_at": 304, "kexec_load": 246,
        "kexec_file_load": 320, "init_module": 175, "finit_module": 313, "delete_module": 176,
    },
    "aarch64": {
        "execve": 221, "execveat": 281, "ptrace": 117, "process_vm_readv": 270,
        "process_vm_writev": 271, "shmget": 194, "semget": 190, "msgget": 186, "mq_open": 180,
        "memfd_create": 279, "memfd_secret": 447, "mount": 40, "umount2": 39, "pivot_root": 41,
        "chroot": 51, "unshare": 97, "setns": 268, "personality": 92, "keyctl": 219,
        "add_key": 217, "request_key": 218, "bpf": 280, "perf_event_open": 241,
        "userfaultfd": 282, "io_uring_setup": 425, "name_to_handle_at": 264,
        "open_by_handle_at": 265, "kexec_load": 104, "kexec_file_load": 294, "init_module": 105,
        "finit_module": 273, "delete_module": 106,
    },
}  # fmt: skip
NEWER = {  # the same numbers on every machine
    "open_tree": 428, "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432,
    "fspick": 433, "pidfd_getfd": 438, "mount_setattr": 442,
}  # fmt: skip
SOCKET = {"x86_64": 41, "aarch64": 198}
FAMILIES = (1, 2, 10)  # Unix and Internet; others may reach past the network namespace
AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
CLONE = {"x86_64": 56, "aarch64": 220}
CLONE3, CLONE_THREAD = 435, 0x10000
EPERM, ENOSYS = 1, 38

_libc = ctypes.CDLL(None, use_errno=True)


def fork_alone() -> int:
    """Fork a process that sees no other process: its number in the parent, in the new one 0."""
    own = os.open("/proc/self/ns/pid", os.O_RDONLY)
    _check(_libc.unshare(NEWPID), "unshare")  # from now on children live elsewhere
    child = os.fork()
    if child:
        _check(_libc.setns(own, NEWPID), "setns")
    os.close(own)
    return child


def part(disk_mb: int) -> None:
    """Part from the siblings: own network, shared memory and mounts, and empty folders.

    The folders WORK and SCRATCH are new and hold `disk_mb` each; nothing else can be written to.
    """
    _check(_libc.unshare(NEWNS | NEWNET | NEWIPC | NEWUTS), "unshare")
    _mount(None, "/", None, MS_REC | MS_PRIVATE)
    for folder, size in ((WORK, f"{disk_mb}m"), (SCRATCH, f"{disk_mb}m"), ("/dev/shm", "64k")):
        options = f"size={size},nr_inodes=4096,mode=1777"
        _mount("tmpfs", folder, "tmpfs", MS_NOSUID | MS_NODEV, options)
    _mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    os.chdir(WORK)


def limit(memory_mb: int, cpu_seconds: int, disk_mb: int, files: int, threads: int) -> None:
    """Set the limits of this process."""
    pages = int(pathlib.Path("/proc/self/statm").read_text().split()[0])
    memory = pages * resource.getpagesize() + (memory_mb << 20)
    for what, bound in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_FSIZE, disk_mb << 20),
        (resource.RLIMIT_NOFILE, files),
        (resource.RLIMIT_NPROC, threads),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        resource.setrlimit(what, (bound, bound))


def renounce(uid: int | None) -> None:
    """Give up every right, for good; become the user `uid` if one is given."""
    _check(_libc.prctl(PR_CAP_AMBIENT, 4, 0, 0, 0), "drop ambient capabilities")
    for capability in range(64):
        if _libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0):
            break  # the kernel knows no further ones
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
    header, data = struct.pack("<Ii", 0x20080522, 0), bytes(24)
    _check(_libc.capset(header, data), "drop capabilities")
    _check(_libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no new privileges")
    _check(_libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "no memory dumps")


def filter_calls() -> None:
    """Forbid the system calls above, and every new process; threads are allowed."""
    machine = platform.machine()
    forbidden = [*FORBIDDEN[machine].values(), *NEWER.values()]
    program = _program(AUDIT[machine], CLONE[machine], SOCKET[machine], forbidden)
    code = ctypes.create_string_buffer(b"".join(program), 8 * len(program))
    filters = struct.pack("HxxxxxxQ", len(program), ctypes.addressof(code))
    _check(_libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filters, 0, 0), "seccomp")


def _program(audit: int, clone: int, socket: int, forbidden: list[int]) -> list[bytes]:
    """Return the filter in BPF: for each instruction code, two jumps and a value."""
    load, equal, greater, bits, answer = 0x20, 0x15, 0x35, 0x45, 0x06
    allow, kill = 0x7FFF0000, 0x80000000

    def do(code: int, value: int, then: int = 0, otherwise: int = 0) -> bytes:
        return struct.pack("HBBI", code, then, otherwise, value)

    def refuse(error: int) -> bytes:
        return do(answer, 0x50000 | error)

    program = [
        do(load, 4), do(equal, audit, 1), do(answer, kill),  # another machine's calls
        do(load, 0), do(greater, 0x40000000, 0, 1), refuse(EPERM),  # the calls of x32
        do(equal, CLONE3, 0, 1), refuse(ENOSYS),  # libraries then take clone, which can be read
        do(equal, clone, 0, 4), do(load, 16), do(bits, CLONE_THREAD, 1), refuse(EPERM),
        do(answer, allow),
        do(equal, socket, 0, len(FAMILIES) + 3), do(load, 16),
        *(do(equal, family, len(FAMILIES) - i) for i, family in enumerate(FAMILIES)),
        refuse(EPERM), do(answer, allow),
    ]  # fmt: skip
    for number in forbidden:
        program += [do(equal, number, 0, 1), refuse(EPERM)]
    return [*program, do(answer, allow)]


def _mount(source: str | None, target: str, kind: str | None, flags: int, data: str = "") -> None:
    names = [x.encode() if x is not None else None for x in (source, target, kind)]
    _check(_libc.mount(*names, ctypes.c_ulong(flags), data.encode() or None), f"mount {target}")


def _check(result: int, what: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
