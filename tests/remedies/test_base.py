"""Remedies name themselves, read back, compose, explain, and refuse with a sentence."""

import keras
import pytest
from hypothesis import given
from hypothesis import strategies as st

import gengap.remedies as gr
from gengap.errors import ModelError, RemedyError, UnknownNameError
from gengap.keras_models.clone import excluded_from_decay
from gengap.remedies import L2, Dropout, EarlyStopping, SpatialDropout, StoppingRule, Subsample, Variant, Width

layers = keras.layers


@pytest.mark.parametrize(
    ("remedy", "text"),
    [
        (L2(1e-3), "l2(0.001)"),
        (L2(1e-3, on="kernels"), "l2(0.001, on=kernels)"),
        (L2(0.01, on="conv*"), 'l2(0.01, on="conv*")'),
        (L2(0.01, on=layers.Dense), "l2(0.01, on=Dense)"),
        (L2(0.01, on=("a", "b")), "l2(0.01, on=(a, b))"),
        (L2(1e-7, existing="replace"), "l2(1e-07, existing=replace)"),
        (gr.L1L2(1e-3, 0.01), "l1l2(0.001, 0.01)"),
        (Width(0.25), "width(0.25)"),
        (Width(32), "width(32)"),
        (Width(units=64), "width(units=64)"),
        (SpatialDropout(0.2), "spatial_dropout(0.2)"),
        (EarlyStopping(5), "early_stopping(5)"),
        (EarlyStopping(5, min_delta=0.1), "early_stopping(5, min_delta=0.1)"),
        (Subsample(0.5), "subsample(0.5)"),
        (Dropout(0.5) + (L2(1e-3) + Width(2)), "dropout(0.5)+l2(0.001)+width(2)"),
    ],
    ids=str,
)
def test_the_canonical_form_reads_back(remedy, text):
    assert str(remedy) == text
    assert gr.remedy(text) == remedy
    assert str(gr.remedy(text)) == text
    assert hash(gr.remedy(text)) == hash(remedy)


def test_one_remedy_has_one_name():
    assert L2(1e-3) == L2(0.001) == gr.remedy("L2(1e-3)") == gr.remedy(" l2( .001 ) ")
    assert gr.remedy("SpatialDropout(0.2)") == SpatialDropout(0.2)
    assert L2(1e-3) != L2(1e-3, on="kernels")
    assert Dropout(0.5) + L2(1e-3) != L2(1e-3) + Dropout(0.5), "order is part of the name"


@pytest.mark.parametrize("text", ["", "dropout(", "dropout(0.5)*2", "__import__('os').system('x')", "dropout(1+1)"])
def test_what_is_no_remedy_is_not_evaluated(text):
    with pytest.raises(ValueError, match="not a remedy"):
        gr.remedy(text)


def test_an_unknown_name_lists_the_known():
    with pytest.raises(UnknownNameError, match=r"no remedy named 'dropuot'.*spatial_dropout"):
        gr.remedy("dropuot(0.5)")
    with pytest.raises(ValueError, match="rate in"):
        gr.remedy("dropout(1.5)")
    with pytest.raises(ValueError, match="cannot be made"):
        gr.remedy("dropout(0.5, hard=True)")


@pytest.mark.parametrize("thing", [layers.Dropout, layers.Dropout(0.5), keras.regularizers.L2(0.1)])
def test_a_keras_object_gets_a_sentence(thing):
    with pytest.raises(TypeError, match="Keras object, not a remedy"):
        Dropout(0.5) + thing


def test_a_class_or_a_number_gets_a_sentence():
    with pytest.raises(TypeError, match=r"gg\.L2\(\.\.\.\)"):
        Dropout(0.5) + L2
    with pytest.raises(TypeError, match="Expected a remedy"):
        Dropout(0.5) + 3


def test_a_model_must_be_compiled_and_show_its_graph(review_net):
    with pytest.raises(ModelError, match=r"model\.compile"):
        Dropout(0.5)(keras.Sequential([keras.Input((3,)), layers.Dense(1)]))
    with pytest.raises(ModelError, match=r"[Rr]eceived str"):
        Dropout(0.5)("model")

    class Sub(keras.Model):
        def call(self, x):
            return x

    model = Sub()
    model.compile("sgd", "mse")
    with pytest.raises(ModelError, match="dict of models"):
        Dropout(0.5)(model)
    late = keras.Sequential([layers.Dense(2, activation="relu"), layers.Dense(1)])
    late.compile("sgd", "mse")
    with pytest.raises(ModelError, match=r"keras\.Input"):
        Dropout(0.5)(late)


def test_an_unknown_layer_lists_the_known(review_net):
    with pytest.raises(UnknownNameError, match=r"'convolution'.*dense, dense_1, dense_2"):
        L2(1e-3, on="convolution")(review_net())


def test_a_factor_that_leaves_no_unit_says_which_would(review_net):
    with pytest.raises(RemedyError, match=r"none of the 16 units of 'dense'.*at least 0\.03125"):
        Width(0.01)(review_net())


def test_spatial_dropout_on_flat_data_says_what_to_use(review_net):
    with pytest.raises(RemedyError, match=r"flat.*Dropout"):
        SpatialDropout(0.2)(review_net())


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: Dropout(1.0), ValueError, r"\[0, 1\)"),
        (lambda: Dropout("half"), TypeError, "takes a number"),
        (lambda: L2(-1), ValueError, "at least 0"),
        (lambda: L2(float("nan")), ValueError, "finite"),
        (lambda: L2(True), TypeError, "takes a number"),
        (lambda: L2(0.1, existing="keep"), ValueError, "'add', 'replace'"),
        (Width, ValueError, "`factor` or `units`"),
        (lambda: Width(2, units=3), ValueError, "`factor` or `units`"),
        (lambda: Width(0), ValueError, "above 0"),
        (lambda: Width(units=0), ValueError, "at least 1"),
        (lambda: Subsample(0), ValueError, r"\(0, 1\]"),
        (lambda: EarlyStopping(0), ValueError, "patience"),
        (lambda: EarlyStopping(2, min_delta=-1), ValueError, "at least 0"),
    ],
)
def test_values_are_checked_when_a_remedy_is_written_down(make, error, match):
    with pytest.raises(error, match=match):
        make()


def test_what_a_model_cannot_hold_goes_to_the_variant(review_net):
    baseline = Variant("baseline", review_net())
    treated = (Subsample(0.5) + EarlyStopping(3) + Subsample(0.5)).treat(baseline)
    assert (treated.share, treated.stopping) == (0.25, StoppingRule(3))
    assert treated.model is baseline.model
    assert treated.name == treated.remedy == "subsample(0.5)+early_stopping(3)+subsample(0.5)"
    with pytest.raises(RemedyError, match="Keras model cannot hold"):
        Subsample(0.5)(baseline.model)


def test_a_variant_keeps_what_earlier_parts_gave_it(review_net):
    treated = (Subsample(0.5) + Dropout(0.5)).treat(Variant("baseline", review_net()))
    assert treated.share == 0.5
    assert [type(layer).__name__ for layer in treated.model.layers].count("Dropout") == 2


def test_an_explanation_is_a_table(review_net):
    explanation = (Dropout(0.5) + Width(0.25) + Subsample(0.5)).explain(review_net())
    text = str(explanation)
    assert "followed by Dropout 'dense_dropout'" in text
    assert "16 -> 4 units" in text
    assert "fresh weights (16, 1) -> (4, 1)" in text
    assert "50% of the training cases" in text
    assert explanation.parameters == (945, 189)
    html = explanation._repr_html_()
    assert html.startswith("<table>")
    assert "16 -&gt; 4 units" in html


def test_frozen_layers_are_left_alone_by_roles_and_reached_by_name(review_net):
    model = review_net()
    model.layers[0].trainable = False
    assert L2(1e-3)(model).layers[0].kernel_regularizer is None
    assert L2(1e-3, on="dense")(model).layers[0].kernel_regularizer is not None
    assert not L2(1e-3, on="dense")(model).layers[0].trainable


def test_existing_penalties_are_added_to_or_replaced(review_net):
    model = review_net(penalty=keras.regularizers.L1(0.1))
    added, replaced = L2(0.2)(model), L2(0.2, existing="replace")(model)
    assert added.layers[0].kernel_regularizer.get_config() == pytest.approx({"l1": 0.1, "l2": 0.2})
    assert replaced.layers[0].kernel_regularizer.get_config() == {"l2": 0.2}
    odd = review_net(penalty=keras.regularizers.OrthogonalRegularizer())
    with pytest.raises(RemedyError, match='existing="replace"'):
        L2(0.2)(odd)
    assert L2(0.2, existing="replace")(odd).layers[0].kernel_regularizer.get_config() == {"l2": 0.2}


def test_existing_dropout_is_added_to_or_replaced(review_net):
    model = review_net(rate=0.3)
    kinds = [layer.rate for layer in Dropout(0.5)(model).layers if isinstance(layer, layers.Dropout)]
    assert kinds == [0.5, 0.3, 0.5, 0.3]
    kinds = [
        layer.rate for layer in Dropout(0.5, existing="replace")(model).layers if isinstance(layer, layers.Dropout)
    ]
    assert kinds == [0.5, 0.5]


def test_a_sum_is_applied_from_left_to_right(review_net):
    model = review_net()
    deep_last, deep_first = (gr.Dropout(0.5) + gr.Depth(1))(model), (gr.Depth(1) + gr.Dropout(0.5))(model)
    one_by_one = gr.Depth(1)(gr.Dropout(0.5)(model))
    assert [layer.name for layer in deep_last.layers] == [layer.name for layer in one_by_one.layers]
    assert "dense_1_dropout_copy" in [layer.name for layer in deep_last.layers], "the copied block brings its dropout"
    assert "dense_1_copy_dropout" in [layer.name for layer in deep_first.layers]


@given(st.floats(1e-12, 0.999), st.sampled_from(["hidden", "kernels", "conv*", "encoder/dense", "None", 'a"b']))
def test_any_strength_and_any_name_read_back(strength, on):
    remedy = L2(strength, on=on) + Dropout(strength, on=on)
    assert gr.remedy(str(remedy)) == remedy
    assert gr.remedy(str(remedy)).parts()[0].strength == strength


def test_what_is_only_compiled_otherwise_needs_no_further_clone():
    """The clone in between belongs to nobody else; the user's model, and what a treatment before left, stay apart."""
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.01), "mse")
    given = Variant("baseline", model)
    cocktail = gr.WeightDecay(0.1) + gr.LearningRate(3.0)
    apart = gr.LearningRate(3.0).treat(gr.WeightDecay(0.1).treat(given))
    together = cocktail.treat(given)
    assert together.name == "weight_decay(0.1)+learning_rate(3)"
    assert together.model.optimizer.get_config() == apart.model.optimizer.get_config()
    left_out = [[one.path for one in excluded_from_decay(each.model)] for each in (together, apart)]
    assert left_out[0] == left_out[1]
    assert len(left_out[0]) == 2, "both biases"
    assert float(model.optimizer.learning_rate) == pytest.approx(0.01)
