"""The model of Keras' examples that a result gives back is the network that was trained."""

import numpy as np

from gengap.keras_models.outputs import describe_output, to_predictions


def test_what_was_stored(bench):
    result, example = bench.studied(), bench.example
    known = {name: example.study[name] for name in ("task", "from_logits") if name in example.study}
    for seed in (0, 1):
        model = result.model("baseline", seed=seed, epoch="last")
        for one, other in zip(model.get_weights(), result.weights["baseline", seed, "last"], strict=True):
            np.testing.assert_array_equal(one, other)
        if example.never_rests:
            continue
        raw = model.predict(bench.held_out[0], batch_size=16, verbose=0)
        forecast = to_predictions(raw, describe_output(model, example.study.get("output"), **known))
        stored = result.validation["prediction_last"].sel(variant="baseline", seed=seed).values
        np.testing.assert_allclose(forecast.reshape(stored.shape), stored, atol=2e-5, rtol=2e-5)
