"""`recommender doctor`."""

import argparse
import os
from functools import partial

from recommender import registry
from recommender.cli.session import connection, settings_of
from recommender.cli.terminal import console, table
from recommender.core.cpu import multiplies_bf16, openblas_core
from recommender.core.recipe import Choice
from recommender.errors import ConfigError, RecommenderError, StoreUnavailable
from recommender.insights import encoding_paths
from recommender.insights.doctor import (
    Diagnosis,
    examine_artifacts,
    examine_content,
    examine_encoder,
    examine_encoding,
    examine_folder,
    examine_inputs,
    examine_kernels,
    examine_lists,
    examine_parts,
    examine_servers,
)
from recommender.publishing.audit import audit
from recommender.publishing.inspection import inspect_servers, uncovered_slots
from recommender.readers.sources import paths
from recommender.serving.connection import Store
from recommender.settings.model import Settings

SAMPLE = 1000


def run(options: argparse.Namespace) -> int:
    """Check everything that a reindex and the storefront need; a fault is an error."""
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
    rows = [(finding.verdict, finding.what, finding.detail) for finding in findings]
    console().print(table([("", "left"), ("looked at", "left"), ("found", "wrap")], rows))
    if not reachable:
        raise StoreUnavailable("the store cannot be reached; see above")
    faults = sum(finding.verdict == "fault" for finding in findings)
    if faults:
        raise ConfigError(f"{faults} to mend; see above")
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
            found += examine_content(name, partial(registry.content_origin, choice))
            continue
        found += examine_encoder(
            partial(registry.text_encoder, choice, settings.text_api.text_api())
        )
        found += _encoding(name, choice, measure=measure)
    return found


def _encoding(name: str, text: Choice, *, measure: bool) -> list[Diagnosis]:
    if text.use != encoding_paths.SENTENCE_TRANSFORMERS:
        return []
    found = [examine_encoding(name, text.parameters, bf16=multiplies_bf16())]
    if not measure:
        return found
    try:
        paths = encoding_paths.measured(text, encoding_paths.sample_texts(SAMPLE))
    except RecommenderError as error:
        return [*found, Diagnosis("speed", "fault", str(error))]
    for path in paths:
        near = path.fidelity
        told = (
            f"{path.name}: {path.texts_per_s:,.0f} short texts a second, cosine with fp32 "
            f"{near.mean_cosine:.5f} (least {near.least_cosine:.5f}), "
            f"{near.nearest_kept:.1%} of the ten nearest kept"
        )
        found.append(Diagnosis("speed", "ok", told))
    best = encoding_paths.proposed(paths).parameters
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
