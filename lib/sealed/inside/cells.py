"""Runs cells as a kernel would, in this process, and records their outputs.

IPython without its messages: `%matplotlib inline`, `display`, `_` and `get_ipython()` work.
"""

import ast
import base64
import builtins
import io
import linecache
import signal
import sys
from contextlib import contextmanager
from typing import Any

from IPython.core.compilerop import CachingCompiler
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Type
from traitlets.config import Config


class Recorder:
    """Outputs of a cell in nbformat's form; `room` is how many characters may still be kept."""

    def __init__(self, room: int):
        self.room = room
        self.outputs: list[dict] = []

    def stream(self, name: str, text: str) -> None:
        """Add text to stdout or stderr."""
        if not (text := self._kept(text)):
            return
        last = self.outputs[-1] if self.outputs else {}
        if last.get("output_type") == "stream" and last["name"] == name:
            last["text"] += text
        else:
            self.outputs.append({"output_type": "stream", "name": name, "text": text})

    def data(self, data: dict, metadata: dict | None, count: int | None = None) -> None:
        """Add a display, or with a count the value of the cell's last expression."""
        data = {
            kind: base64.b64encode(x).decode() if isinstance(x, bytes) else x
            for kind, x in data.items()
        }
        if not self._fits(sum(len(str(x)) for x in data.values())):
            return
        output: dict[str, Any] = {"data": data, "metadata": metadata or {}}
        if count is None:
            self.outputs.append({"output_type": "display_data", **output})
        else:
            self.outputs.append(
                {"output_type": "execute_result", "execution_count": count} | output
            )

    def error(self, name: str, value: str, traceback: list[str]) -> None:
        """Add an error; it is always kept, though perhaps not all of it."""
        self.outputs.append(
            {
                "output_type": "error",
                "ename": name[:200],
                "evalue": value[:5000],
                "traceback": [line[:5000] for line in traceback[:50]],
            }
        )

    def clear(self, wait: bool = False) -> None:
        """Forget the outputs, as `clear_output` does."""
        self.outputs = []

    def _kept(self, text: str) -> str:
        if self.room <= 0:
            return ""
        kept, self.room = text[: self.room], self.room - len(text)
        return kept if self.room > 0 else kept + "\n... (more output is not kept)\n"

    def _fits(self, size: int) -> bool:
        self.room -= size
        if self.room <= 0 < self.room + size:
            self.outputs.append(
                {
                    "output_type": "stream",
                    "name": "stdout",
                    "text": "\n... (more output is not kept)\n",
                }
            )
        return self.room > 0


class _Stream(io.TextIOBase):
    def __init__(self, recorder: Recorder, name: str):
        self.recorder, self._name = recorder, name

    encoding = "utf-8"

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        self.recorder.stream(self._name, text)
        return len(text)


class _Publisher(DisplayPublisher):
    shell: "Shell"

    def publish(self, data, metadata=None, **kwargs):
        self.shell.recorder.data(data, metadata)

    def clear_output(self, wait=False):
        self.shell.recorder.clear()


class _Hook(DisplayHook):
    shell: "Shell"

    def write_output_prompt(self):
        pass

    def write_format_data(self, format_dict, md_dict=None):
        self.shell.recorder.data(format_dict, md_dict, self.prompt_count)

    def finish_displayhook(self):
        pass


class _Compiler(CachingCompiler):
    def get_code_name(self, raw_code, transformed_code, number):
        return f"<cell {number}>"


class Shell(InteractiveShell):
    """IPython that writes into a recorder."""

    compiler_class = Type(_Compiler)

    display_pub_class = Type(_Publisher)
    displayhook_class = Type(_Hook)
    recorder = Recorder(0)

    def enable_gui(self, gui=None):
        """Do nothing: there is no screen."""

    def system(self, cmd):
        """Say that `!command` is not run."""
        print(f"(not run: {cmd} - the code of a hand-in starts no programs)")

    def getoutput(self, cmd, split=True, depth=0):
        """Return what `x = !command` gives: nothing."""
        self.system(cmd)
        return []

    def _showtraceback(self, etype, evalue, stb):
        self.recorder.error(etype.__name__, str(evalue), list(stb))


class Cells:
    """A namespace in which cells run."""

    def __init__(self):
        config = Config()
        config.HistoryManager.enabled = False
        config.InteractiveShell.colors = "NoColor"
        config.InteractiveShell.xmode = "Plain"  # as Python itself: short, and quick to make
        self.shell = Shell.instance(config=config)
        self.names = self.shell.user_ns
        self.keep(0)

    def keep(self, room: int) -> None:
        """Keep so many characters of output from now on."""
        self.recorder = self.shell.recorder = Recorder(room)

    def with_figures(self) -> None:
        """Draw figures into the outputs, as notebooks do, if there is matplotlib."""
        if "matplotlib" in sys.modules:
            self.shell.enable_matplotlib("inline")

    def run(self, source: str, count: int, seconds: float) -> tuple[list[dict], bool]:
        """Run a cell under a number; return its outputs and whether it went without an error."""
        self.shell.execution_count = count
        with self._recording() as outputs, alarm(seconds, "the cell"):
            result = self.shell.run_cell(source, store_history=True)
            succeeded = result.success
        return outputs, succeeded

    def run_plain(self, source: str, name: str) -> tuple[list[dict], Any]:
        """Run a cell whose errors are the caller's; return outputs and the last expression.

        `name` stands for the file in tracebacks. The last expression is not shown.
        """
        text = self.shell.transform_cell(source)
        linecache.cache[name] = (len(text), None, list(text.splitlines(True)), name)
        tree = ast.parse(text, name)
        value = None
        with self._recording() as outputs:
            last = tree.body[-1] if tree.body else None
            if isinstance(last, ast.Expr) and not source.rstrip().endswith(";"):
                exec(compile(ast.Module(tree.body[:-1], []), name, "exec"), self.names)
                value = eval(compile(ast.Expression(last.value), name, "eval"), self.names)
            else:
                exec(compile(tree, name, "exec"), self.names)
        return outputs, value

    @contextmanager
    def _recording(self):
        self.recorder.outputs = outputs = []
        before = sys.stdout, sys.stderr, builtins.print
        sys.stdout, sys.stderr = (_Stream(self.recorder, n) for n in ("stdout", "stderr"))
        try:
            yield outputs
        finally:
            sys.stdout, sys.stderr, builtins.print = before
            if outputs is not self.recorder.outputs:  # `clear_output` began anew
                outputs[:] = self.recorder.outputs


class OutOfTime(BaseException):
    """What ran longer than it may; no `except Exception` holds it up."""


AGAIN = 0.5  # seconds until it is said again, to code that did not listen


@contextmanager
def alarm(seconds: float, what: str):
    """Stop what runs longer with an OutOfTime, where it runs in Python.

    Where the system has no such alarm (Windows), the process is stopped from outside, a bit later.
    """
    if not hasattr(signal, "setitimer"):
        yield
        return

    def ring(*_):
        raise OutOfTime(f"{what} ran longer than {seconds:.3g} seconds")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001), AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def patience():
    """Let an alarm wait until a message is through, so that no half of one is left behind."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGALRM])
