"""`recommender status`."""

import argparse
from datetime import UTC, datetime

from recommender.cli.session import publisher, settings_of
from recommender.cli.terminal import console, table
from recommender.publishing.inspection import uncovered_slots
from recommender.publishing.servers import servers
from recommender.serving.connection import Store


def run(options: argparse.Namespace) -> int:
    """Show what is live, what may be rolled back to, and what the last run found."""
    settings = settings_of(options)
    with publisher(settings) as shop:
        generations = shop.generations()
        cluster = _cluster(shop.store)
    by_role = {generation.role: generation for generation in generations if generation.role}
    live, previous = by_role.get("live"), by_role.get("previous")
    rows = [("shop", settings.shop), *cluster]
    if live is None:
        rows.append(("live", "nothing; run recommender reindex"))
    else:
        created = datetime.fromtimestamp(live.created_at, UTC)
        age = datetime.now(UTC) - created
        hours, rest = divmod(int(age.total_seconds()), 3600)
        rows += [
            ("live", f"generation {live.id}"),
            ("published", f"{created:%Y-%m-%d %H:%M:%S} UTC, {hours} h {rest // 60} min ago"),
            ("lists", f"{live.n_lists:,} with {live.n_entries:,} entries"),
            ("recipe", live.recipe_digest[:12]),
        ]
    for role in ("overlay", "canary"):
        if role in by_role:
            rows.append((role, f"generation {by_role[role].id}"))
    rows.append(("previous", f"generation {previous.id}" if previous else "none"))
    staging = [str(g.id) for g in generations if g.state == "staging"]
    if staging:
        rows.append(("being written", ", ".join(staging)))
    console().print(table([("", "left"), ("", "left")], rows))
    return 0


def _cluster(store: Store) -> list[tuple[str, str]]:
    lost = uncovered_slots(store)
    if lost is None:
        return []
    covered = f"no node has slots {lost}" if lost else "every slot covered"
    return [("store", f"Cluster of {len(servers(store))} primaries, {covered}")]
