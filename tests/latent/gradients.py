"""Derivatives by differences, for comparison with those of the tape."""

import numpy as np
from numpy.testing import assert_allclose

from latent.autodiff import Tensor

STEP = 1e-6


def numeric(f, values):
    """Gradient of f(dict of arrays), a number, by central differences in float64."""
    grads = {name: np.zeros_like(value) for name, value in values.items()}
    for name, value in values.items():
        for i in np.ndindex(value.shape):
            ends = []
            for step in (STEP, -STEP):
                moved = value.copy()
                moved[i] += step
                ends.append(f({**values, name: moved}))
            grads[name][i] = (ends[0] - ends[1]) / (2 * STEP)
    return grads


def assert_gradients(loss, values, tolerance=1e-6):
    """Check that loss(dict of Tensors), a Tensor of one number, has the gradient of differences."""
    p = {name: Tensor(value) for name, value in values.items()}
    loss(p).backward()
    expected = numeric(lambda v: float(loss({k: Tensor(a) for k, a in v.items()})), values)
    for name, tensor in p.items():
        found = np.zeros_like(tensor.data) if tensor.grad is None else tensor.grad
        assert found.shape == tensor.shape, name
        assert_allclose(found, expected[name], rtol=tolerance, atol=tolerance, err_msg=name)
