"""`recommender related --page` and `--bundle`: what a product page shows."""

from collections.abc import Mapping, Sequence

from recommender.cli.session import UNREAD, asked
from recommender.cli.terminal import console, print_json, right, table
from recommender.core.related import RelatedList
from recommender.errors import DataError, StoreUnavailable
from recommender.serving.bundles import MOST, Bundle
from recommender.serving.field_columns import Fields
from recommender.serving.fields_query import FieldsOptions
from recommender.serving.records import DIGITS
from recommender.settings.model import Settings


def show_page(
    settings: Settings,
    item: str,
    placements: Sequence[str],
    n: int,
    fields: FieldsOptions,
    *,
    as_json: bool,
) -> None:
    """Print the lists of an item in several placements, with headings and titles.

    Raises: DataError if nothing is published or the item is unknown; StoreUnavailable.
    """
    options: FieldsOptions = {**fields, "records": True}
    page, _ = asked(settings, lambda lookup: lookup.page(item, placements, n, **options))
    if any(one.status in UNREAD for one in page):
        raise StoreUnavailable(f"the lookup of {item!r:.80} failed; run recommender doctor")
    if all(one.status == "unknown_item" for one in page):
        raise DataError(f"item {item!r:.80} is in no list of the live generation")
    if as_json:
        lists = [_plain(one) for one in page]
        print_json({"shop": settings.shop, "item": item, "lists": lists})
        return
    shown = console()
    for number, one in enumerate(page):
        shown.print(
            f"{chr(10) if number else ''}{one.heading or one.placement}  ({one.status})",
            markup=False,
            highlight=False,
        )
        rows = [
            (
                str(rank),
                entry.id,
                str(record.get("title", "")),
                f"{entry.score:.3f}",
                f"{entry.evidence}, explored" if entry.id in one.explored else entry.evidence,
            )
            for rank, (entry, record) in enumerate(zip(one.items, one.records, strict=True), 1)
        ]
        shown.print(
            table([*right("#"), "item", ("title", "cut"), *right("score"), "evidence"], rows)
        )


def show_bundle(
    settings: Settings, item: str, placement: str, fields: FieldsOptions, *, as_json: bool
) -> None:
    """Print an item with those that go with it, and the price of all, or why there are none.

    Raises: DataError if nothing is published; StoreUnavailable.
    """
    store, language = fields.get("store", ""), fields.get("language", "")
    bundle, _ = asked(
        settings,
        lambda lookup: lookup.bundle(
            item, MOST, placement=placement, store=store, language=language
        ),
    )
    if bundle.reason.rpartition(" ")[2] in UNREAD:
        raise StoreUnavailable(f"the lookup of {item!r:.80} failed; run recommender doctor")
    if as_json:
        print_json({"shop": settings.shop, **_plain_bundle(bundle)})
        return
    shown = console()
    if not bundle.items:
        shown.print(f"No bundle: {bundle.reason}.", markup=False, highlight=False)
    else:
        unit = 10 ** DIGITS.get(bundle.currency, 2)
        rows = [
            (*_titled(record), f"{record['price_minor'] / unit:.2f}") for record in bundle.records
        ]
        shown.print(table(["item", ("title", "cut"), *right("price")], rows))
        price = f"{bundle.full_price_minor / unit:.2f}"
        if bundle.discount:
            price += f" - {bundle.discount:.0%} = {bundle.price_minor / unit:.2f}"
        shown.print(f"Together: {price} {bundle.currency}".rstrip(), highlight=False)
    for reason, count in bundle.dropped.items():
        shown.print(f"{count} dropped by: {reason}", markup=False, highlight=False)


def _titled(record: Fields) -> tuple[str, str]:
    return str(record.get("id", "")), str(record.get("title", ""))


def _plain(one: RelatedList) -> dict[str, object]:
    return {
        "placement": one.placement,
        "heading": one.heading,
        "language": one.language,
        "status": one.status,
        "dropped": dict(one.dropped),
        "items": [
            {**entry._asdict(), "explore": entry.id in one.explored, "record": dict(record)}
            for entry, record in zip(one.items, one.records, strict=True)
        ],
    }


def _plain_bundle(bundle: Bundle) -> Mapping[str, object]:
    names = ("item", "placement", "items", "full_price_minor", "price_minor", "currency")
    more = ("discount", "score", "reason", "language")
    plain = {name: getattr(bundle, name) for name in (*names, *more)}
    return {
        **plain,
        "dropped": dict(bundle.dropped),
        "records": [dict(record) for record in bundle.records],
    }
