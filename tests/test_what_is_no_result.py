"""Whatever acts on a result says so when it is given something else: a law over all public functions."""

import inspect

import pytest

import gengap as gg

ACTING = {
    name: value
    for name in dir(gg)
    if inspect.isfunction(value := getattr(gg, name))
    and next(iter(inspect.signature(value).parameters), "") == "result"
}


@pytest.mark.parametrize("name", ACTING)
@pytest.mark.parametrize("given", [None, 3, "folder"])
def test_what_is_no_result_is_refused(name, given):
    wanted = [
        one for one in inspect.signature(ACTING[name]).parameters.values() if one.default is inspect.Parameter.empty
    ]
    with pytest.raises(TypeError, match=f"`{name}` acts on a Result"):
        ACTING[name](**{one.name: given if one.name == "result" else "anything" for one in wanted})


def test_the_law_is_about_something():
    assert {"compare", "recommend", "gate", "ensembles", "ship", "report"} <= set(ACTING)
