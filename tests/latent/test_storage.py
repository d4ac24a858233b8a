from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from latent import GMM, load, save
from latent.storage import read_arrays, write_arrays


@dataclass(frozen=True)
class Net:
    parameters: dict
    heads: int
    scale: float
    name: str
    derived: float = field(init=False)

    def __post_init__(self):
        object.__setattr__(self, "derived", self.heads * self.scale)


NET = Net(
    {"a.weight": np.ones((2, 3), np.float32), "b": np.arange(3.0)},
    4,
    0.5,
    "small",
)


def test_a_model_comes_back_as_it_was(tmp_path):
    save(tmp_path / "net.npz", NET)
    back = load(tmp_path / "net.npz", Net)
    assert (back.heads, back.scale, back.name, back.derived) == (4, 0.5, "small", 2.0)
    assert back.parameters.keys() == NET.parameters.keys()
    for name, value in NET.parameters.items():
        assert_array_equal(back.parameters[name], value)
        assert back.parameters[name].dtype == value.dtype


def test_models_of_the_first_lectures_are_saved_too(tmp_path):
    model = GMM(np.array([0.5, 0.5]), np.zeros((2, 1)), np.ones((2, 1, 1)))
    save(tmp_path / "gmm.npz", model)
    back = load(tmp_path / "gmm.npz", GMM)
    assert_array_equal(back.covariances, model.covariances)


def test_nothing_in_the_file_is_pickled(tmp_path):
    save(tmp_path / "net.npz", NET)
    with np.load(tmp_path / "net.npz", allow_pickle=False) as file:
        assert all(not file[name].dtype.hasobject for name in file.files)


def test_saving_replaces_what_was_there(tmp_path):
    path = tmp_path / "net.npz"
    path.write_text("old")
    save(path, NET)
    assert load(str(path), Net).heads == 4
    assert list(tmp_path.iterdir()) == [path]


@dataclass(frozen=True)
class Other:
    heads: int


@dataclass(frozen=True)
class Odd:
    value: object


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (3, "model must be a dataclass, got int"),
        (Net, "model must be a dataclass, got type"),
        (Odd({1, 2}), "field value must be an array, a number or text"),
        (Odd({"a": None}), "field value/a must be an array"),
    ],
)
def test_what_cannot_be_saved_is_refused_and_nothing_is_written(tmp_path, model, message):
    path = tmp_path / "net.npz"
    path.write_text("old")
    with pytest.raises(ValueError, match=message):
        save(path, model)
    assert path.read_text() == "old"


def test_a_file_of_another_kind_is_refused(tmp_path):
    save(tmp_path / "other.npz", Other(3))
    with pytest.raises(ValueError, match=r"must hold a Net, found Other"):
        load(tmp_path / "other.npz", Net)
    write_arrays(tmp_path / "plain.npz", {"heads": np.zeros(3)})
    with pytest.raises(ValueError, match=r"must hold a Other, found no model"):
        load(tmp_path / "plain.npz", Other)


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 and nothing more"])
def test_a_damaged_file_is_named(tmp_path, content):
    path = tmp_path / "net.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"net\.npz must be an \.npz file"):
        load(path, Net)


def test_pickles_are_not_read(tmp_path):
    np.savez(tmp_path / "bad.npz", kind=np.array([{"run": "me"}], object))
    with pytest.raises(ValueError, match=r"must be an \.npz file"):
        read_arrays(tmp_path / "bad.npz")


def test_a_file_that_is_not_there_is_not_found(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.npz", Net)
