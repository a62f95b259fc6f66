"""Doctor: checks whether this machine can reindex, and whether the store can serve."""

import importlib.util
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
from pathlib import Path

from recommender import registry
from recommender.artifacts.storage import LocalStorage
from recommender.artifacts.store import ArtifactStore
from recommender.core.cpu import multiplies_bf16, openblas_core
from recommender.core.protocols import ContentOrigin, CostlyEncoder, TextEncoder
from recommender.core.recipe import Choice
from recommender.core.telemetry import Progress, silent
from recommender.errors import EXTRAS, RecommenderError, StoreUnavailable
from recommender.insights import encoding_paths
from recommender.insights.diagnosis import Diagnosis, Verdict
from recommender.insights.input_checks import examine_shop
from recommender.insights.presence import examine_presence
from recommender.publishing.inspection import (
    Audit,
    ServerFacts,
    audit,
    inspect_servers,
    uncovered_slots,
)
from recommender.serving.connection import Store
from recommender.serving.urls import redacted
from recommender.settings.model import Settings

SAMPLE = 1000
"""The number of texts by which the speed of encoding is measured."""
LOW_DISK_BYTES = 2 * 1024**3
NO_DISK_BYTES = 64 * 1024**2
MORE_DISK = "Run recommender gc, or set state.folder and artifacts.url to a disk with more space"
OLD_SERVER = 7
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
LUA_REPAIRED: dict[str, dict[tuple[int, ...], tuple[int, ...]]] = {
    "Redis": {(7, 2): (7, 2, 11), (7, 4): (7, 4, 6), (8, 0): (8, 0, 4), (8, 2): (8, 2, 2)}
}
"""The first release of each series that fixes CVE-2025-49844, remote code through Lua."""


def diagnose(
    settings: Settings,
    store: AbstractContextManager[Store],
    *,
    measure: bool,
    progress: Progress = silent,
) -> Iterator[Diagnosis]:
    """Run all checks, with a sample of the interactions; `measure` the text model's speed if asked.

    A store that cannot be reached is a fault of `store`.
    """
    yield from examine_parts()
    for name, choice in settings.recipe.content.items():
        yield from _content(name, choice, settings, measure=measure)
    yield examine_kernels(os.environ.get("OPENBLAS_CORETYPE"), openblas_core())
    try:
        recipe = settings.built_recipe()
        registry.check(recipe)
        yield Diagnosis("recipe", "ok", recipe.digest[:12])
    except RecommenderError as error:
        yield Diagnosis("recipe", "fault", str(error))
    yield from _inputs(settings, progress)
    yield examine_folder("state folder", settings.state.folder)
    yield examine_artifacts(settings.artifact_store())
    try:
        with store as connected:
            yield from examine_servers(inspect_servers(connected), uncovered_slots(connected))
            yield _lists(connected, settings.shop)
    except StoreUnavailable as error:
        yield Diagnosis("store", "fault", str(error))


def _inputs(settings: Settings, progress: Progress) -> Iterator[Diagnosis]:
    try:
        source = replace(settings.source(), sample=True)
    except RecommenderError as error:
        yield Diagnosis("input", "fault", f"{error}, or run recommender init")
        return
    found = [*examine_presence(source)]
    yield from found
    if any(each.verdict == "fault" for each in found):
        return
    quarantine = settings.state.folder / "quarantine" / f"{settings.shop}.doctor.jsonl"
    yield from examine_shop(source, settings.recipe.content, quarantine, time.time(), progress)


def _content(name: str, choice: Choice, settings: Settings, *, measure: bool) -> list[Diagnosis]:
    """What one content origin of the recipe needs."""
    if choice.use in registry.CONTENT_ORIGINS:
        return examine_origin(f"content {name}", partial(registry.content_origin, choice))
    api = settings.text_api.text_api()
    found = examine_origin("text model", partial(registry.text_encoder, choice, api))
    if choice.use == encoding_paths.SENTENCE_TRANSFORMERS:
        found.append(examine_encoding(name, choice.parameters, bf16=multiplies_bf16()))
        found += _speed(name, choice) if measure else ()
    return found


def _speed(name: str, text: Choice) -> list[Diagnosis]:
    """The speed of each way to encode, and the best one."""
    try:
        measured = encoding_paths.measured(text, encoding_paths.sample_texts(SAMPLE))
    except RecommenderError as error:
        return [Diagnosis("speed", "fault", str(error))]
    found = []
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


def examine_parts() -> list[Diagnosis]:
    """Whether the extras that a reindex needs are installed."""
    findings = []
    for extra in ("build", "text"):
        missing = [name for name in EXTRAS[extra] if importlib.util.find_spec(name) is None]
        text = f"{', '.join(missing)} missing; pip install 'recommender[{extra}]'"
        verdict: Verdict = "fault" if missing else "ok"
        findings.append(Diagnosis(f"extra {extra}", verdict, text if missing else "installed"))
    return findings


def examine_origin(what: str, make: Callable[[], ContentOrigin | TextEncoder]) -> list[Diagnosis]:
    """Whether a content origin can be read, or a text model is present and what it costs."""
    try:
        origin = make()
        fingerprint = origin.fingerprint()
        lines = origin.cost() if isinstance(origin, CostlyEncoder) else [fingerprint[:60]]
    except RecommenderError as error:
        return [Diagnosis(what, "fault", str(error))]
    return [Diagnosis(what, "ok", line) for line in lines]


def examine_encoding(name: str, parameters: Mapping[str, object], *, bf16: bool) -> Diagnosis:
    """Whether the precision of a text model suits the processor, which may multiply `bf16`."""
    precision = parameters.get("precision", "fp32")
    if precision == "bf16" and not bf16:
        text = f"bf16, which this processor lacks; set recipe.content.{name}.precision to fp32"
        return Diagnosis("encoding", "warning", text)
    if precision == "fp32" and bf16:
        text = "fp32; this processor has bf16, which is faster: see recommender doctor --speed"
        return Diagnosis("encoding", "ok", text)
    return Diagnosis("encoding", "ok", f"{precision}, as fits this processor")


def examine_kernels(chosen: str | None, best: str | None) -> Diagnosis:
    """Whether OPENBLAS_CORETYPE prevents the use of the processor's best kernels."""
    if chosen and best and chosen.casefold() != best.casefold():
        text = f"OPENBLAS_CORETYPE is {chosen}, this processor has {best}; unset it"
        return Diagnosis("kernels", "warning", text)
    return Diagnosis("kernels", "ok", best or "as OpenBLAS finds them")


def examine_folder(what: str, folder: Path) -> Diagnosis:
    """Whether the folder is writable and has free space."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder):
            free = shutil.disk_usage(folder).free
    except OSError as error:
        return Diagnosis(
            what, "fault", f"{folder}: cannot be written: {error.strerror}. {MORE_DISK}"
        )
    if free >= LOW_DISK_BYTES:
        return Diagnosis(what, "ok", f"{folder}, {free / 1024**3:.1f} GiB free")
    verdict: Verdict = "warning" if free >= NO_DISK_BYTES else "fault"
    return Diagnosis(what, verdict, f"{folder}: {free / 1024**2:,.0f} MiB free. {MORE_DISK}")


def examine_artifacts(store: ArtifactStore) -> Diagnosis:
    """Whether artifacts can be written and read, and whether there is free space."""
    if isinstance(store.storage, LocalStorage):
        return examine_folder("artifacts", store.storage.root)
    try:
        store.storage.replace("doctor", b"probe")
        answer = store.storage.read("doctor", 5)
        store.storage.remove("doctor")
    except RecommenderError as error:
        return Diagnosis("artifacts", "fault", str(error))
    verdict: Verdict = "ok" if answer == b"probe" else "fault"
    return Diagnosis("artifacts", verdict, f"{redacted(str(store.root))} can be written and read")


def examine_store(facts: ServerFacts) -> list[Diagnosis]:
    """Whether the server is new enough, evicts no keys, and is protected."""
    return [_version(facts), _eviction(facts), *_access(facts)]


def examine_lists(audit: Audit | None) -> Diagnosis:
    """Whether all lists of the live generation are in the store."""
    if audit is None:
        return Diagnosis("lists", "ok", "nothing is published yet")
    if audit.found < audit.published:
        text = (
            f"generation {audit.generation} has {audit.found} of its {audit.published} lists left: "
            "something deletes keys of the store; run recommender reindex --force"
        )
        return Diagnosis("lists", "fault", text)
    return Diagnosis("lists", "ok", f"all {audit.found} of generation {audit.generation}")


def examine_servers(
    servers: Mapping[str, ServerFacts | str], uncovered: str | None
) -> list[Diagnosis]:
    """Whether each server is set up correctly; on a Cluster, whether every slot has a server.

    `servers` has facts by name, or the reason why a server could not be inspected. `uncovered`
    names the slots without a server, None if there is no Cluster.
    """
    findings = [] if uncovered is None else [_slots(len(servers), uncovered)]
    for name, facts in servers.items():
        if isinstance(facts, str):
            found = [Diagnosis("server", "fault", facts)]
        else:
            found = [*examine_store(facts), *_membership(facts, alone=uncovered is None)]
        where = f"{name}: " if name else ""
        findings += [replace(one, detail=where + one.detail) for one in found]
    return findings


def _lists(store: Store, shop: str) -> Diagnosis:
    try:
        return examine_lists(audit(store, shop))
    except StoreUnavailable as error:
        return Diagnosis("lists", "fault", str(error))


def _slots(n_nodes: int, uncovered: str) -> Diagnosis:
    if uncovered:
        text = f"no node has slots {uncovered}: their lists are lost; see redis-cli --cluster check"
        return Diagnosis("cluster", "fault", text)
    return Diagnosis("cluster", "ok", f"{n_nodes} primaries, every slot covered")


def _membership(facts: ServerFacts, *, alone: bool) -> list[Diagnosis]:
    if facts.in_cluster and alone:
        text = "it is a node of a Cluster; write store.url as redis+cluster://"
        return [Diagnosis("cluster", "fault", text)]
    if facts.all_or_nothing and not alone:
        text = "cluster-require-full-coverage yes: one lost shard stops all of them; set it to no"
        return [Diagnosis("coverage", "warning", text)]
    return []


def _version(facts: ServerFacts) -> Diagnosis:
    server = f"{facts.name} {'.'.join(map(str, facts.version))}"
    if facts.version < (OLD_SERVER,) and facts.in_cluster:
        return Diagnosis("server", "fault", f"{server}: a Cluster has to be of version 7 or newer")
    if facts.version < (OLD_SERVER,):
        text = f"{server} cannot swap at full memory; use Redis 7, Valkey or newer"
        return Diagnosis("server", "warning", text)
    if facts.version < LUA_REPAIRED.get(facts.name, {}).get(facts.version[:2], ()):
        text = (
            f"{server} is older than the fix of CVE-2025-49844 (Lua); update, unless your "
            "distribution has the fix, and give readers a user without EVAL"
        )
        return Diagnosis("server", "warning", text)
    return Diagnosis("server", "ok", server)


def _eviction(facts: ServerFacts) -> Diagnosis:
    if facts.policy.startswith("allkeys") and facts.maxmemory:
        text = f"maxmemory-policy is {facts.policy}: lists would be evicted; set noeviction"
        return Diagnosis("eviction", "fault", text)
    limit = facts.maxmemory or "unlimited"
    return Diagnosis("eviction", "ok", f"{facts.policy}, maxmemory {limit}")


def _access(facts: ServerFacts) -> list[Diagnosis]:
    if facts.addresses is None or facts.open_to_all is None:
        return [Diagnosis("access", "ok", "this user may not ask about access, as it should be")]
    strangers = [address for address in facts.addresses if address not in LOOPBACK]
    if not strangers:
        return [Diagnosis("access", "ok", "loopback or unix socket only")]
    where = f"listens on {', '.join(strangers)}"
    findings = []
    if facts.open_to_all:
        text = f"{where} and the default user needs no password; see config/redis-acl.conf"
        findings.append(Diagnosis("access", "warning", text))
    if facts.unprotected:
        text = f"{where} with protected-mode no; close it, or set passwords for all users"
        findings.append(Diagnosis("access", "warning", text))
    return findings or [Diagnosis("access", "ok", f"{where}, users have passwords")]
