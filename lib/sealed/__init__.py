"""Grading that can be trusted: a stranger's notebook and the tests that mark it, kept apart.

`sealed.execute.SealedExecute` takes the place of nbgrader's `Execute`; the command `sealed` grades
in parallel, reports, checks assignments, and lets students try their work.
"""
