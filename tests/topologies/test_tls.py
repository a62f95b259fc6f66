"""Redis over TLS, with certificates made here: trusted is what the URL says, and nothing else."""

import asyncio
import logging
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from recommender.errors import StoreUnavailable
from recommender.publishing.publisher import Publisher
from recommender.serving.aio import AsyncRelatedItems
from recommender.serving.connection import open_store
from recommender.serving.lookup import RelatedItems
from tests.serving import builds
from tests.topologies.clusters import cluster
from tests.topologies.nodes import PASSWORD, free_port, node, program

pytestmark = pytest.mark.server

EXPIRED = ("20200101000000Z", "20200102000000Z")
VALID = ("20200101000000Z", "20991231000000Z")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder with an authority, and certificates of 127.0.0.1: valid and expired."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        authority(folder, "ca")
        authority(folder, "other")
        certificate(folder, "valid", VALID)
        certificate(folder, "expired", EXPIRED)
        yield folder


def openssl(folder: Path, *arguments: str) -> None:
    command = [program("openssl"), *arguments]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def authority(folder: Path, name: str) -> None:
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    files = ("-keyout", f"{name}.key", "-out", f"{name}.crt")
    openssl(folder, "req", "-x509", *key, *files, "-subj", f"/CN={name}", "-days", "2")


def certificate(folder: Path, name: str, dates: tuple[str, str]) -> None:
    """A certificate that the authority `ca` signed. `openssl ca` alone can date one back."""
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    openssl(folder, "req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", "/CN=x")
    Path(folder, "index").touch()
    Path(folder, "ca.conf").write_text(
        "[ca]\ndefault_ca=d\n[d]\ndatabase=index\nrand_serial=yes\nnew_certs_dir=.\n"
        "default_md=sha256\npolicy=p\nunique_subject=no\n[p]\ncommonName=supplied\n"
        "[v]\nsubjectAltName=IP:127.0.0.1\n"
    )
    signed_by = ("-config", "ca.conf", "-cert", "ca.crt", "-keyfile", "ca.key", "-extensions", "v")
    files = ("-in", f"{name}.csr", "-out", f"{name}.crt")
    openssl(
        folder, "ca", "-batch", *signed_by, *files, "-startdate", dates[0], "-enddate", dates[1]
    )


@contextmanager
def server(folder: Path, name: str) -> Iterator[str]:
    """Run a server with certificate `name`; yields its URL, which trusts the authority."""
    port = free_port()
    arguments = ["--port", "0", "--tls-port", str(port), "--tls-auth-clients", "no"]
    arguments += ["--tls-cert-file", str(folder / f"{name}.crt")]
    arguments += ["--tls-key-file", str(folder / f"{name}.key")]
    arguments += ["--tls-ca-cert-file", str(folder / "ca.crt"), "--requirepass", PASSWORD]
    url = f"rediss://:{PASSWORD}@127.0.0.1:{port}"
    with node(folder / name, f"{url}?ssl_cert_reqs=none", *arguments):
        yield f"{url}?ssl_ca_certs={folder}/ca.crt"


@contextmanager
def tls_cluster(folder: Path) -> Iterator[str]:
    """Run a Cluster with the valid certificate; yields its URL."""
    options = ["--tls-cluster", "yes", "--tls-replication", "yes", "--tls-auth-clients", "no"]
    options += ["--tls-cert-file", str(folder / "valid.crt")]
    options += ["--tls-key-file", str(folder / "valid.key")]
    options += ["--tls-ca-cert-file", str(folder / "ca.crt")]
    with cluster("redis-server", options=options, tls=True) as found:
        yield f"rediss+cluster://127.0.0.1:{found.ports[0]}?ssl_ca_certs={folder}/ca.crt"


def asked(url: str) -> str:
    lookup = RelatedItems(url, "acme", deadline_s=5.0)
    answer = lookup.get("item-0", n=3)
    lookup.close()
    return answer.status


def test_lists_are_published_and_looked_up_over_tls(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with server(folder, "valid") as url, caplog.at_level(logging.DEBUG):
        with open_store(url) as store:
            lists = [builds.related_lists(9)]
            publisher = Publisher(store, "acme", grace_s=0.0)
            publisher.publish(builds.item_ids(9), lists, lists_key="l", recipe_digest="d")
        builds.assert_live(url, "acme", 9, generation=1, build=1)
        for untrusted in (url.replace("/ca.crt", "/other.crt"), url.partition("?")[0]):
            assert asked(untrusted) == "degraded"
            with pytest.raises(StoreUnavailable, match="certificate") as failure:
                open_store(untrusted)
            assert PASSWORD not in str(failure.value)
        assert asked(url.partition("?")[0].replace("rediss://", "redis://")) == "degraded"
    assert PASSWORD not in caplog.text


@pytest.mark.fault(57, "S14")
def test_an_expired_certificate_leaves_the_page_without_lists_but_up(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with server(folder, "expired") as url, caplog.at_level(logging.DEBUG):
        assert asked(url) == "degraded"
        with pytest.raises(StoreUnavailable, match="expired") as failure:
            open_store(url)
    assert PASSWORD not in str(failure.value)
    assert PASSWORD not in caplog.text


def test_a_cluster_speaks_tls_with_every_node(folder: Path) -> None:
    with tls_cluster(folder) as url:
        with open_store(url) as store:
            lists = [builds.related_lists(40)]
            publisher = Publisher(store, "acme", grace_s=0.0)
            publisher.publish(builds.item_ids(40), lists, lists_key="l", recipe_digest="d")
        with closing(RelatedItems(url, "acme", deadline_s=5.0, cache_items=0)) as lookup:
            lookup.get("nothing")
            for _ in range(20):
                answers = lookup.get_many(list(builds.item_ids(40)), n=3)
                assert {answer.status for answer in answers} == {"ok"}
            assert "read_failures" not in lookup.stats()

        async def ask() -> str:
            reader = AsyncRelatedItems(url, "acme", deadline_s=5.0)
            answer = await reader.get("item-7", n=3)
            await reader.aclose()
            return answer.status

        assert asyncio.run(ask()) == "ok"
        untrusted = url.replace("/ca.crt", "/other.crt")
        assert asked(untrusted) == "degraded"
        with pytest.raises(StoreUnavailable, match="certificate"):
            open_store(untrusted)
