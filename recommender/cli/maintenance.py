"""`recommender store`, `doctor`, `config`, `gc` and `forget-user`."""

import argparse
import os
import sys
from collections.abc import Callable
from functools import partial

import tomli_w

from recommender import registry
from recommender.cli.arguments import Parser, add_ids, ids_in
from recommender.cli.session import connection, embedded, publisher, settings_of
from recommender.cli.terminal import console, table
from recommender.core.cpu import multiplies_bf16, openblas_core
from recommender.core.recipe import Choice
from recommender.errors import ConfigError, RecommenderError, StoreUnavailable
from recommender.insights import encoding_paths
from recommender.insights.doctor import (
    Diagnosis,
    examine_artifacts,
    examine_encoding,
    examine_folder,
    examine_inputs,
    examine_kernels,
    examine_lists,
    examine_origin,
    examine_parts,
    examine_servers,
)
from recommender.insights.gc import Removal, collect_garbage
from recommender.publishing.embedded import Embedded
from recommender.publishing.inspection import audit, inspect_servers, uncovered_slots
from recommender.readers.sources import paths
from recommender.serving.connection import Store
from recommender.settings.loading import shipped
from recommender.settings.model import Settings
from recommender.settings.tables import EMBEDDED

MEBIBYTE = 1024 * 1024
SAMPLE = 1000


def add_store(parser: Parser) -> None:
    """Declare `recommender store` with its actions."""
    parser.description = (
        "Start or stop the embedded store. Commands start it when they need it; start it for a "
        "storefront that runs next to them."
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True, dest="action", title="actions")
    for name, summary, action in (
        ("start", "Start the embedded store and print its URL", _start_store),
        ("stop", "Save and stop the embedded store", _stop_store),
        ("url", "Print the URL of the running embedded store", _print_url),
    ):
        made = actions.add_parser(name, help=summary, description=f"{summary}.")
        made.runs(partial(_with_store, action=action))


def add_doctor(parser: Parser) -> None:
    """Declare `recommender doctor`."""
    parser.description = (
        "Check the installed packages, the settings, the input files, the artifacts and the store. "
        "The exit code is 3 if something must be fixed, 7 if the store is unavailable."
    )
    parser.add_argument(
        "--speed",
        action="store_true",
        help="also measure how fast texts are encoded and recommend the best settings",
    )
    parser.runs(_doctor)


def add_config(parser: Parser) -> None:
    """Declare `recommender config`."""
    parser.description = "Print the settings in force as TOML, with secrets masked."
    parser.add_argument(
        "--defaults",
        action="store_true",
        help="print all settings with their defaults and an explanation instead",
    )
    parser.runs(_config)


def add_gc(parser: Parser) -> None:
    """Declare `recommender gc`."""
    parser.description = (
        "Delete the artifacts that no generation and none of the last artifacts.keep_runs runs "
        "needs."
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="print what would be deleted, delete nothing"
    )
    parser.runs(_gc)


def add_forget_user(parser: Parser) -> None:
    """Declare `recommender forget-user`."""
    parser.description = (
        "Exclude all events of some users from every later run. The next reindex publishes lists "
        "without them."
    )
    add_ids(parser, "users", "USER", "user ids, as in the input files")
    parser.runs(_forget_user)


def _with_store(options: argparse.Namespace, *, action: Callable[[Embedded], str]) -> int:
    settings = settings_of(options)
    if settings.store.url != EMBEDDED:
        raise ConfigError("store.url names a server; this command is for the embedded store only")
    sys.stdout.write(f"{action(embedded(settings))}\n")
    return 0


def _start_store(store: Embedded) -> str:
    return store.start()


def _stop_store(store: Embedded) -> str:
    return "stopped" if store.stop() else "was not running"


def _print_url(store: Embedded) -> str:
    url = store.url()
    if url is None:
        raise StoreUnavailable("the embedded store is not running; run recommender store start")
    return url


def _doctor(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    findings = [
        *examine_parts(),
        *_content(settings, measure=options.speed),
        examine_kernels(os.environ.get("OPENBLAS_CORETYPE"), openblas_core()),
        _recipe(settings),
        *examine_inputs(_input_paths(settings)),
        examine_folder("state folder", settings.state.folder),
        examine_artifacts(settings.artifact_store()),
    ]
    store, reachable = _store(settings)
    findings += store
    rows = [(one.verdict, one.what, one.detail) for one in findings]
    console().print(table([("", "left"), ("checked", "left"), ("found", "wrap")], rows))
    if not reachable:
        raise StoreUnavailable("the store cannot be reached; see above")
    faults = sum(one.verdict == "fault" for one in findings)
    if faults:
        raise ConfigError(f"{faults} to fix; see above")
    return 0


def _store(settings: Settings) -> tuple[list[Diagnosis], bool]:
    try:
        with connection(settings) as store:
            findings = examine_servers(inspect_servers(store), uncovered_slots(store))
            return [*findings, _lists(store, settings.shop)], True
    except StoreUnavailable as error:
        return [Diagnosis("store", "fault", str(error))], False


def _content(settings: Settings, *, measure: bool) -> list[Diagnosis]:
    """What each content origin of the recipe needs."""
    found: list[Diagnosis] = []
    for name, choice in settings.recipe.content.items():
        if choice.use in registry.CONTENT_ORIGINS:
            found += examine_origin(f"content {name}", partial(registry.content_origin, choice))
            continue
        api = settings.text_api.text_api()
        found += examine_origin("text model", partial(registry.text_encoder, choice, api))
        found += _encoding(name, choice, measure=measure)
    return found


def _encoding(name: str, text: Choice, *, measure: bool) -> list[Diagnosis]:
    if text.use != encoding_paths.SENTENCE_TRANSFORMERS:
        return []
    found = [examine_encoding(name, text.parameters, bf16=multiplies_bf16())]
    if not measure:
        return found
    try:
        measured = encoding_paths.measured(text, encoding_paths.sample_texts(SAMPLE))
    except RecommenderError as error:
        return [*found, Diagnosis("speed", "fault", str(error))]
    for path in measured:
        near = path.fidelity
        figures = (
            f"{path.name}: {path.texts_per_s:,.0f} short texts a second, cosine with fp32 "
            f"{near.mean_cosine:.5f} (least {near.least_cosine:.5f}), "
            f"{near.nearest_kept:.1%} of the ten nearest kept"
        )
        found.append(Diagnosis("speed", "ok", figures))
    best = encoding_paths.proposed(measured).parameters
    wanted = ", ".join(f'{name} = "{value}"' for name, value in best.items())
    return [*found, Diagnosis("proposal", "ok", f"recipe.content.{name} = {{ {wanted} }}")]


def _recipe(settings: Settings) -> Diagnosis:
    recipe = settings.recipe.recipe()
    try:
        registry.check(recipe)
    except RecommenderError as error:
        return Diagnosis("recipe", "fault", str(error))
    return Diagnosis("recipe", "ok", recipe.digest[:12])


def _input_paths(settings: Settings) -> list[str]:
    places = list(paths(settings.catalogue.path))
    for source in settings.interactions:
        places += paths(source.path)
    return places


def _lists(store: Store, shop: str) -> Diagnosis:
    try:
        return examine_lists(audit(store, shop))
    except StoreUnavailable as error:
        return Diagnosis("lists", "fault", str(error))


def _config(options: argparse.Namespace) -> int:
    if options.defaults:
        sys.stdout.write(shipped("config/default.toml").read_text(encoding="utf-8"))
    else:
        sys.stdout.write(tomli_w.dumps(settings_of(options).plain()))
    return 0


def _gc(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    with publisher(settings) as shop:
        removal = collect_garbage(
            settings.artifact_store(),
            shop,
            keep_runs=settings.artifacts.keep_runs,
            pinned=settings.artifacts.pinned,
            dry_run=options.dry_run,
        )
    _print_removal(removal, "would be removed" if options.dry_run else "removed")
    return 0


def _print_removal(removal: Removal, verb: str) -> None:
    shown = console()
    if removal.artifacts:
        rows = [(step, f"{count:,}") for step, count in removal.artifacts.items()]
        shown.print(table([("artifacts", "left"), (verb, "right")], rows))
    total = sum(removal.artifacts.values())
    shown.print(
        f"{total:,} artifacts and {removal.runs:,} run records {verb}, "
        f"{removal.n_bytes / MEBIBYTE:,.1f} MiB."
    )
    if removal.at_work:
        numbers = ", ".join(map(str, removal.at_work))
        stopped = "" if removal.complete else " Nothing more was removed."
        shown.print(f"Run {numbers} may still be running: its artifacts were kept.{stopped}")
    elif not removal.complete:
        shown.print("A run began in the meantime: run this command again when it has ended.")


def _forget_user(options: argparse.Namespace) -> int:
    settings = settings_of(options)
    users = {*options.users, *(value for _, value in ids_in(options.file))}
    ids = {value.strip() for value in users} - {""}
    if not ids:
        raise ConfigError("no user: name some, or a --file with one id per line")
    added = settings.forgotten().add(sorted(ids))
    sys.stdout.write(
        f"{added:,} users of shop {settings.shop} forgotten, {len(ids) - added:,} were already. "
        "Runs that begin from now on do not read their events, and the next recommender reindex "
        "publishes lists without them.\nArtifacts of earlier runs contain what was read of them, "
        "under a keyed hash, until no generation and none of the last artifacts.keep_runs = "
        f"{settings.artifacts.keep_runs} runs needs them; then recommender gc removes them.\n"
    )
    return 0
