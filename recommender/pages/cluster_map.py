"""The page of `recommender cluster --html`: a map of all groups."""

from collections.abc import Sequence

from recommender.core.arrays import FloatMatrix, Rows
from recommender.insights.clusters import Clusters
from recommender.pages.rendering import render

TITLE_LENGTH, EXAMPLES = 160, 4


def page(
    name: str,
    ids: Sequence[str],
    titles: Sequence[str],
    clusters: Clusters,
    rows: Rows,
    places: FloatMatrix,
) -> str:
    """The page as HTML.

    Args:
        name: of the shop or table.
        ids: item ids of the drawn items (m,).
        titles: of all items (n,).
        clusters: the groups.
        rows: which items are drawn (m,).
        places: where they are drawn (m, 2), in a square of side 2 around 0.

    """
    points = [
        [round(x, 4), round(y, 4), label, item, titles[row][:TITLE_LENGTH]]
        for (x, y), label, item, row in zip(
            places.tolist(), clusters.label[rows].tolist(), ids, rows.tolist(), strict=True
        )
    ]
    sizes = [len(group.rows) for group in clusters.groups]
    data = {
        "names": [group.name for group in clusters.groups],
        "sizes": sizes,
        "examples": [
            "; ".join(dict.fromkeys(titles[row] for row in group.rows[:EXAMPLES].tolist()))
            for group in clusters.groups
        ],
        "points": points,
    }
    return render(
        "cluster_map.html",
        styles=("cluster_map.css",),
        scripts=("cluster_map.js",),
        title=f"{name}: groups",
        name=name,
        n_items=sum(sizes),
        n_groups=len(clusters.groups),
        n_drawn=len(points),
        data=data,
    )
