"""What students get of a notebook's metadata: the rules, and not what the instructor checks."""

from nbconvert.exporters.exporter import ResourcesDict
from nbformat import NotebookNode
from nbgrader.preprocessors import NbGraderPreprocessor


class StudentMetadata(NbGraderPreprocessor):
    """Keeps of the metadata "sealed" the modules that students may import.

    What else it has is for `sealed check`. In `nbgrader_config.py`:

        c.GenerateAssignment.preprocessors.append("sealed.handing_out.StudentMetadata")
    """

    def preprocess(
        self, nb: NotebookNode, resources: ResourcesDict
    ) -> tuple[NotebookNode, ResourcesDict]:
        """Leave out what is not for students."""
        settings = nb.metadata.pop("sealed", {})
        if "modules" in settings:
            nb.metadata["sealed"] = {"modules": settings["modules"]}
        return nb, resources
