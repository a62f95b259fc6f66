"""FAISS with the fastest kernels that the processor has.

FAISS brings an OpenBLAS of its own, which picks kernels by the processor's model when it is loaded
and falls back to very old ones for a model that is newer than itself: all products of an exact
search then take four times as long. The variable that names the kernels is set for that moment,
unless the shop has set it.
"""

from __future__ import annotations

import os
import sys
from types import ModuleType

from recommender.core.cpu import openblas_core

VARIABLE = "OPENBLAS_CORETYPE"


def faiss_module() -> ModuleType:
    """The module faiss, loaded with the right kernels."""
    core = openblas_core()
    mended = "faiss" not in sys.modules and VARIABLE not in os.environ and core is not None
    if mended:
        os.environ[VARIABLE] = str(core)
    try:
        import faiss
    finally:
        if mended:
            del os.environ[VARIABLE]
    return faiss
