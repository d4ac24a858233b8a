"""The command `sealed`."""

import argparse
import importlib
import sys

from sealed import worker

COMMANDS = {
    "grade": ("sealed.run", "grade the hand-ins of an assignment, in parallel"),
    "report": ("sealed.report", "say how an assignment went, and which hand-ins are alike"),
    "check": ("sealed.check", "check an assignment before it is handed out"),
    "try": ("sealed.attempt", "run a notebook under the rules of grading, with its own tests"),
    "probe": ("sealed.probing", "say what this machine can seal"),
}


def main(argv: list[str] | None = None) -> int:
    """Run one of the commands; return the exit code."""
    worker.start_quickly()
    parser = argparse.ArgumentParser(prog="sealed", description="Grading that can be trusted.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    arguments = sys.argv[1:] if argv is None else argv
    for name, (module, help_) in COMMANDS.items():
        command = commands.add_parser(name, help=help_, description=help_)
        if arguments[:1] == [name]:  # the others need not be imported
            importlib.import_module(module).add_arguments(command)
    parsed = parser.parse_args(arguments)
    return importlib.import_module(COMMANDS[parsed.command][0]).run(parsed)


if __name__ == "__main__":
    sys.exit(main())
