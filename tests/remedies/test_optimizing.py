"""What lives in the optimizer, the loss and around activations: checked against arithmetic done by hand."""

import keras
import numpy as np
import pytest

import gengap.remedies as gr
from gengap.errors import RemedyError, UnknownNameError
from gengap.keras_models.clone import excluded_from_decay
from gengap.study import Study

layers = keras.layers
REGRESSION = np.ones((8, 3), "float32"), np.ones((8, 1), "float32")


def net(optimizer, loss="mse"):
    keras.utils.set_random_seed(4)
    model = keras.Sequential([keras.Input((3,)), layers.Dense(4, activation="tanh"), layers.Dense(1)])
    model.compile(optimizer, loss)
    return model


def trained(model, *, epochs=3):
    model.fit(*REGRESSION, epochs=epochs, shuffle=False, batch_size=4, verbose=0)
    return np.concatenate([w.ravel() for w in model.get_weights()])


@pytest.mark.parametrize(("optimizer", "same"), [("sgd", True), ("adam", False), ("rmsprop", False)])
def test_decay_and_penalty_are_the_same_under_sgd_only(optimizer, same):
    """The tutorials say that they are the same; the penalty's gradient is 2 * strength * w, and Adam rescales it."""
    decay = trained(gr.WeightDecay(0.2)(net(optimizer)))
    penalty = trained(gr.L2(0.1, on="kernels")(net(optimizer)))
    difference = np.abs(decay - penalty).max()
    assert (difference < 1e-6) == same


def test_biases_and_scales_do_not_decay():
    model = net(keras.optimizers.SGD(0.0))
    treated = (gr.WeightDecay(0.1) + gr.BatchNorm())(model)
    names = {v.path.split("/", 1)[-1].rsplit("/", 1)[-1] for v in excluded_from_decay(treated)}
    assert names == {"bias", "gamma", "beta"}
    assert len(excluded_from_decay(gr.WeightDecay(0.1, on="hidden")(model))) == 3


def test_the_penalty_is_inside_the_losses_of_training_and_validation():
    """The tutorial says it is added in training only."""
    plain, penalized = net("sgd"), gr.L2(0.1)(net("sgd"))
    kernel = np.array(penalized.layers[0].kernel)
    difference = penalized.evaluate(*REGRESSION, verbose=0) - plain.evaluate(*REGRESSION, verbose=0)
    assert difference == pytest.approx(0.1 * (kernel**2).sum(), rel=1e-5)


def test_label_smoothing_of_integers_equals_that_of_one_hot():
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((3,)), layers.Dense(4, activation="softmax")])
    x, codes = np.random.default_rng(0).normal(size=(6, 3)), np.array([0, 1, 2, 3, 1, 0])
    model.compile("sgd", "sparse_categorical_crossentropy")
    ours = gr.LabelSmoothing(0.2)(model).evaluate(x, codes, verbose=0)
    model.compile("sgd", keras.losses.CategoricalCrossentropy(label_smoothing=0.2))
    assert ours == pytest.approx(model.evaluate(x, np.eye(4)[codes], verbose=0), rel=1e-6)


def test_label_smoothing_keeps_what_the_loss_was_told():
    model = net("sgd", keras.losses.BinaryCrossentropy(from_logits=True, name="bce"))
    config = gr.LabelSmoothing(0.1)(model).loss.get_config()
    assert (config["from_logits"], config["label_smoothing"], config["name"]) == (True, 0.1, "bce")


def test_labels_that_are_not_there_cannot_be_smoothed():
    with pytest.raises(RemedyError, match="cross-entropy"):
        gr.LabelSmoothing(0.1)(net("sgd"))


def test_a_ceiling_holds_for_every_unit():
    model = gr.MaxNorm(0.3)(net(keras.optimizers.SGD(0.5)))
    trained(model)
    assert (np.linalg.norm(model.layers[0].kernel, axis=0) <= 0.3 + 1e-6).all()
    assert np.linalg.norm(model.layers[1].kernel) > 0.3


def test_a_ceiling_on_maps_runs_over_all_that_enters_them(storm_net):
    treated = gr.MaxNorm(1.0)(storm_net())
    assert treated.layers[1].kernel_constraint.axis == [0, 1, 2]


def test_an_average_takes_the_place_of_the_weights():
    treated = gr.EMA(0.5)(net("sgd"))
    assert (treated.optimizer.use_ema, treated.optimizer.ema_momentum) == (True, 0.5)
    assert not np.allclose(trained(treated), trained(net("sgd")))


def test_batch_normalization_stands_between_layer_and_activation(storm_net):
    treated = gr.BatchNorm()(net("sgd"))
    assert [type(layer).__name__ for layer in treated.layers[:3]] == ["Dense", "BatchNormalization", "Activation"]
    assert treated.layers[0].activation is keras.activations.linear
    kinds = [type(layer).__name__ for layer in (gr.BatchNorm() + gr.Dropout(0.5))(storm_net()).layers][1:6]
    assert kinds == ["Conv2D", "BatchNormalization", "Activation", "Dropout", "AveragePooling2D"]


def test_depth_repeats_and_removes_hidden_blocks(review_net, storm_net):
    assert [layer.units for layer in gr.Depth(2)(review_net()).layers] == [16, 16, 16, 16, 1]
    assert [layer.units for layer in gr.Depth(-1)(review_net()).layers] == [16, 1]
    deeper = gr.Depth(1)(storm_net(rate=0.2))
    assert [type(layer).__name__ for layer in deeper.layers].count("SpatialDropout2D") == 4
    with pytest.raises(RemedyError, match="2 hidden layers"):
        gr.Depth(-3)(review_net())


def test_augmentation_comes_after_the_input_and_keeps_its_shape(storm_net):
    treated = gr.Augment(layers.RandomFlip("horizontal"))(storm_net())
    assert type(treated.layers[1]).__name__ == "RandomFlip"
    x = np.arange(32 * 32 * 3, dtype="float32").reshape(1, 32, 32, 3)
    np.testing.assert_array_equal(treated.predict(x, verbose=0), treated.predict(x, verbose=0))
    with pytest.raises(RemedyError, match="keep the shape"):
        gr.Augment(layers.RandomCrop(8, 8))(storm_net())
    with pytest.raises(UnknownNameError, match="input_layer"):
        gr.Augment(layers.RandomFlip(), on="image")(storm_net())
    with pytest.raises(TypeError, match="Keras layer"):
        gr.Augment(0.5)


def test_an_augmentation_has_a_name_that_reads_back():
    remedy = gr.Augment(layers.RandomFlip("horizontal"))
    assert str(remedy) == "augment(RandomFlip(mode=horizontal))"
    assert gr.remedy(str(remedy)) == remedy
    with pytest.raises(UnknownNameError, match=r"keras\.layers"):
        gr.remedy("augment(Nonsense())")


def test_dropout_never_follows_an_output():
    start = keras.Input((3,))
    feature = layers.Dense(4, activation="relu", name="feature")(start)
    model = keras.Model(start, [layers.Dense(1)(layers.Dense(4, activation="relu")(feature)), feature])
    model.compile("sgd", ["mse", "mse"])
    explanation = gr.Dropout(0.5).explain(model)
    assert [change.layer for change in explanation.changes if change.reason] == ["feature"]
    assert gr.Dropout(0.5)(model).output_names == model.output_names


def test_a_residual_sum_is_widened_as_one():
    start = keras.Input((3,))
    x = layers.Dense(8, activation="relu")(start)
    x = layers.Add()([x, layers.Dense(8)(x)])
    model = keras.Model(start, layers.Dense(1)(x))
    model.compile("sgd", "mse")
    assert [layer.units for layer in gr.Width(2)(model).layers if isinstance(layer, layers.Dense)] == [16, 16, 1]
    with pytest.raises(RemedyError, match="its output meets that of"):
        gr.Width(2, on=model.layers[1].name)(model)


def test_a_sum_with_the_input_fixes_the_width():
    start = keras.Input((3,))
    model = keras.Model(start, layers.Dense(1)(layers.Add()([start, layers.Dense(3)(start)])))
    model.compile("sgd", "mse")
    with pytest.raises(RemedyError, match="fixes their number"):
        gr.Width(2)(model)


def test_a_learning_rate_is_the_optimizers_own_times_a_factor():
    model = net(keras.optimizers.Adam(0.1, beta_1=0.8))
    treated = gr.LearningRate(0.2)(model)
    np.testing.assert_allclose(trained(treated), trained(net(keras.optimizers.Adam(0.02, beta_1=0.8))), rtol=1e-6)
    assert float(model.optimizer.learning_rate) == pytest.approx(0.1)


@pytest.mark.parametrize("engine", ["keras", "fused"])
def test_a_study_scores_the_average(engine):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 3)).astype("float32"), rng.normal(size=40).astype("float32")
    study = Study(net("adam"), remedies=[gr.EMA(0.9)], seeds=1, engine=engine)
    score = study.run(x[:20], y[:20], validation_data=(x[20:], y[20:]), epochs=2, batch_size=5).history["val_score"]
    plain, averaged = score.to_numpy()[:, 0, -1]
    assert abs(plain - averaged) > 1e-3
