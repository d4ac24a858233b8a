"""What a hand-in may use."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds of one session, that is, of a student's process and of an examiner's.

    Attributes
    ----------
    cell_seconds : float
        Wall time of a cell, and of a test cell with all of its calls.
    grace_seconds : float
        Wall time that a process has to notice its own alarm before it is stopped.
    hand_in_seconds : float
        Wall time of a session.
    cpu_seconds : int
        CPU time of each process.
    memory_mb : int
        Memory that a process may take beyond what the started interpreter has.
    disk_mb : int
        Size of the work folder and of `/tmp`; the largest file.
    files : int
        Open files.
    threads : int
        Threads. Further processes are not allowed at all.
    output_kb : int
        Output that is kept of the whole notebook.
    message_mb : int
        Size of a value that crosses between student and examiner, as text.
    """

    cell_seconds: float = 30.0
    grace_seconds: float = 5.0
    hand_in_seconds: float = 180.0
    cpu_seconds: int = 150
    memory_mb: int = 2048
    disk_mb: int = 64
    files: int = 128
    threads: int = 64
    output_kb: int = 4096
    message_mb: int = 32
