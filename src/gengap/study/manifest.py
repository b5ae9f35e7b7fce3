"""The account of how a result came about: everything needed to repeat it, as JSON."""

import json
import platform
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import keras

from gengap._version import __version__
from gengap.datasets.output_kind import OutputKind
from gengap.engine.rates import describe_rates, rate_of
from gengap.engine.restless import restless_layers
from gengap.engine.runs import TrainingSettings
from gengap.keras_models.frozen import digest_of_held, num_trained
from gengap.remedies.base import Variant
from gengap.results.checks import FORMAT
from gengap.study.notebook import without_displays

_LIBRARIES = ("keras", "torch", "jax", "tensorflow", "numpy", "scipy", "scikit-learn", "xarray", "numba")


def make_manifest(
    variants: Sequence[Variant],
    kind: OutputKind,
    settings: TrainingSettings,
    *,
    account: Mapping[str, Any],
    few: Any,
    seeds: Sequence[int],
    primary_epoch: str,
    engine: str,
) -> dict[str, Any]:
    """Describe a study before it runs.

    Args:
        variants: The variants, the baseline first.
        kind: How the scored output is read.
        settings: What all runs have in common.
        account: What is known of the data, their folds and preprocessing; see `gengap.datasets.intake.StudyData`.
        few: A few training cases, on which is looked which layers draw in inference too.
        seeds: Seeds of the study.
        primary_epoch: Epoch rule of the primary comparison, `"best"` or `"last"`.
        engine: Name of the engine.
    """
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {
        "format": FORMAT,
        "origin": "study",
        "created": now,
        "versions": {"gengap": __version__, "python": platform.python_version(), **library_versions()},
        "machine": {"system": platform.platform(), "processor": platform.processor() or platform.machine()},
        "command": repeating_command(sys.argv),
        "task": kind.task,
        "score": settings.score,
        "primary": {"score": settings.score, "epoch": primary_epoch},
        "seeds": list(seeds),
        "looks": [{"seeds": len(seeds), "time": now}],
        "settings": _settings(settings, variants),
        "variants": {variant.name: describe_variant(variant, few) for variant in variants},
        **account,
        "engine": engine,
        "backend": keras.config.backend(),
    }


def _settings(settings: TrainingSettings, variants: Sequence[Variant]) -> dict[str, Any]:
    """Return the settings as JSON; rates that nothing changes are left out, as before anything could.

    Raises:
        ValueError: A function gives no learning rate, or another one when it is asked again.
    """
    given = asdict(replace(settings, rates=()))
    del given["rates"]
    if settings.rates:
        of_each = {one.name: rate_of(one.model.optimizer) for one in variants}
        courses = {name: describe_rates(settings.rates, rate, settings.epochs) for name, rate in of_each.items()}
        given["rates"] = next(iter(courses.values()))
    return _json_able(given)


def repeating_command(arguments: Sequence[str]) -> str:
    """Return the command that started this process, as one would type it; empty for a notebook or a session.

    Example:
        >>> repeating_command(["/home/me/.venv/bin/gengap", "run", "my study.py"])
        "gengap run 'my study.py'"
    """
    program = Path(arguments[0] if arguments else "")
    if (
        not program.name
        or program.name.startswith("-")
        or "ipykernel" in program.name
        or program.parent.name == "ipykernel"
    ):
        return ""
    first = ["python", str(program)] if program.suffix == ".py" else [program.name]
    return shlex.join([*first, *arguments[1:]])


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that numbers may depend on, as far as they are installed."""
    found = {}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def describe_variant(variant: Variant, few: Any) -> dict[str, Any]:
    """Describe one variant; `model` is its Keras configuration, None where it has none that is plain JSON.

    Args:
        variant: The variant.
        few: A few training cases, on which is looked which layers draw in inference too.
    """
    model, stopping = variant.model, variant.stopping
    lines: list[str] = []
    with without_displays():
        model.summary(print_fn=lambda text, **_: lines.append(text), line_length=80)  # rich cuts what is wider
    return {
        "remedy": variant.remedy,
        "share": variant.share,
        "stopping": None if stopping is None else asdict(stopping),
        "parameters": num_trained(model),
        "noise_at_inference": restless_layers(model, few),
        "held_weights": digest_of_held(model, variant.kept),
        "kept": list(variant.kept),
        "model": _configuration(model),
        "summary": "\n".join(lines),
    }


def _configuration(model: keras.Model) -> Any:
    """Return the model's configuration, compile state included, if it survives JSON unchanged; else None."""
    try:
        config = keras.saving.serialize_keras_object(model)
        compiled = config.get("compile_config")
        if compiled and "optimizer" not in compiled and model.optimizer is not None:  # saved as `.h5` before
            compiled["optimizer"] = keras.saving.serialize_keras_object(model.optimizer)
        return json.loads(json.dumps(config))
    except (TypeError, ValueError, NotImplementedError):
        return None


def _json_able(values: Mapping[str, Any]) -> dict[str, Any]:
    return dict(json.loads(json.dumps(values, default=str)))
