"""`sealed probe`: what this machine can seal."""

import argparse

from sealed import sandbox


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """There are none."""


def run(arguments: argparse.Namespace) -> int:
    """Print what the machine can do; return 0 if it can seal."""
    probe = sandbox.probe()
    print("sealed:" if probe.sealed else "not sealed:", probe.words)
    return 0 if probe.sealed else 1
