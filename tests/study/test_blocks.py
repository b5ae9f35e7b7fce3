"""Seeds trained block after block give the study that is trained at once; a block that was ended leaves nothing."""

import keras
import numpy as np
import pytest

import gengap as gg
from gengap.datasets.folds import CrossValidation
from gengap.study.rounds import blocks_of


@pytest.fixture
def study():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, "relu"), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return gg.Study(model, remedies=["l2(0.1)"], seeds=[4, 7, 9], references=["linear"])


def cases(**more):
    x = np.random.default_rng(0).normal(size=(30, 3)).astype(np.float32)
    y = x[:, 0] + np.random.default_rng(1).normal(size=30).astype(np.float32)
    return {"x": x, "y": y, "epochs": 2, "batch_size": 8, "progress": False, **more}


@pytest.mark.parametrize("more", [{"validation_split": 0.4}, {"cv": CrossValidation(3, redraw=False)}])
def test_blocks_give_the_study_that_is_trained_at_once(study, more):
    blocks = blocks_of(study, cases(**more))
    assert blocks.train(1)
    assert not blocks.train(1, over=lambda: True)
    assert blocks.seeds == (4,)
    assert blocks.train(5, over=lambda: False)
    assert blocks.left == 0
    found, whole = blocks.result(), study.run(**cases(**more))
    assert found.variants == whole.variants == ("baseline", "l2(0.1)", "ridge regression")
    np.testing.assert_allclose(found.history["val_score"], whole.history["val_score"], rtol=1e-5)
    assert found.manifest["seeds"] == [4, 7, 9]
    chunks = found.manifest["plan"]["chunks"]
    assert len({one["id"] for one in chunks}) == len(chunks)
    assert len([key for one in chunks for key in one["runs"]]) == 6 * (3 if "cv" in more else 1)


def test_a_result_of_some_blocks_holds_their_seeds_alone(study):
    blocks = blocks_of(study, cases(validation_split=0.4))
    blocks.train(2)
    found = blocks.result()
    assert found.seeds == (4, 7)
    assert [found.manifest["seeds"], found.manifest["looks"][0]["seeds"]] == [[4, 7], 2]
    assert found.validation["prediction_best"].shape[:2] == (3, 2)
    assert np.isfinite(found.validation["prediction_best"]).all()
    assert found.model("l2(0.1)", seed=7).predict(np.zeros((1, 3)), verbose=0).shape == (1, 1)
