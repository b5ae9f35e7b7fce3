"""A result in MLflow: a study is a parent run, each variant and seed a child of it."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gengap.errors import need
from gengap.naming import name_apart
from gengap.tracking.records import TrackedRun, study_metrics, study_parameters, tracked_runs

if TYPE_CHECKING:
    from gengap.results import Result
    from gengap.shipping import Shipped

_MOST_METRICS, _MOST_PARAMETERS = 1000, 100
"""What MLflow takes in one call."""
_OF_A_PART, OF_A_NAME = r"\w.\- ", r"\w.\- /"
"""Characters that MLflow takes in a part of a name between slashes, and in a name."""
_LONGEST = 6000
"""Characters of a parameter that MLflow keeps."""


def to_mlflow(
    result: "Result",
    *,
    experiment: str = "gengap",
    name: str = "study",
    tracking_uri: str | None = None,
    shipped: "Shipped | None" = None,
    files: Sequence[str | Path] = (),
) -> str:
    """Record a result in MLflow, and return the id of the parent run.

    The parent run holds the settings of the study, mean and standard deviation over seeds of every variant's final
    numbers, and as artifacts the table of variants and the manifest. A child run for each variant and seed holds its
    parameters, its final numbers, and its curves (the step is the epoch, from 1). No active run, and no tracking
    address, of this process changes. Names keep what MLflow takes: `dropout(0.5)` becomes `dropout_0.5_`, numbered
    where two would become one, and the tag `variant` holds the name as it is.

    Args:
        result: The result.
        experiment: Name of the experiment; made where it does not exist.
        name: Name of the parent run.
        tracking_uri: Where MLflow keeps its runs; None takes what MLflow is set to.
        shipped: What `gengap.ship` returned: its model and cards are logged under `model/`.
        files: Further files to log, such as the report.

    Raises:
        MissingExtraError: MLflow is not installed.
    """
    require_mlflow()
    parameters, runs = study_parameters(result), list(tracked_runs(result))
    client, where, parent = begin_study(experiment, name, tracking_uri)
    try:
        shown: dict[str, str] = {}
        for variant in result.variants:
            name_apart(variant, shown, kept=_OF_A_PART)
        log_run(client, parent, parameters, study_metrics(result, shown), {})
        for run in runs:
            _child(client, where, parent, run)
        _artifacts(client, parent, result, shipped, files)
    except BaseException:
        client.set_terminated(parent, "FAILED")
        raise
    client.set_terminated(parent)
    return parent


def require_mlflow() -> None:
    """Check that MLflow is there.

    Raises:
        MissingExtraError: It is not.
    """
    need("mlflow", "Results go to MLflow with: pip install 'gengap[mlflow]'.")


def begin_study(experiment: str, name: str, tracking_uri: str | None) -> tuple[Any, str, str]:
    """Return a client, the id of the experiment, made where there is none, and that of a new parent run."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=tracking_uri)
    known = client.get_experiment_by_name(experiment)
    where = client.create_experiment(experiment) if known is None else known.experiment_id
    parent = client.create_run(where, run_name=name, tags={"gengap": "study"}).info.run_id
    return client, str(where), str(parent)


def begin_run(client: Any, experiment: str, parent: str, *, name: str, variant: str, **tags: str) -> str:
    """Return the id of a new child run."""
    every = {"mlflow.parentRunId": parent, "gengap": "run", "variant": variant, **tags}
    return str(client.create_run(experiment, run_name=name, tags=every).info.run_id)


def _child(client: Any, experiment: str, parent: str, run: TrackedRun) -> None:
    child = begin_run(client, experiment, parent, name=run.name, variant=run.variant, status=run.status)
    log_run(client, child, run.parameters, run.metrics, run.curves)
    client.set_terminated(child, "FAILED" if run.status.startswith("diverged") else "FINISHED")


def log_run(
    client: Any,
    run_id: str,
    parameters: Mapping[str, Any],
    metrics: Mapping[str, float],
    curves: Mapping[str, Mapping[int, float]],
) -> None:
    """Log parameters, numbers and curves of one run, in as many calls as MLflow wants."""
    from mlflow.entities import Metric, Param

    known: dict[str, str] = {}
    name = partial(name_apart, known=known, kept=OF_A_NAME)
    given = [Param(name(one), str(value)[:_LONGEST]) for one, value in parameters.items()]
    now = 0  # curves are ordered by their steps; a study does not keep when an epoch ended
    values = [Metric(name(one), value, now, 0) for one, value in metrics.items()]
    values += [Metric(name(one), value, now, epoch) for one, each in curves.items() for epoch, value in each.items()]
    for start in range(0, len(given), _MOST_PARAMETERS):
        client.log_batch(run_id, params=given[start : start + _MOST_PARAMETERS])
    for start in range(0, len(values), _MOST_METRICS):
        client.log_batch(run_id, metrics=values[start : start + _MOST_METRICS])


def _artifacts(
    client: Any, parent: str, result: "Result", shipped: "Shipped | None", files: Sequence[str | Path]
) -> None:
    from gengap.analysis import summarize

    with tempfile.TemporaryDirectory() as folder:
        table, manifest = Path(folder) / "table.csv", Path(folder) / "manifest.json"
        summarize(result).to_dataframe().to_csv(table, index=False)
        manifest.write_text(json.dumps(result.manifest, indent=1, ensure_ascii=False), encoding="utf-8")
        for file in (table, manifest, *files):
            client.log_artifact(parent, str(file))
        if shipped is not None:
            for file in shipped.save(Path(folder) / "model.keras"):
                client.log_artifact(parent, str(file), "model")
