"""The ellipse is the Gaussian's, and the graph is the one that was asked for."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.transforms import Affine2D

from explorable import colour, ellipse, graph


@pytest.fixture
def ax():
    """Empty axes."""
    fig, ax = plt.subplots()
    yield ax
    plt.close(fig)


@pytest.mark.parametrize("covariance", [np.eye(2), [[2, 0.9], [0.9, 0.5]], [[1, -0.3], [-0.3, 4]]])
@pytest.mark.parametrize("n_sd", [1, 2])
def test_every_point_of_the_ellipse_is_n_standard_deviations_away(ax, covariance, n_sd):
    mean = np.array([3.0, -1.0])
    patch = ellipse(ax, mean, covariance, colour=colour(0), n_sd=n_sd)
    finer = patch.get_patch_transform() + Affine2D().scale(1000)  # curves become short segments
    points = patch.get_path().to_polygons(transform=finer)[0] / 1000 - mean
    distance = np.sqrt(np.einsum("ni,ij,nj->n", points, np.linalg.inv(covariance), points))
    assert len(points) > 50
    np.testing.assert_allclose(distance, n_sd, rtol=2e-3)


def test_the_label_stands_on_top_of_the_ellipse(ax):
    ellipse(ax, (1, 2), [[1, 0.5], [0.5, 4]], colour=colour(0), label="two sd")
    (label,) = ax.texts
    assert label.get_text() == "two sd"
    np.testing.assert_allclose(label.xy, (1 + 2 * 0.5 / 2, 2 + 2 * 2))


@pytest.mark.parametrize(
    ("mean", "covariance", "message"),
    [
        ((0, 0, 0), np.eye(2), r"mean must have shape \(2,\), got \(3,\)"),
        ((0, 0), np.eye(3), "covariance must be a symmetric"),
        ((0, 0), [[1, 0.5], [0, 1]], "covariance must be a symmetric"),
        ((0, 0), [[1, 2], [2, 1]], "no negative eigenvalue"),
    ],
)
def test_what_is_no_gaussian_has_no_ellipse(ax, mean, covariance, message):
    with pytest.raises(ValueError, match=message):
        ellipse(ax, mean, covariance, colour=colour(0))


def test_a_graph_has_its_nodes_as_math_text_and_an_arrow_an_edge(ax):
    nodes = {"q": (0, 1), "S_1": (1, 1), r"\mathbf{x}_1": (1, 0)}
    graph(ax, nodes, [("q", "S_1"), ("S_1", r"\mathbf{x}_1")], fixed=["q"])
    texts = [t.get_text() for t in ax.texts]
    assert texts.count("") == 2  # an arrow is an annotation without text
    assert {"$q$", "$S_1$", r"$\mathbf{x}_1$"} <= set(texts)


@pytest.mark.parametrize("argument", ["edges", "observed", "fixed"])
def test_a_name_that_is_no_node_is_refused(ax, argument):
    names = {"edges": [], "observed": [], "fixed": []}
    names[argument] = [("a", "b")] if argument == "edges" else ["b"]
    with pytest.raises(ValueError, match=rf"graph: {argument} names \['b'\]"):
        graph(ax, {"a": (0, 0)}, **names)
