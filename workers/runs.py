"""Beginning, resuming and cancelling runs of the fleet."""

from recommender import pipeline
from recommender.artifacts.runs import Run, find_run
from recommender.build.gates import Gates, golden_pairs
from recommender.build.job import pinned
from recommender.errors import ConfigError
from recommender.publishing.publisher import Publisher
from recommender.settings.model import Settings
from workers.claims import Claims
from workers.course import course_of, shop_at_work, successor
from workers.process import WATCHED_S, Ended, Process, Tell

OPEN_GATES = Gates(
    items_share_min=0,
    events_share_min=0,
    entries_share_min=0,
    coverage_share_min=0,
    filled_share_min=0,
    overlap_min=0,
)


def begin(settings: Settings, publisher: Publisher, *, force: bool = False) -> Run | None:
    """Begin a run; None where neither inputs nor recipe changed since the live generation.

    With `force` that does not matter, and no gate holds the build. Raises: ConfigError, DataError,
    StoreUnavailable.
    """
    if force:
        settings = settings.model_copy(update={"gates": OPEN_GATES})
    golden_pairs(settings.gates.golden)
    job = pinned(settings.job())
    planned, live = pipeline.plan(job), publisher.live()
    if not force and live and planned.makes(live.lists_key):
        return None
    run = pipeline.begin(job, publisher)
    Claims(publisher, run.number).begin()
    return run


def begin_apart(shop: str) -> str:
    """Begin a run of a shop that a message names, in a process of its own; "" where unchanged."""
    with shop_at_work(shop):
        pass

    def work(tell: Tell) -> None:
        with shop_at_work(shop) as (settings, publisher):
            run = begin(settings, publisher)
            tell("begun", run=run.id if run else "")

    begun = ""
    for event in Process(work, lambda: True, WATCHED_S).events():
        if isinstance(event, Ended):
            event.check()
        else:
            begun = event["run"]
    return begun


def resume(run_id: str) -> Run:
    """Go on with a run that failed or was cancelled, under a number of its own.

    One that is running is given back as it is. Raises: ConfigError for one that is published.
    """
    with course_of(run_id) as course:
        if course.run.state == "running":
            return course.run
        if course.run.state in {"published", "held"}:
            raise ConfigError(f"run {run_id} is {course.run.state}; there is nothing to resume")
        return successor(course, course.run.state)


def cancel(run_id: str) -> Run:
    """End a run; what it made stays for the next. Raises: ConfigError where it has ended."""
    with course_of(run_id) as course:
        if course.run.state not in {"running", "held"}:
            raise ConfigError(f"run {run_id} is {course.run.state}; there is nothing to cancel")
        return course.run.save(course.store, state="cancelled")


def newest(settings: Settings) -> Run | None:
    """The newest run of a shop."""
    store = settings.artifact_store()
    number = store.highest_run()
    return find_run(store, number) if number else None
