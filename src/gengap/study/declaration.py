"""A study: variants x seeds on one data set, declared before it runs."""

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import keras

from gengap.analysis.cases import CaseScore
from gengap.datasets.class_weights import read_class_weight
from gengap.datasets.intake import take_in
from gengap.datasets.output_kind import OutputKind
from gengap.datasets.split import Task
from gengap.deprecated import old_arguments
from gengap.engine.callbacks import read_callbacks
from gengap.engine.computation import OF_TRAINING, Computation, check_computation
from gengap.engine.rates import check_rates
from gengap.engine.runs import Listener, Run, TrainingSettings
from gengap.engine.scoring import choose_score
from gengap.keras_models.clone import clone_compiled
from gengap.keras_models.preprocessing import Preprocessing
from gengap.keras_models.requirements import ModelRequirements
from gengap.randomness import gives_random_back, random_given_back
from gengap.remedies.base import Remedy, Variant
from gengap.results import Result
from gengap.results.remembered import UsersCode
from gengap.runners.base import Runner
from gengap.runners.serialization import custom_objects
from gengap.study.beside import keep_references
from gengap.study.blocks import SeedBlocks
from gengap.study.engines import Engine, choose_engine, choose_runner, engine_functions
from gengap.study.fit_arguments import refuse_arguments
from gengap.study.fold_references import references_of
from gengap.study.loading import stored_result
from gengap.study.manifest import make_manifest
from gengap.study.progress import Silence, shown
from gengap.study.references import FittedReference, References, check_references
from gengap.study.storing import open_store, record_look, train_missing
from gengap.study.training import Training, runs_of_folds
from gengap.study.values import flag, one_of, positive
from gengap.study.variants import (
    check_seeds,
    check_watched,
    common_output,
    declared,
    make_variants,
    run_of,
    told_apart,
)

if TYPE_CHECKING:
    from gengap.engine.planner import Plan  # it needs torch, which a declaration does not

_KEPT_EPOCHS_BYTES = 2**30


class Study:
    """Variants x seeds, compared on one score that is declared before anything is trained.

    Args:
        model: A compiled Keras model, which becomes the baseline, or a mapping from names to compiled models, the
            first of which is the baseline. Models are cloned, never changed.
        remedies: What to try on a single model: remedies, or their written form (`"dropout(0.5)+l2(0.001)"`).
        seeds: Number of seeds, or the seeds themselves. Fewer than 9 cannot judge eight remedies.
        score: The common proper score; None takes log loss for classifiers, squared error for regression.
        primary_epoch: Whether the primary comparison is at each run's best epoch (chosen on validation) or its last.
        task: What the models predict; None reads it from loss and last activation.
        output: Name of the scored output of models with several; None takes the first.
        from_logits: Whether outputs under a loss of your own still need a sigmoid or softmax; None reads it from the
            last activation.
        engine: `"fused"` trains all runs as one program, `"keras"` one after another in Keras' own loop; `"auto"`
            takes the first where Keras runs on torch.
        initial_weights: `"auto"` draws each run's weights from its seed, but for layers that are frozen, that a remedy
            thawed, or that were trained before beside others that were not: the plan names them. `"fresh"` draws all
            but the frozen and thawed, `"keep"` starts from the model's own.
        computation: How the fused engine computes: number format, compilation, device, frozen parts.
        references: What the networks are held against on the same cases: `"linear"` (logistic or ridge regression) and
            `"boosted_trees"` of scikit-learn, or a mapping from names to anything with `fit` and `predict_proba` (in
            regression `predict`). They become variants without curves; inputs of more axes are flattened for them. Case
            weights count for them, `class_weight` does not.
        storage: Folder that keeps the study while it runs; running it again continues. None keeps it in memory.
        runner: `"local"` trains in this process, `"ray"` on a Ray session or this machine's cores; or a `RayRunner`.
        callbacks: Callbacks of Keras that have a place where runs train together: EarlyStopping, LambdaCallback with
            `on_epoch_end`, CSVLogger, TensorBoard, TerminateOnNaN, ReduceLROnPlateau, LearningRateScheduler; others
            are refused, with what to do instead.

    Raises:
        ModelError: A model cannot be used as given.
        UnknownNameError: A score, remedy, reference, engine or runner does not exist.
        DataError: A reference lacks a method, or has the name of a variant.
        MissingExtraError: The runner's library is not installed.
        ValueError: `computation` asks for what a study, or Keras' own loop, does not read.
        TypeError: A callback has no place where runs train together.

    Example:
        >>> import gengap as gg, keras
        >>> model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(1)])
        >>> model.compile("adam", "mse")
        >>> study = gg.Study(model, remedies=["l2(0.01)"], seeds=2)
        >>> result = study.run(gg.datasets.diabetes(), epochs=2, progress=False)
        >>> result.variants
        ('baseline', 'l2(0.01)')
    """

    @old_arguments("gengap.Study")
    @gives_random_back
    def __init__(  # noqa: PLR0913  all but the model are keywords with defaults
        self,
        model: keras.Model | Mapping[str, keras.Model],
        *,
        remedies: Sequence[Remedy | str] = (),
        seeds: int | Sequence[int] = 10,
        score: str | None = None,
        primary_epoch: Literal["best", "last"] = "best",
        task: Task | None = None,
        output: str | None = None,
        from_logits: bool | None = None,
        engine: Engine = "auto",
        initial_weights: Literal["auto", "fresh", "keep"] = "auto",
        computation: Computation = Computation(),  # noqa: B008  a frozen value
        references: References = (),
        storage: str | Path | None = None,
        runner: Runner | Literal["local", "ray"] = "local",
        callbacks: Sequence[keras.callbacks.Callback] = (),
    ) -> None:
        self._initial_weights = one_of(initial_weights, "kind of initial weights", ("auto", "fresh", "keep"))
        self._callbacks = read_callbacks(callbacks, stored=storage is not None)
        self.variants: tuple[Variant, ...] = self._callbacks.variants(
            make_variants(model, remedies, keep_trained=initial_weights == "auto")
        )
        check_rates({f"variant {one.name!r}": one.model for one in self.variants}, self._callbacks.rates)
        self.seeds = check_seeds(seeds)
        if task is not None:
            one_of(task, "task", ("binary", "multiclass", "regression"))
        self._from_logits = None if from_logits is None else flag(from_logits, "from_logits")
        self.kind: OutputKind = common_output(self.variants, output, task, from_logits=self._from_logits)
        self.score = choose_score(self.kind.task, score)
        self.primary_epoch = one_of(primary_epoch, "epoch rule", ("best", "last"))
        self.engine = choose_engine(engine)
        check_computation(computation, *OF_TRAINING, by="gengap.Study")
        if computation != Computation() and self.engine == "keras":
            raise ValueError(
                "`computation` is for the fused engine, and this study takes Keras' own loop: leave it out."
            )
        self._computation = computation
        self.references = check_references(references, [one.name for one in self.variants], self.kind)
        self.storage = None if storage is None else Path(storage)
        self.runner = choose_runner(runner)

    def run(  # noqa: PLR0913  as in `Model.fit`, and what a study adds
        self,
        x: Any,
        y: Any = None,
        *,
        validation_data: Any = None,
        validation_split: float = 0.0,
        test_data: Any = None,
        epochs: int,
        batch_size: int = 32,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: Any = None,
        shuffle: bool = True,
        cv: Any = None,
        preprocess: Any = None,
        progress: bool = True,
        **fit_arguments: Any,
    ) -> Result:
        """Train every variant with every seed.

        Arguments mean what they mean in `keras.Model.fit`; see the table "fit arguments" in the documentation.

        Args:
            x: Inputs; or, in place of `x` and `y`, a `Dataset`, a training `Split`, or what yields batches, which is
                read once: a `keras.utils.PyDataset`, `tf.data.Dataset`, torch `DataLoader` or finite generator.
            y: Answers: 0/1, integer codes or one-hot rows, or real numbers.
            validation_data: `Split`, `(x, y[, sample_weight])` or what yields batches; chooses epochs and remedies.
            validation_split: Share of the training cases, the last ones, to use as validation split instead.
            test_data: The same, read once, at the end.
            epochs: Epochs of every run, at most.
            batch_size: Cases a step.
            class_weight: Weight of each label in the objective; the common score does not use it.
            sample_weight: Weights of the training cases, in objective and training score.
            shuffle: Whether each epoch has a new order.
            cv: Resamples the study: a number of folds, a splitter of scikit-learn, pairs `(training cases, test cases)`
                of indices, or a `CrossValidation`. Every case is then a test case of the one fold that has not seen it,
                each seed draws a division of its own, and verdicts hold for new training sets. Groups stay whole;
                `data.pooled()` gives all cases of a `Dataset`.
            preprocess: What is fitted to the training cases (with `cv`: of each fold) and applied to all, on a copy: a
                Keras layer with `adapt` such as `keras.layers.Normalization`, or a transformer of scikit-learn. The
                models of the result take what it gives.
            progress: Whether to show how far it is: runs, epochs and time left, in a notebook the growing curves.
            **fit_arguments: Refused: what `Model.fit` takes and a study does not, with what to do instead.

        Returns:
            The result.

        Raises:
            TypeError: An argument of `Model.fit` that a study does not take.
            DataError: The data cannot be used as given; nothing has been trained then.
            StudyChangedError: The folder of `storage` holds another study; the sentence names the difference.
            StoreError: That folder cannot be used, or the disk is full; what was stored before stands.
        """
        refuse_arguments(fit_arguments)
        with random_given_back():
            training, manifest = self._prepare(
                x,
                y,
                epochs=epochs,
                batch_size=batch_size,
                class_weight=class_weight,
                shuffle=shuffle,
                validation_data=validation_data,
                validation_split=validation_split,
                test_data=test_data,
                sample_weight=sample_weight,
                cv=cv,
                preprocess=preprocess,
                progress=progress,
            )
            train = self._train_in_memory if self.storage is None else self._train_in_store
            return train(training, manifest, progress=progress)

    def plan(self, x: Any, y: Any = None, *, epochs: int, batch_size: int = 32, **splits: Any) -> "Plan | None":
        """Say what would train together, measured for a moment on the data; nothing is kept.

        Args:
            x: Inputs, a `Dataset` or a training `Split`, as in `run`.
            y: Answers.
            epochs: Epochs of every run.
            batch_size: Cases a step.
            **splits: `validation_data`, `validation_split`, `test_data`, `sample_weight`, `cv` and `preprocess`, as in
                `run`.

        Returns:
            The plan, which prints as a list of chunks; None for Keras' own loop, which trains run by run.
        """
        given: dict[str, Any] = {"epochs": epochs, "batch_size": batch_size, "class_weight": None, "shuffle": True}
        training, _ = self._prepare(x, y, **given, **splits)
        return training.plan(training.runs)

    def with_seeds(self, seeds: int | Sequence[int]) -> "Study":
        """Return the same study with other seeds; those that both have give the same runs."""
        other = copy.copy(self)
        other.seeds = check_seeds(seeds)
        return other

    def runs(self) -> list[Run]:
        """Return the runs of the study: all variants of the first seed, then of the next."""
        return [run_of(variant, seed) for seed in self.seeds for variant in self.variants]

    def stored_in(self, storage: str | Path | None, *, runner: Runner | str = "local") -> "Study":
        """Return the same study, kept in another folder and trained by another runner."""
        other = copy.copy(self)
        other.storage = None if storage is None else Path(storage)
        other.runner = choose_runner(runner)
        return other

    def __repr__(self) -> str:
        names = ", ".join(variant.name for variant in self.variants)
        return f"Study({len(self.variants)} variants x {len(self.seeds)} seeds on {self.score}, {self.engine}: {names})"

    def _repr_html_(self) -> str:
        sizes = f"{len(self.variants)} variants x {len(self.seeds)} seeds"
        title = f"Study: {sizes}, compared on {self.score} at the {self.primary_epoch} epoch, {self.engine} engine"
        return declared(self.variants, title=title).to_html()

    def _prepare(
        self,
        x: Any,
        y: Any,
        *,
        epochs: int,
        batch_size: int,
        class_weight: Mapping[int, float] | None,
        shuffle: bool,
        cv: Any = None,
        preprocess: Any = None,
        progress: bool = False,
        **splits: Any,
    ) -> tuple[Training, dict[str, Any]]:
        """Check everything and describe it; nothing is trained."""
        cases = take_in(
            x,
            y,
            ModelRequirements([variant.model for variant in self.variants], self.kind),
            cv=cv,
            seeds=self.seeds,
            preprocess=None if preprocess is None else Preprocessing(preprocess),
            progress=progress,
            **splits,
        )
        check_watched(self.variants, self._callbacks.rates, validates=cases.data.validation is not None)
        settings = self._settings(cases.num_held_out, epochs, batch_size, class_weight=class_weight, shuffle=shuffle)
        settings = replace(settings, wants_codes=cases.wants_codes)
        manifest = make_manifest(
            self.variants,
            self.kind,
            settings,
            account=cases.account,
            few=cases.few,
            seeds=self.seeds,
            primary_epoch=self.primary_epoch,
            engine=self.engine,
        )
        functions = engine_functions(self.engine, self._computation.device)
        runs = self.runs() if cases.folds is None else runs_of_folds(cases.folds, self.runs())
        return Training(*functions, self.runner, runs, cases.data, settings, cases.folds), manifest

    def _train_in_memory(self, training: Training, manifest: Mapping[str, Any], *, progress: bool) -> Result:
        blocks = SeedBlocks(self, training, manifest, show=progress)
        blocks.train(blocks.left)
        return blocks.result()

    def _train_in_store(self, training: Training, manifest: Mapping[str, Any], *, progress: bool) -> Result:
        names = [variant.name for variant in self.variants]
        with open_store(self.storage or "", manifest, self.kind, training) as store:
            if self.references:
                seeds = store.manifest["seeds"] if training.folds is None else self.seeds
                keep_references(store, self._references(training, seeds), seeds)
            stored = set(store.keys())
            missing = [run for run in training.runs if (run.variant, run.seed) not in stored]
            with self._shown(Silence(), missing, training, show=progress) as listener:
                train_missing(training, store, listener)
            record_look(store, self.seeds)
            return stored_result(store, variants=names, seeds=self.seeds, objects=self._objects())

    def _references(self, training: Training, seeds: Sequence[int]) -> tuple[FittedReference, ...]:
        """Fit the references, before anything is trained that an error of theirs could lose."""
        if not self.references:
            return ()
        return references_of(training, self.references, self.kind, seeds=seeds, score=cast("CaseScore", self.score))

    def _objects(self) -> dict[str, UsersCode]:
        """Return the user's own classes and functions, of which a result in this process can make models again."""
        return {
            variant.name: UsersCode(dict(custom_objects(variant.model)), partial(clone_compiled, variant.model))
            for variant in self.variants
        }

    @contextmanager
    def _shown(self, inner: Listener, runs: Sequence[Run], training: Training, *, show: bool) -> Iterator[Listener]:
        places = {} if training.folds is None else training.folds.places
        with (
            self._callbacks.heard(inner, partial(told_apart, places)) as told,
            shown(told, runs=runs, num_epochs=training.settings.epochs, score=self.score, show=show) as listener,
        ):
            yield listener

    def _settings(
        self,
        num_held_out: int,
        epochs: int,
        batch_size: int,
        *,
        class_weight: Mapping[int, float] | None,
        shuffle: bool,
    ) -> TrainingSettings:
        epochs, batch_size = positive(epochs, "epochs"), positive(batch_size, "batch_size")
        shuffle = flag(shuffle, "shuffle")
        size = 4 * num_held_out * self.kind.width * epochs * len(self.seeds) * len(self.variants)
        return TrainingSettings(
            epochs=epochs,
            batch_size=batch_size,
            task=self.kind.task,
            score=self.score,
            shuffle=shuffle,
            class_weight=read_class_weight(class_weight, self.kind),
            output=self.kind.name,
            from_logits=self._from_logits,
            initial_weights="keep" if self._initial_weights == "keep" else "fresh",
            keep_every_epoch=size <= _KEPT_EPOCHS_BYTES,
            rates=self._callbacks.rates,
            **self._computation.of_training(),
        )
