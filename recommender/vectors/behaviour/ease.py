"""EASE: a linear model that predicts each item of a unit from the others."""

import numpy as np
import scipy.linalg
import scipy.sparse as sp

from recommender.core.arrays import FloatMatrix

REGULARISATION = 500.0


def ease_weights(seen: sp.csr_array, regularisation: float = REGULARISATION) -> FloatMatrix:
    """How much each item says of each other one (n, n), for units by items (u, n) of ones.

    The diagonal is 0, and so are the rows and columns of items without a unit. It inverts a matrix
    of the n items that have units.

    Source: Steck 2019, "Embarrassingly shallow autoencoders for sparse data".
    """
    n_items = seen.shape[1]
    known = np.flatnonzero(np.bincount(seen.indices, minlength=n_items))
    weights = np.zeros((n_items, n_items), dtype=np.float32)
    if not len(known):
        return weights
    held = seen[:, known].astype(np.float32)
    gram = (held.T @ held).toarray(order="F")
    gram[np.diag_indices(len(known))] += regularisation
    upper, _ = scipy.linalg.lapack.spotrf(gram, overwrite_a=True)
    inverse, _ = scipy.linalg.lapack.spotri(upper, overwrite_c=True)
    inverse = np.triu(inverse) + np.triu(inverse, 1).T
    inverse /= -np.diag(inverse).copy()
    np.fill_diagonal(inverse, 0)
    weights[np.ix_(known, known)] = inverse
    return weights
