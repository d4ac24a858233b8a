"""A step for nbgrader's sanitizing: a copy of a graded cell is a cell like any other.

Copy and paste in Jupyter copies nbgrader's metadata too. nbgrader empties that of the copy, and
then its `OverwriteCells` fails on it, and with it the whole hand-in.
"""

from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor


class ForgetCopies(NbGraderPreprocessor):
    """Takes away metadata of nbgrader's that names no cell; stands before `OverwriteCells`."""

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict, index: int
    ) -> tuple[NotebookNode, dict]:
        """Look at one cell."""
        given = cell.metadata.get("nbgrader")
        if given is not None and not (isinstance(given, dict) and given.get("grade_id")):
            del cell.metadata["nbgrader"]
        return cell, resources
