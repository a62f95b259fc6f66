"""Fit the peers. Runs in their environment; knows nothing of ours but Parquet.

    python fit.py FOLDER [--epochs N]

FOLDER holds `events.parquet` (basket, holder, item, time), what may be learned from, and
`histories.parquet` (query, item, moment). Written are `lists-NAME.parquet` (item, related, score)
and `answers-SASRec.parquet` (query, item, rank).
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from implicit.nearest_neighbours import TFIDFRecommender
from lenskit.data import from_interactions_df
from lenskit.knn import ItemKNNScorer
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import EASEModel, ImplicitItemKNNWrapperModel, SASRecModel

DEPTH = 36
ANSWERED = 10


def main() -> None:
    """Fit every peer and write its lists or answers."""
    parser = argparse.ArgumentParser(description="Fit the peers.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--epochs", type=int, default=20)
    options = parser.parse_args()
    events = pd.read_parquet(options.folder / "events.parquet")
    baskets = rectools_dataset(events[events["basket"] >= 0], "basket", "time")
    for name, model in (
        ("RecTools TF-IDF", ImplicitItemKNNWrapperModel(TFIDFRecommender(K=DEPTH + 1))),
        ("RecTools EASE", EASEModel(regularization=500)),
    ):
        model.fit(baskets)
        write(options.folder, name, rectools_lists(model, baskets))
    write(options.folder, "LensKit ItemKNN", lenskit_lists(events[events["basket"] >= 0]))
    histories = pd.read_parquet(options.folder / "histories.parquet")
    sasrec_answers(events[events["holder"] >= 0], histories, options.epochs).to_parquet(
        options.folder / "answers-SASRec.parquet"
    )


def write(folder: Path, name: str, lists: pd.DataFrame) -> None:
    """Write the entries that say an order."""
    lists[lists["score"] > 0].to_parquet(folder / f"lists-{name}.parquet", index=False)


def rectools_dataset(events: pd.DataFrame, user: str, time: str) -> Dataset:
    """Events as RecTools knows them, one per user and item."""
    once = events.drop_duplicates([user, "item"], keep="last")
    columns = {Columns.User: once[user], Columns.Item: once["item"], Columns.Weight: 1.0}
    when = pd.to_datetime(once[time], unit="s")
    return Dataset.construct(pd.DataFrame({**columns, Columns.Datetime: when}))


def rectools_lists(model: object, dataset: Dataset) -> pd.DataFrame:
    """The lists of all items that a model has seen."""
    found: pd.DataFrame = model.recommend_to_items(  # type: ignore[attr-defined]
        dataset.item_id_map.external_ids, dataset, DEPTH, on_unsupported_targets="ignore"
    )
    return found.rename(columns={Columns.TargetItem: "item", Columns.Item: "related"})[
        ["item", "related", "score"]
    ]


def lenskit_lists(events: pd.DataFrame) -> pd.DataFrame:
    """The neighbours of LensKit's item-item model, baskets as users."""
    once = events.drop_duplicates(["basket", "item"])
    frame = pd.DataFrame({"user_id": once["basket"], "item_id": once["item"]})
    model = ItemKNNScorer(feedback="implicit", save_nbrs=DEPTH)
    model.train(from_interactions_df(frame))
    near = model.sim_matrix.to_scipy().tocoo()
    ids = np.asarray(model.items.ids())
    return pd.DataFrame({"item": ids[near.row], "related": ids[near.col], "score": near.data})


def sasrec_answers(events: pd.DataFrame, histories: pd.DataFrame, epochs: int) -> pd.DataFrame:
    """What SASRec, trained on the users' sequences, shows after each history."""
    model = SASRecModel(
        n_factors=128, session_max_len=50, epochs=epochs, lr=1e-3, deterministic=True, verbose=0
    )
    model.fit(rectools_dataset(events.sort_values("time", kind="stable"), "holder", "time"))
    asked = rectools_dataset(histories, "query", "moment")
    found: pd.DataFrame = model.recommend(
        asked.user_id_map.external_ids,
        asked,
        ANSWERED,
        filter_viewed=True,
        on_unsupported_targets="ignore",
    )
    return found.rename(columns={Columns.User: "query", Columns.Item: "item"})[
        ["query", "item", "rank"]
    ]


if __name__ == "__main__":
    main()
