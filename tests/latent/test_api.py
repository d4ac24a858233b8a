import inspect
import subprocess
import sys
import types
from collections.abc import Callable
from typing import get_origin

import jaxtyping
import numpy as np
import pytest

import latent

MODULES = [
    latent.chain,
    latent.data,
    latent.fisher,
    latent.fused,
    latent.lagrange,
    latent.likelihoods,
    latent.perceptron,
    latent.schedules,
    latent.sign_switching,
    latent.transformer,
]
PROTOCOLS = (latent.Emission, latent.Optimiser)
CALLABLES = {
    f"{owner.__name__}.{name}": member
    for owner in (latent, *MODULES)
    for name, member in vars(owner).items()
    if inspect.isfunction(member) and member.__module__.startswith("latent") and name[0] != "_"
}
CLASSES = [m for owner in (latent, *MODULES) for m in vars(owner).values() if inspect.isclass(m)]
METHODS = {
    f"{model.__name__}.{name}": getattr(model, name)
    for model in CLASSES
    if model.__module__.startswith("latent") and model not in PROTOCOLS
    for name, member in vars(model).items()
    if name[0] != "_" and isinstance(member, (types.FunctionType, classmethod, staticmethod))
}


def test_every_public_name_is_there_and_no_other():
    assert set(latent.__all__) <= set(dir(latent))
    public = {
        name
        for name, value in vars(latent).items()
        if name[0] != "_" and not (inspect.ismodule(value) and name not in latent.__all__)
    }
    assert public == set(latent.__all__)


@pytest.mark.parametrize("name", sorted(CALLABLES | METHODS))
def test_every_function_says_what_it_takes_and_gives(name):
    function = (CALLABLES | METHODS)[name]
    doc = inspect.getdoc(function)
    names = [p for p in inspect.signature(function).parameters if p not in ("self", "cls")]
    if inspect.signature(function).return_annotation is not None:
        assert "Returns\n-------" in doc
    for parameter in names:
        before = doc.split("Returns\n")[0].split("Raises\n")[0]
        assert parameter in before.split("Parameters\n")[1]
    # a callable is taken on trust
    parameters = [inspect.signature(function).parameters[name] for name in names]
    if any(get_origin(p.annotation) is not Callable for p in parameters):
        assert "Raises\n------" in doc


@pytest.mark.parametrize("name", sorted(CALLABLES | METHODS))
def test_every_signature_has_types(name):
    signature = inspect.signature((CALLABLES | METHODS)[name])
    assert signature.return_annotation is not inspect.Signature.empty
    for parameter in signature.parameters.values():
        assert parameter.name in ("self", "cls") or parameter.annotation is not parameter.empty


def test_networks_are_imported_when_they_are_asked_for():
    code = """
import sys, latent
assert "latent.networks" not in sys.modules and "GPT" in dir(latent)
assert not hasattr(latent, "nothing") and "latent.networks" not in sys.modules
from latent import GPT, attention, fused
assert latent.train is sys.modules["latent.training"].train and latent.GPT is GPT
assert callable(attention) and latent.fused is fused
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_tests_check_shapes():
    with pytest.raises(jaxtyping.TypeCheckError):
        latent.stationary(np.zeros(3))


def test_users_pay_for_no_more_than_numpy_and_scipy():
    heavy = ("jaxtyping", "matplotlib", "scipy.stats", "scipy.optimize", "scipy.spatial", "sklearn")
    code = f"import sys, latent; print([m for m in {heavy} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"
