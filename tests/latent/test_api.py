import inspect

import pytest

import latent

CALLABLES = {
    f"{owner.__name__}.{name}": member
    for owner in (latent, latent.data, latent.sign_switching)
    for name, member in vars(owner).items()
    if inspect.isfunction(member) and member.__module__.startswith("latent") and name[0] != "_"
}
EMISSIONS = (latent.Categorical, latent.Gaussian, latent.Poisson)
METHODS = {
    f"{model.__name__}.{name}": getattr(model, name)
    for model in (*EMISSIONS, latent.HMM, latent.GMM, latent.PPCA)
    for name in vars(model)
    if name[0] != "_" and callable(getattr(model, name))
}


def test_every_public_name_is_there_and_no_other():
    assert set(latent.__all__) <= set(dir(latent))
    public = {
        name
        for name, value in vars(latent).items()
        if name[0] != "_" and not (inspect.ismodule(value) and name not in latent.__all__)
    }
    assert public == set(latent.__all__)


@pytest.mark.parametrize("name", [*CALLABLES, *METHODS])
def test_every_function_says_what_it_takes_and_gives(name):
    function = (CALLABLES | METHODS)[name]
    doc = inspect.getdoc(function)
    names = [p for p in inspect.signature(function).parameters if p not in ("self", "cls")]
    assert "Returns\n-------" in doc
    for parameter in names:
        assert parameter in doc.split("Returns\n")[0].split("Parameters\n")[1]
    if names:
        assert "Raises\n------" in doc


@pytest.mark.parametrize("name", [*CALLABLES, *METHODS])
def test_every_signature_has_types(name):
    signature = inspect.signature((CALLABLES | METHODS)[name])
    assert signature.return_annotation is not inspect.Signature.empty
    for parameter in signature.parameters.values():
        assert parameter.name in ("self", "cls") or parameter.annotation is not parameter.empty
