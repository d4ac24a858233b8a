"""Types of arrays with their shapes: `Float[np.ndarray, "T N"]` is floats, T rows of N.

They are jaxtyping's. It checks them while the tests run, and then it was imported before this
module. Everybody else reads them only, and importing `latent` should not take longer for it: there
each of them is what stands in front, `np.ndarray`.
"""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING or "jaxtyping" in sys.modules:
    from jaxtyping import Bool, Float, Int, Real
else:

    class Real:
        """An array of real numbers; its shape is for the reader."""

        def __class_getitem__(cls, array_and_shape: tuple) -> type:
            """Return the type of the array."""
            return array_and_shape[0]

    Bool = Float = Int = Real

__all__ = ["Bool", "Float", "Int", "Real"]
