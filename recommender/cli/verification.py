"""`recommender verify`."""

import argparse
from collections.abc import Sequence

from recommender.artifacts.verification import Verified, verify
from recommender.build.repair import discard_text_plans
from recommender.build.text_shards import SHARD
from recommender.cli.arguments import command, flag
from recommender.cli.session import settings_of
from recommender.cli.terminal import console, counted, cut, progress, right, table
from recommender.errors import ArtifactError

SHOWN = 20
WIDTH = 30
MEBIBYTE = 1024 * 1024


@command(
    "verify",
    "Compare every artifact, run record and ledger of the shop with its signature, size and "
    "digest. The exit code is 5 if something is damaged and was not removed.",
    flag("--repair", "remove what is damaged, so that the next reindex makes it again"),
)
def _verify(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    found = verify(settings.artifact_store(), repair=options.repair, progress=progress)
    if any(one.repaired and one.step == SHARD[0] for one in found):
        discard_text_plans(settings.artifact_store())
    _print_counts(found)
    damaged = [one for one in found if one.fault]
    shown = console()
    for one in damaged[:SHOWN]:
        shown.print(f"{'removed' if one.repaired else 'damaged'}: {one.fault}", soft_wrap=True)
    if len(damaged) > SHOWN:
        shown.print(f"and {len(damaged) - SHOWN:,} more")
    if left := [one for one in damaged if not one.repaired]:
        raise ArtifactError(f"{counted(len(left), 'fault')} left: {_remedy(left)}")
    if damaged:
        shown.print(
            f"{counted(len(damaged), 'fault')} removed. Run recommender reindex, which makes again "
            "what the live build needs."
        )
    else:
        shown.print("Nothing is damaged.")
    return 0


def _print_counts(found: Sequence[Verified]) -> None:
    rows = []
    for step in dict.fromkeys(one.step for one in found):
        of_step = [one for one in found if one.step == step]
        size = sum(one.n_bytes for one in of_step) / MEBIBYTE
        faults = sum(1 for one in of_step if one.fault)
        rows.append((cut(step, WIDTH), len(of_step), f"{size:,.1f}", faults))
    console().print(table(["artifacts", *right("verified", "MiB", "damaged")], rows))


def _remedy(left: Sequence[Verified]) -> str:
    if any(one.kind != "entry" for one in left):
        return "run recommender verify --repair, then recommender reindex"
    return "ledgers are not repaired; do for each what its line says"
