"""Where nothing was held out there is nothing to decide on: one sentence, before anything is computed."""

import pytest

from gengap.analysis import compare, gate, recommend
from gengap.errors import DataError
from gengap.results import Result

ASKED = {
    "compare": compare,
    "recommend": recommend,
    "gate": lambda result: gate(result, variant="l2", against="baseline", no_worse_than=0.1),
}


@pytest.mark.parametrize("asked", ASKED)
def test_training_curves_alone_decide_nothing(asked):
    curves = {name: [{"loss": [0.9, 0.5, at]} for at in (0.3, 0.2)] for name in ("baseline", "l2")}
    result = Result.from_histories(curves, task="binary")
    with pytest.raises(DataError, match="Nothing was held out"):
        ASKED[asked](result)
