"""How much of a pretrained model learns: freezing, thawing, and remedies where only a head is trained."""

import keras
import numpy as np
import pytest
from keras import layers

import gengap as gg
from gengap.errors import RemedyError, StudyChangedError, UnknownNameError

RNG = np.random.default_rng(3)
X = RNG.normal(size=(24, 8, 8, 2)).astype("float32")
Y = (X.mean((1, 2, 3)) > 0).astype("float32")


def transfer(*head: layers.Layer, frozen: bool = True, optimizer: object = "adam") -> keras.Model:
    body = [layers.Conv2D(4, 3, activation="relu", name="block1_conv"), layers.BatchNormalization(name="block1_bn"),
            layers.Dropout(0.2, name="block1_drop"), layers.Conv2D(4, 3, activation="relu", name="block2_conv"),
            layers.GlobalAveragePooling2D(name="pool")]  # fmt: skip
    backbone = keras.Sequential([keras.Input((8, 8, 2)), *body], name="backbone")
    backbone.trainable = not frozen
    model = keras.Sequential([keras.Input((8, 8, 2)), backbone, *head, layers.Dense(1, "sigmoid", name="head")])
    model.compile(optimizer, "binary_crossentropy")
    return model


def trained(model: keras.Model) -> list[str]:
    return [weight.path.split("/", 1)[-1] for weight in model.trainable_weights]


def test_freezing_up_to_a_layer_trains_what_follows_and_silences_the_noise_before():
    model = transfer(frozen=False)
    part = gg.Freeze("block2_conv")(transfer(layers.Dense(3, name="middle"), frozen=False))
    assert [w for w in trained(part) if "block" in w] == []
    assert len(trained(part)) == 4
    assert part.get_layer("backbone").get_layer("block1_drop").rate == 0
    assert model.get_layer("backbone").get_layer("block1_drop").rate == 0.2
    assert gg.Freeze("block2_conv", noise="keep")(model).get_layer("backbone").get_layer("block1_drop").rate == 0.2
    whole, hidden = gg.Freeze("backbone")(model), gg.Freeze()(model)
    assert len(trained(whole)) == len(trained(hidden)) == 2
    assert all("head" in weight for weight in trained(whole))


def test_a_dropout_in_front_of_what_learns_is_no_part_of_what_is_frozen():
    model = transfer(layers.Dropout(0.3, name="own"), frozen=False)
    for upto in ("hidden", "backbone", "block2_conv"):
        frozen = gg.Freeze(upto)(model)
        assert frozen.get_layer("own").rate == 0.3
        assert frozen.get_layer("backbone").get_layer("block1_drop").rate == 0
    half = gg.Freeze("block1_drop")(model)
    assert half.get_layer("backbone").get_layer("block1_drop").rate == 0.2
    plan = gg.Study(model, remedies=[gg.Freeze()], seeds=1).plan(X, Y, epochs=1)
    assert "freeze(hidden): 5 steps" in " ".join(plan.notes)


def test_thawing_from_a_layer_trains_it_and_what_follows_and_no_normalization():
    model = transfer()
    assert len(trained(gg.Thaw("block2_conv")(model))) == 4
    everything = gg.Thaw()(model)
    assert len(trained(everything)) == 6
    assert not everything.get_layer("backbone").get_layer("block1_bn").trainable
    assert len(trained(gg.Thaw(normalizations=True)(model))) == 8
    before = model.get_weights()
    part = gg.Thaw("block2_conv")(model)
    part.fit(X, Y, epochs=1, verbose=0)
    moved = [not np.array_equal(a, b) for a, b in zip(before, part.get_weights(), strict=True)]
    assert moved == [False] * 6 + [True] * 4


def test_what_cannot_be_frozen_or_thawed_is_said():
    with pytest.raises(RemedyError, match=r"leaves nothing of model 'sequential.*' to train"):
        gg.Freeze("head")(transfer())
    with pytest.raises(RemedyError, match="finds nothing frozen that it could thaw"):
        gg.Thaw()(transfer(frozen=False))
    with pytest.raises(UnknownNameError, match="Models inside it: backbone"):
        gg.Thaw("block9")(transfer())
    with pytest.raises(ValueError, match="`noise` must be one of"):
        gg.Freeze("pool", noise="on")
    assert float(gg.LearningRate(0.1)(transfer()).optimizer.learning_rate) == pytest.approx(1e-4)


@pytest.mark.parametrize("wrong", [3, None, [], (), ("head", 1.5)])
def test_layers_that_are_chosen_by_something_else_than_names_are_asked_for(wrong):
    for remedy in (gg.Freeze(wrong), gg.Dropout(0.5, on=wrong)):
        with pytest.raises(TypeError, match="by name, path, pattern or class"):
            remedy(transfer(frozen=False))


def test_a_model_inside_is_named_beside_others():
    model = transfer(layers.Dense(3, name="middle"), frozen=False)
    inside = next(layer.name for layer in model.layers if isinstance(layer, keras.Model))
    for names in ((inside, "middle"), ["middle", inside]):
        assert trained(gg.Freeze(names)(model)) == trained(gg.Freeze("middle")(model))
    assert gg.Thaw((inside,))(transfer()).trainable_weights


def test_dropout_of_a_model_that_trains_its_head_alone_acts_on_the_features():
    treated = gg.Dropout(0.5)(transfer())
    assert [type(layer).__name__ for layer in treated.layers] == ["Sequential", "Dropout", "Dense"]
    assert treated.layers[1].rate == 0.5
    standing = transfer(layers.Dropout(0.1, name="own"))
    assert [layer.rate for layer in gg.Dropout(0.5)(standing).layers if isinstance(layer, layers.Dropout)] == [0.5]
    assert [layer.rate for layer in gg.Dropout(0)(standing).layers if isinstance(layer, layers.Dropout)] == [0.1]
    replaced = gg.Dropout(0.5, existing="replace")(standing)
    assert [layer.name for layer in replaced.layers] == ["backbone", "head_dropout", "head"]
    start = keras.Input((8, 8, 2))
    features = transfer().layers[0](start)
    outputs = [layers.Dense(1, name=name)(features) for name in ("a", "b")]
    heads = keras.Model(start, outputs)
    heads.compile("adam", ["mse", "mse"])
    assert sum(isinstance(layer, layers.Dropout) for layer in gg.Dropout(0.5)(heads).layers) == 1


def test_penalties_of_a_model_that_trains_its_head_alone_act_on_its_kernel_and_width_says_what_it_needs():
    model = transfer()
    for penalty in (gg.L2(0.01), gg.L1(0.01), gg.MaxNorm(2.0), gg.WeightDecay(0.01)):
        assert "head" in str(penalty.explain(model).changes[0].layer)
    assert gg.L2(0.01)(model).layers[-1].kernel_regularizer is not None
    with pytest.raises(RemedyError, match=r"only its head is trained, head\. Give the head a hidden layer") as error:
        gg.Width(0.5)(model)
    assert len(str(error.value)) < 300


def test_a_message_lists_eight_names_at_most():
    deep = keras.Sequential([keras.Input((4,)), *[layers.Dense(4, name=f"block{n}_dense") for n in range(30)]])
    deep.compile("adam", "mse")
    with pytest.raises(UnknownNameError, match=r"block12_dense.*30 layers in all; a pattern") as error:
        gg.L2(0.1, on="block12_dens")(deep)
    assert str(error.value).count("_dense") == 8


def test_a_frozen_backbone_is_computed_once_when_its_noise_is_off():
    model = transfer()
    study = gg.Study(model, remedies=[gg.Freeze("backbone"), gg.Freeze("backbone") + gg.Dropout(0.5)], seeds=1)
    plan = study.plan(X, Y, epochs=1)
    told = " ".join(plan.notes)
    assert "baseline: 2 steps" in told
    assert "'block1_drop' draws random numbers in training" in told
    assert "freeze(backbone), freeze(backbone)+dropout(0.5): 5 steps" in told


def learned_backbone(**head: object) -> keras.Model:
    model = transfer(frozen=False, **head)
    backbone = model.get_layer("backbone")
    for layer in backbone.layers:
        layer.set_weights([weight + 0.05 for weight in layer.get_weights()])
    return model


def start(study: gg.Study, variant: str) -> list[np.ndarray]:
    """The weights that two seeds of a variant end with at a learning rate of 0."""
    result = study.run(X, Y, epochs=1, progress=False)
    return [result.model(variant, seed=seed, epoch="last").get_weights() for seed in (0, 1)]


def test_layers_that_were_trained_before_keep_their_weights_beside_a_new_head():
    model = learned_backbone(optimizer=keras.optimizers.SGD(0.0))
    first, second = start(gg.Study(model, seeds=2), "baseline")
    own = model.get_weights()
    assert np.array_equal(first[0], own[0])
    assert np.array_equal(first[0], second[0])
    assert not np.array_equal(first[-2], second[-2])
    first, second = start(gg.Study(model, seeds=2, initial_weights="fresh"), "baseline")
    assert not np.array_equal(first[0], own[0])
    plan = gg.Study(model, seeds=2).plan(X, Y, epochs=1)
    assert "initial weights of baseline: block1_conv, block1_bn, block2_conv (3 layers) start from" in plan.notes[0]


def test_a_model_that_was_fitted_as_a_whole_is_drawn_anew_and_so_are_its_remedies():
    model = learned_backbone()
    model.layers[-1].set_weights([weight + 0.1 for weight in model.layers[-1].get_weights()])
    study = gg.Study(model, remedies=[gg.Width(0.5)])
    assert all(variant.kept == () for variant in study.variants)
    both = gg.Study({"fitted": model, "more": gg.Dropout(0.5)(learned_backbone())})
    assert all(variant.kept == () for variant in both.variants)


def test_what_a_remedy_thaws_starts_from_the_weights_that_it_has():
    model = transfer(optimizer=keras.optimizers.SGD(0.0))
    study = gg.Study(model, remedies=[gg.Thaw("block2_conv"), gg.Thaw() + gg.Width(0.5)], seeds=2)
    first, second = start(study, "thaw(block2_conv)")
    assert all(np.array_equal(a, b) for a, b in zip(first[:8], model.get_weights()[:8], strict=True))
    assert not np.array_equal(first[-2], second[-2])
    assert study.variants[2].kept == ()  # of another width, nothing could be carried over


def test_a_store_notices_other_pretrained_weights(tmp_path):
    model = transfer()
    gg.Study(model, seeds=1, storage=tmp_path / "s").run(X, Y, epochs=1, progress=False)
    again = gg.Study(gg.clone_compiled(model), seeds=2, storage=tmp_path / "s").run(X, Y, epochs=1, progress=False)
    assert again.seeds == (0, 1)
    kernel = model.get_layer("backbone").get_layer("block1_conv").kernel
    kernel.assign(kernel * 1.01)
    with pytest.raises(StudyChangedError, match="the digest of the weights that variant 'baseline' brings along"):
        gg.Study(model, seeds=2, storage=tmp_path / "s").run(X, Y, epochs=1, progress=False)


@keras.saving.register_keras_serializable("fine_tuning")
class Block(layers.Layer):
    """Its parts have no names, so that Keras numbers those of every copy on."""

    def __init__(self, **given):
        super().__init__(**given)
        self.inside = keras.Sequential([layers.Dense(5, "relu"), layers.Dense(X.shape[-1])])

    def build(self, shape):
        self.inside.build(shape)

    def call(self, x):
        return x + self.inside(x)

    def compute_output_shape(self, shape):
        return shape


def test_a_block_of_ones_own_that_was_trained_before_keeps_its_weights_in_every_variant():
    inputs = keras.Input(X.shape[1:])
    hidden = layers.Dense(4, "relu", name="middle")(Block()(inputs))
    model = keras.Model(inputs, layers.Dense(1, "sigmoid")(layers.Flatten()(hidden)))
    for weight in model.layers[1].trainable_weights:
        weight.assign(weight + 0.1)
    model.compile(keras.optimizers.SGD(0.0), "binary_crossentropy")
    study = gg.Study(model, remedies=[gg.Dropout(0.3), gg.L2(0.1)], seeds=2)
    for variant in study.variants:
        first, second = start(study, variant.name)
        assert all(np.array_equal(a, b) for a, b in zip(first[:4], model.get_weights()[:4], strict=True))
        assert not np.array_equal(first[4], second[4])
