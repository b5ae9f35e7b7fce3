"""`x` goes from `Study.run` to the first multiply through few files, and seldom comes back to the study's own room.

Run as a script it says which files these are: `PYTHONPATH=src python tests/study/test_way_of_the_data.py`.
"""

import dataclasses
import itertools
import sys
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
import pytest
import torch
from sklearn.preprocessing import FunctionTransformer
from torch.utils._python_dispatch import TorchDispatchMode

import gengap as gg

SOURCE = Path(gg.__file__).parent
MOST = {"plain": (10, 22), "cv": (11, 22), "preprocess": (12, 25), "cv and preprocess": (13, 25)}
"""By what a study is asked for: files by which `x` comes to the multiply, and with those that look at it besides."""
CLIMBS = 1
"""Returns to the study's room: it hands the data in, and what was made of them to the runner."""
X = np.random.default_rng(0).normal(size=(37, 5)).astype(np.float32)


def is_x(value) -> bool:
    """Tell whether something is the training inputs, whatever array or tensor they have become; each fold's own too."""
    if not isinstance(value, np.ndarray | torch.Tensor) or tuple(value.shape[1:]) != X.shape[1:]:
        return False
    if len(value) == 0 or len(value) % len(X):
        return False
    return str(value.device) == "cpu" and float(value[0, 0]) == X[0, 0]


def holds(value, depth=6) -> bool:
    """Tell whether something is, or as a plain collection or a frozen value contains, the training inputs."""
    if depth == 0 or is_x(value):
        return is_x(value)
    parts = ()
    if isinstance(value, tuple | list | Mapping) and len(value) < 50:
        parts = value.values() if isinstance(value, Mapping) else value
    elif is_ours(value) and dataclasses.is_dataclass(value):
        parts = [getattr(value, field.name, None) for field in dataclasses.fields(value)]
    return any(holds(part, depth - 1) for part in parts)


def is_ours(value) -> bool:
    return type(value).__module__.startswith("gengap.")


def keeps(value) -> bool:
    """Tell whether an object has taken the training inputs over."""
    return is_ours(value) and any(map(holds, getattr(value, "__dict__", {}).values()))


class Handed:
    """One call of a function of gengap's that was handed the training inputs."""

    def __init__(self, frame, caller):
        code, self.caller, self.inside = frame.f_code, caller, []
        self.file = str(Path(code.co_filename).relative_to(SOURCE))
        given = [frame.f_locals.get(name) for name in arguments(code)]
        self.empty = [one for one in given if is_ours(one) and not keeps(one)]
        self.returned, self.took, self.under_way = False, [], False

    def leads_on(self, reader) -> bool:
        """Tell whether what is read at the first multiply came this way."""
        return self.under_way or reader in map(id, self.took) or any(one.leads_on(reader) for one in self.inside)


def arguments(code) -> tuple[str, ...]:
    number = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & 4) + bool(code.co_flags & 8)
    return code.co_varnames[:number]


class Way(TorchDispatchMode):
    """Follows the training inputs from call to call, up to the first multiply."""

    def __init__(self):
        super().__init__()
        self.handed, self.reader, self._stack, self._over = [], None, [], False

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if not self._over and any(name in str(function) for name in ("mm.", "matmul")):
            self._over = True
            for call in filter(None, self._stack):
                call.under_way = True
        return function(*args, **(kwargs or {}))

    def __enter__(self):
        sys.setprofile(self._told)
        return super().__enter__()

    def __exit__(self, *exception):
        sys.setprofile(None)
        super().__exit__(*exception)

    def _told(self, frame, event, value):
        code = frame.f_code
        if self._over or event not in {"call", "return"} or not code.co_filename.startswith(str(SOURCE)):
            return
        sys.setprofile(None)
        try:
            if event == "call":
                self._called(frame, code)
            elif self._stack and (call := self._stack.pop()) is not None:
                call.returned = call.returned or holds(value)
                call.took = [one for one in call.empty if keeps(one)]
        finally:
            sys.setprofile(self._told)

    def _called(self, frame, code):
        given = [frame.f_locals.get(name) for name in arguments(code)]
        if keeps(frame.f_locals.get("self")):
            self.reader = frame.f_locals["self"]
        call = None
        if any(map(holds, given)) and not code.co_name.startswith("<"):
            caller = next((one for one in reversed(self._stack) if one is not None), None)
            call = Handed(frame, caller)
            self.handed.append(call)
            if caller is not None:
                caller.inside.append(call)
        self._stack.append(call)

    def line(self) -> list[Handed]:
        """Return the calls by which the inputs come to the first multiply; those that only look are left out."""
        found = []

        def walk(call):
            found.append(call)
            for one in call.inside:
                if one.returned or one.leads_on(id(self.reader)):
                    walk(one)

        walk(self.handed[0])
        return found


def climbs(files) -> list[str]:
    """Return where the study's room is handed the inputs again, after a room below it was."""
    found, low = [], False
    for before, file in itertools.pairwise(files):
        low = low or not before.startswith("study/")
        if low and file.startswith("study/"):
            found.append(f"{before} > {file}")
            low = False
    return found


@pytest.fixture(scope="module", params=MOST)
def way(request):
    return request.param, followed(request.param)


def followed(asked: str) -> Way:
    y = (X[:, 0] > 0).astype(np.float32)
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(1, "sigmoid")])
    model.compile("adam", "binary_crossentropy")
    study = gg.Study(model, remedies=[gg.Dropout(0.5)], seeds=2)
    splits = {"cv": 3} if "cv" in asked else {"validation_data": (X[:21] + 1, y[:21])}
    fitted = FunctionTransformer(np.copy) if "preprocess" in asked else None
    with Way() as found:
        study.run(X, y, **splits, preprocess=fitted, epochs=1, batch_size=16, progress=False)
    return found


def passed(calls) -> list[str]:
    return list(dict.fromkeys(one.file for one in calls))


def test_the_line_goes_from_the_declaration_to_what_reads_batches(way):
    _, found = way
    assert passed(found.line())[0] == "study/declaration.py"
    assert type(found.reader).__name__ == "Column"


def test_the_inputs_pass_few_files(way):
    asked, found = way
    assert len(passed(found.line())) <= MOST[asked][0], passed(found.line())


def test_few_other_files_look_at_the_inputs(way):
    asked, found = way
    assert len(passed(found.handed)) <= MOST[asked][1], passed(found.handed)


def test_the_inputs_seldom_come_back_to_the_study(way):
    _, found = way
    returns = climbs([one.file for one in found.handed])
    assert len(returns) <= CLIMBS, returns


def test_a_way_back_up_is_found():
    assert climbs(["study/a.py", "study/b.py", "engine/c.py"]) == []
    assert climbs(["study/a.py", "datasets/b.py", "datasets/c.py", "study/a.py"]) == ["datasets/c.py > study/a.py"]


if __name__ == "__main__":
    for asked in MOST:
        found = followed(asked)
        line, everything = passed(found.line()), passed(found.handed)
        print(f"{asked}: {len(line)} files on the line:", " > ".join(line))  # noqa: T201
        print(len(everything), "are handed it in all, besides:", sorted(set(everything) - set(line)))  # noqa: T201
        print("comes back to the study:", climbs([one.file for one in found.handed]))  # noqa: T201
