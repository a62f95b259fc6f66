"""The schedule: what is due, once per period however many ask.

A period is the minute that a cron expression names. Whoever claims it first begins; so two beats,
or a beat that was late, begin one run.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from celery.schedules import ParseException, crontab

from recommender.errors import ConfigError
from recommender.publishing.publisher import Publisher
from recommender.settings.tables import ScheduleSettings

JOBS = ("reindex", "evaluation", "audit")
LATE_S = 3600
"""So late a period may still begin; after that it is left out."""


def due(settings: ScheduleSettings, publisher: Publisher, now: datetime) -> Iterator[str]:
    """The jobs whose period has come and that nobody has begun; they count as begun from here.

    Raises: ConfigError; StoreUnavailable.
    """
    for job in JOBS:
        expression = getattr(settings, job)
        period = expression and last_period(expression, settings.time_zone, now)
        if not period:
            continue
        key = f"rec:{{{publisher.shop}}}:fleet:period:{job}:{period:%Y-%m-%dT%H:%M}"
        with publisher.errors("claiming a period"):
            if publisher.store.set(key, "begun", nx=True, px=2 * LATE_S * 1000):
                yield job


def last_period(expression: str, time_zone: str, now: datetime) -> datetime | None:
    """The last minute (UTC) that the expression names, at most LATE_S ago. Raises: ConfigError."""
    cron, zone = parsed(expression), zone_of(time_zone)
    minute = now.replace(second=0, microsecond=0)
    for back in range(LATE_S // 60):
        at = (minute - timedelta(minutes=back)).astimezone(zone)
        if _names(cron, at):
            return at.astimezone(UTC)
    return None


def parsed(expression: str) -> crontab:
    """A cron expression of five fields. Raises: ConfigError."""
    try:
        return crontab.from_string(expression)
    except (ParseException, ValueError, IndexError) as error:
        raise ConfigError(
            f"schedule {expression!r:.60}: not a cron expression of five fields: {error}"
        ) from error


def zone_of(name: str) -> ZoneInfo:
    """A time zone by its name. Raises: ConfigError."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ConfigError(f"schedule.time_zone = {name!r:.60}: there is no such zone") from error


def _names(cron: crontab, at: datetime) -> bool:
    return (
        at.minute in cron.minute
        and at.hour in cron.hour
        and at.isoweekday() % 7 in cron.day_of_week
        and at.day in cron.day_of_month
        and at.month in cron.month_of_year
    )
