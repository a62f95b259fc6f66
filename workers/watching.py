"""Watching a run: its steps, how many shards of each there are, and who is at work on which."""

import sys
import time

from recommender.artifacts.runs import Run
from recommender.build import steps
from recommender.build.contents import BUILD
from recommender.build.steps import Task
from workers.course import Course, claim_of, course_of

POLL_S = 0.5


def told(run_id: str) -> list[str]:
    """A run in lines: its state, then its steps. Raises: StoreUnavailable, ArtifactError."""
    with course_of(run_id) as course:
        run = course.run
        lines = [f"{run.id} {run.state}" + (f": {run.error}" if run.error else "")]
        if run.held:
            lines += [f"  held: {why}" for why in run.held]
        if run.state == "running":
            lines += [f"  {line}" for line in _steps(course)]
    return lines


def follow(run_id: str) -> Run:
    """Write to stderr what becomes of a run, or of the one that goes on with it, to its end."""
    shown: list[str] = []
    while True:
        with course_of(run_id) as course:
            run, newest = course.run, course.store.highest_run()
        lines = told(run_id)
        new = [line for line in lines if line not in shown]
        if new:
            sys.stderr.write("\n".join(new) + "\n")
        shown = lines
        if run.state == "superseded":
            run_id = f"{run.shop}.{newest}"
            continue
        if run.state != "running":
            return run
        time.sleep(POLL_S)


def _steps(course: Course) -> list[str]:
    """Every step that is not done yet and can be told of; how far it is; who is at work."""
    goal = course.goal
    lines = []
    found = steps.steps_of(goal)
    missing = {step.name: step.missing() for step in found}
    done = [step.name for step in found if missing[step.name] == ()]
    if goal.name != BUILD[0]:
        return ["read"]
    lines.append(f"{len(done)} of {len(found)} steps done")
    for step in found:
        left = missing[step.name]
        if not left:
            continue
        total = len(step.keys() or ())
        claims = [claim_of(course, Task(step.name, shard)) for shard in left]
        at_work = sorted({holder for holder in course.claims.holders(claims) if holder})
        if at_work or len(left) < total:
            lines.append(f"{step.label}: {total - len(left)} of {total}, {', '.join(at_work)}")
    if len(done) == len(found):
        staged = len(course.claims.notes("staged"))
        lines.append(f"publish: {staged} shards staged")
    return lines
