"""Builds of a job, in this process."""

from collections.abc import Callable

from recommender.artifacts.store import Artifact
from recommender.build.contents import related_lists
from recommender.build.job import Job, pinned
from recommender.build.steps import complete
from recommender.core.lists import RelatedLists
from recommender.pipeline import read_and_planned


def make(job: Job) -> tuple[Artifact, Callable[[], list[RelatedLists]]]:
    """Perform every step that has no artifact yet.

    Returns the artifact of the build, whose key stands for everything in it, and a function that
    loads its lists.
    """
    job = pinned(job)
    planned = read_and_planned(job)
    complete(planned.goal, job.stopwatch)
    build = planned.goal.artifact()
    return build, lambda: related_lists(job.artifacts, build)
