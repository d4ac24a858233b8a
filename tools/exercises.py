"""Make what students get (exercises/) from solutions/, the notebooks with answers.

python -m tools.exercises          nbgrader takes out answers, hidden tests and outputs
python -m tools.exercises --run    first runs the solutions and stores their outputs, which the
                                   tests compare with a fresh run: after every change of a solution
"""

import argparse
import copy
import subprocess
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]


def run(path: Path) -> None:
    """Execute the notebook at `path` in place; an error in a cell stops with its traceback."""
    notebook = nbformat.read(path, as_version=4)
    metadata = copy.deepcopy(notebook.metadata)
    resources = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, timeout=120, record_timing=False, resources=resources).execute()
    notebook.metadata = metadata  # without the Python version that the kernel adds
    nbformat.write(notebook, path)


def release(name: str) -> None:
    """Let nbgrader make exercises/`name` from solutions/`name`, and enter it in the gradebook."""
    nbgrader = [sys.executable, "-m", "nbgrader", "generate_assignment"]
    subprocess.run([*nbgrader, name, "--force", "--log-level=WARN"], cwd=ROOT, check=True)


def main() -> None:
    """Handle every assignment in solutions/."""
    parser = argparse.ArgumentParser(description="Make exercises/ from solutions/.")
    parser.add_argument("--run", action="store_true", help="first run the solutions in place")
    arguments = parser.parse_args()
    for path in sorted((ROOT / "solutions").glob("*/*.ipynb")):
        if arguments.run:
            run(path)
        release(path.stem)
        print(f"exercises/{path.stem}/{path.name} is made from solutions/")


if __name__ == "__main__":
    main()
