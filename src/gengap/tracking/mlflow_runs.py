"""A result in MLflow: a study is a parent run, each variant and seed a child of it."""

import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gengap.errors import MissingExtraError
from gengap.tracking.records import TrackedRun, study_metrics, study_parameters, tracked_runs

if TYPE_CHECKING:
    from gengap.results import Result
    from gengap.shipping import Shipped

_MOST_METRICS, _MOST_PARAMETERS = 1000, 100
"""What MLflow takes in one call."""
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
    address, of this process changes. Names keep what MLflow takes: `dropout(0.5)` becomes `dropout_0.5_`, and the tag
    `variant` holds the name as it is.

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
    try:
        from mlflow import MlflowClient
    except ImportError as reason:
        raise MissingExtraError("Results go to MLflow with: pip install 'gengap[mlflow]'.") from reason
    parameters, runs = study_parameters(result), list(tracked_runs(result))
    client = MlflowClient(tracking_uri=tracking_uri)
    known = client.get_experiment_by_name(experiment)
    where = client.create_experiment(experiment) if known is None else known.experiment_id
    parent = client.create_run(where, run_name=name, tags={"gengap": "study"}).info.run_id
    try:
        _log(client, parent, parameters, study_metrics(result), {})
        for run in runs:
            _child(client, where, parent, run)
        _artifacts(client, parent, result, shipped, files)
    except BaseException:
        client.set_terminated(parent, "FAILED")
        raise
    client.set_terminated(parent)
    return str(parent)


def _child(client: Any, experiment: str, parent: str, run: TrackedRun) -> None:
    tags = {"mlflow.parentRunId": parent, "gengap": "run", "variant": run.variant, "status": run.status}
    child = client.create_run(experiment, run_name=run.name, tags=tags).info.run_id
    _log(client, child, run.parameters, run.metrics, run.curves)
    client.set_terminated(child, "FAILED" if run.status.startswith("diverged") else "FINISHED")


def _log(
    client: Any,
    run_id: str,
    parameters: Mapping[str, Any],
    metrics: Mapping[str, float],
    curves: Mapping[str, Mapping[int, float]],
) -> None:
    from mlflow.entities import Metric, Param

    given = [Param(_name(name), str(value)[:_LONGEST]) for name, value in parameters.items()]
    now = 0  # curves are ordered by their steps; a study does not keep when an epoch ended
    values = [Metric(_name(name), value, now, 0) for name, value in metrics.items()]
    values += [Metric(_name(name), value, now, epoch) for name, one in curves.items() for epoch, value in one.items()]
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


def _name(text: str) -> str:
    """Return a name of the characters that MLflow takes."""
    return re.sub(r"[^\w.\- /]", "_", text)
