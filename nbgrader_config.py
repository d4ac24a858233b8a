"""nbgrader's settings: where the course's folders are. Commands that use them run in this folder.

solutions/<name>/<name>.ipynb is the source (answers, hidden tests, stored outputs),
exercises/<name>/<name>.ipynb the release made from it. What belongs to a running course (hand-ins,
marks, feedback, the gradebook) lies under grading/, which git ignores.
"""

import os
import sys
from pathlib import Path

from nbconvert.preprocessors import ClearMetadataPreprocessor
from nbgrader import preprocessors

import sealed.clean
from sealed.duplicates import ForgetCopies
from sealed.execute import SealedExecute

root = Path(__file__).resolve().parent
grading = root / "grading"
grading.mkdir(exist_ok=True)  # SQLite makes its file but not the folder

# nbgrader runs `alembic` by name when it makes a gradebook: find it beside this Python
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

c = get_config()  # traitlets defines it
c.CourseDirectory.course_id = "latent"
c.CourseDirectory.root = str(root)
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.release_directory = "exercises"
c.CourseDirectory.submitted_directory = "grading/submitted"
c.CourseDirectory.autograded_directory = "grading/autograded"
c.CourseDirectory.feedback_directory = "grading/feedback"
c.CourseDirectory.db_url = f"sqlite:///{(grading / 'gradebook.db').as_posix()}"

# a hand-in is a stranger's code: it runs in a sandbox, apart from the tests
c.Autograde.autograde_preprocessors = [
    SealedExecute,  # instead of nbgrader's Execute
    preprocessors.IgnorePattern,
    ClearMetadataPreprocessor,
    preprocessors.LimitOutput,
    preprocessors.SaveAutoGrades,
    preprocessors.AssignLatePenalties,
]

c.Autograde.sanitize_preprocessors = [
    preprocessors.ClearOutput,
    preprocessors.DeduplicateIds,
    preprocessors.OverwriteKernelspec,
    ForgetCopies,
    preprocessors.OverwriteCells,
    preprocessors.CheckCellMetadata,
]

# a test cell that a student deleted is put back, and so it is run
c.OverwriteCells.add_missing_cells = True

# of what `sealed check` looks at, students get the modules that they may import
c.GenerateAssignment.preprocessors.append("sealed.handing_out.StudentMetadata")

# hand-ins from Moodle and Canvas: `nbgrader zip_collect ASSIGNMENT`, see book/teaching.md
c.ZipCollectApp.downloaded_directory = "grading/downloaded"
c.ZipCollectApp.extractor_plugin = "sealed.collect.LmsExtractor"
c.ZipCollectApp.collector_plugin = "sealed.collect.LmsCollector"

# nothing that a student wrote runs in feedback or in formgrader: cleaned last, and when it is shown
c.Autograde.autograde_preprocessors.append(sealed.clean.CleanNotebook)
c.HTMLExporter.preprocessors = ["sealed.clean.CleanNotebook"]
c.HTMLExporter.filters = sealed.clean.FILTERS
c.HTMLExporter.extra_template_basedirs = sealed.clean.TEMPLATES
c.HTMLExporter.sanitize_html = True
# formgrader runs the settings in any folder that its address names: none come with a hand-in
c.CourseDirectory.ignore.append("nbgrader_config.*")
