"""The jobs that workers take. A message names a shop; all else stands in the shop's settings."""

import logging

from recommender.errors import RecommenderError, StoreUnavailable
from workers import command
from workers.celery import app
from workers.messages import MAX_RETRIES
from workers.shops import configured

BACKOFF_S = 15

log = logging.getLogger(__name__)


@app.task(  # type: ignore[untyped-decorator]
    name="workers.reindex",
    throws=(RecommenderError,),
    autoretry_for=(StoreUnavailable,),
    max_retries=MAX_RETRIES,
    retry_backoff=BACKOFF_S,
    retry_jitter=False,
)
def reindex(shop: str) -> None:
    """Bring the related lists of one shop up to date, in a process of its own.

    Raises: ConfigError for a shop that is not configured here; CommandFailed; StoreUnavailable,
    after which Celery tries again, three times.
    """
    try:
        command.run("reindex", "--config", str(configured().file(shop)))
    except RecommenderError as error:
        log.error("reindex failed: shop=%.60r error=%s", shop, error)  # noqa: TRY400
        raise
