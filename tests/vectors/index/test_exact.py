"""The kernels that FAISS multiplies with."""

import os
import subprocess
import sys

import pytest

from recommender.core.cpu import openblas_core

TOLD = (
    "import os\n"
    "from recommender.vectors.index.exact import VARIABLE, faiss_module\n"
    "before = os.environ.get(VARIABLE)\n"
    "faiss_module()\n"
    "assert os.environ.get(VARIABLE) == before\n"
    "from threadpoolctl import threadpool_info\n"
    "pools = [p for p in threadpool_info() if p['internal_api'] == 'openblas']\n"
    "print([p['architecture'] for p in pools if 'faiss' in p['filepath']])\n"
)


@pytest.mark.skipif(openblas_core() is None, reason="OpenBLAS knows this processor best")
@pytest.mark.parametrize("chosen", [None, "Haswell"])
def test_they_fit_the_processor_unless_the_shop_chose_some(chosen: str | None) -> None:
    environment = {name: value for name, value in os.environ.items() if "OPENBLAS" not in name}
    if chosen:
        environment["OPENBLAS_CORETYPE"] = chosen
    told = subprocess.run(
        [sys.executable, "-c", TOLD], env=environment, capture_output=True, text=True, check=False
    )
    assert told.stdout.strip() in {f"[{chosen or openblas_core()!r}]", "[]"}, told.stderr
