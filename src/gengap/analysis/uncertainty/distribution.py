"""A predictive distribution: many possible forecasts of every case, and what they say about how sure the model is."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from gengap.datasets.split import Task
from gengap.deprecated import old_arguments, old_attribute
from gengap.errors import DataError, StoreError

_FORMAT = "gengap predictive distribution 1"


@dataclass(frozen=True, eq=False)
class PredictiveDistribution:
    """Members of the predictive distribution of some cases.

    Probabilities for classifiers, the target's units for regression. Entropies are in nats. A case whose forecasts are
    NaN, as its input was, stays NaN in every number and comes last in the table.

    Attributes:
        members: Forecasts over `(member, sample[, label])`, float32; the coordinate `seed` on `member` says which
            network a member comes from (0 where there is only one). No `label` for a binary task or a single target.
        deterministic: Forecasts without noise over `(sample[, label])`; of several networks their mean.
        task: What is predicted.
        settings: How the members were drawn: method, seed, rates by layer, precision ...
    """

    members: xr.DataArray
    deterministic: xr.DataArray
    task: Task
    settings: Mapping[str, Any]

    num_samples = old_attribute("gengap.PredictiveDistribution", "num_samples")

    @property
    def num_members(self) -> int:
        """Number of members."""
        return int(self.members.sizes["member"])

    @property
    def mean(self) -> xr.DataArray:
        """Mean forecast over `(sample[, label])`."""
        return self.members.mean("member", dtype=np.float64, skipna=False)

    @property
    def median(self) -> xr.DataArray:
        """Median forecast over `(sample[, label])`; the medians of several labels need not sum to 1."""
        return self.members.median("member", skipna=False).astype(np.float64)

    @property
    def spread(self) -> xr.DataArray:
        """Standard deviation of the members (divisor n - 1) over `(sample[, label])`."""
        return self.variance()["total"] ** 0.5

    def quantile(self, q: float | Sequence[float]) -> xr.DataArray:
        """Return quantiles of the members over `(quantile, sample[, label])`; no `quantile` dim for a single one.

        Args:
            q: Level or levels, in [0, 1].
        """
        return self.members.astype(np.float64).quantile(q, dim="member", skipna=False)

    def interval(self, level: float = 0.9) -> xr.DataArray:
        """Return the central interval of the members over `(sample[, label], bound)`, lower end first.

        It holds `level` of the *members*. How many outcomes it holds is another question: see `classifier_uncertainty`.
        """
        if not 0 < level < 1:
            raise ValueError(f"`level` must lie between 0 and 1; received {level}.")
        ends = self.quantile([0.5 - level / 2, 0.5 + level / 2]).rename(quantile="bound")
        return ends.assign_coords(bound=["lower", "upper"]).transpose(..., "bound")

    def variance(self) -> xr.Dataset:
        r"""Return the variance of the members, split by network, over `(sample[, label])`.

        `within` is the mean variance inside a network (its dropout), `between` the variance of the networks' means
        (their seeds, freed of what a finite number of members inside each adds), `total` that of all members. With one
        member per network all is between, with one network all is within. For m members in each network, with the
        unbiased variances,

        $$\mathrm{between} = \max\Big(0, \mathrm{var}(\bar x_j) - \mathrm{within} / m\Big), \qquad
        \mathrm{total} = \mathrm{within} + \mathrm{between}.$$
        """
        by_network = self.members.astype(np.float64).groupby("seed")
        networks = len(by_network)
        each = self.num_members / networks
        means = by_network.mean("member")
        within = by_network.var("member", ddof=1).mean("seed") if each >= 2 else xr.zeros_like(means.isel(seed=0))
        between = means.var("seed", ddof=1) if networks > 1 else xr.zeros_like(within)
        between = (between - within / each).clip(min=0) if networks > 1 else between
        split = xr.Dataset({"within": within, "between": between, "total": within + between})
        return split.drop_vars("seed", errors="ignore")

    def entropy(self) -> xr.DataArray:
        """Return the entropy of the mean forecast over `sample`, in nats: how unsure the forecast is in all.

        Raises:
            DataError: The task is a regression, whose members are not probabilities.
        """
        return self._entropy_of(self.mean)

    def expected_entropy(self) -> xr.DataArray:
        """Return the mean entropy of the members over `sample`, in nats: what remains unsure in a known network.

        Raises:
            DataError: The task is a regression.
        """
        return self._entropy_of(self.members.astype(np.float64)).mean("member")

    def mutual_information(self) -> xr.DataArray:
        """Return the entropy over `sample` that knowing the network would remove (epistemic), in nats; never negative.

        Raises:
            DataError: The task is a regression.
        """
        return (self.entropy() - self.expected_entropy()).clip(min=0)

    def uncertainty(self) -> xr.DataArray:
        """Return one number per case by which to sort: entropy for classifiers, spread for regression.

        Several targets give the root of their mean variance.
        """
        if self.task != "regression":
            return self.entropy()
        total = self.variance()["total"]
        return (total.mean("label") if "label" in total.dims else total) ** 0.5

    def table(self, *, level: float = 0.9, y_true: Any = None) -> pd.DataFrame:
        """Return one row per case, the most uncertain first.

        Args:
            level: Share of the members inside `lower` and `upper`.
            y_true: Answers, shape `(n,)`, to be shown beside the forecasts; or None.

        Returns:
            For binary tasks and single targets `deterministic`, `mean`, `median`, `spread`, `lower`, `upper`; for
            several labels these of the most probable one, named in `label`; for several targets these of each.
            Classifiers also `entropy` and `mutual_information`. The index is the sample.
        """
        parts = {"deterministic": self.deterministic, "mean": self.mean, "median": self.median, "spread": self.spread}
        ends = self.interval(level)
        parts |= {"lower": ends.sel(bound="lower", drop=True), "upper": ends.sel(bound="upper", drop=True)}
        columns: dict[str, Any] = {}
        if "label" in self.members.dims and self.task == "multiclass":
            top = self.mean.argmax("label")
            columns["label"] = self.members["label"].values[top.values]
            parts = {name: part.isel(label=top) for name, part in parts.items()}
        elif "label" in self.members.dims:
            labels = self.members["label"].values
            parts = {f"{name} {at}": part.sel(label=at) for name, part in parts.items() for at in labels}
        columns |= {name: part.values for name, part in parts.items()}
        if self.task != "regression":
            columns |= {"entropy": self.entropy().values, "mutual_information": self.mutual_information().values}
        if y_true is not None:
            columns["y_true"] = np.asarray(y_true)
        frame = pd.DataFrame(columns, index=pd.Index(self.members["sample"].values, name="sample"))
        return frame.iloc[np.argsort(-self.uncertainty().values, kind="stable")]

    def convergence(self) -> pd.DataFrame:
        """Return how much more members would still change the mean forecast.

        Returns:
            One row per number of members (halved from what there is), with the Monte-Carlo standard error of the mean
            forecast: its `median` and `largest` over cases and labels. It is about the sampling only: infinitely many
            members of a model that is wrong converge to the wrong forecast. With several networks it takes these
            networks as given.
        """
        within = self.variance()["within"] ** 0.5
        counts = []
        count = self.num_members
        while count >= 10 or count == self.num_members:
            counts.append(count)
            count //= 2
        errors = [within / np.sqrt(count) for count in reversed(counts)]
        return pd.DataFrame(
            {"median": [float(e.median()) for e in errors], "largest": [float(e.max()) for e in errors]},
            index=pd.Index(counts[::-1], name="num_members"),
        )

    @old_arguments("gengap.PredictiveDistribution.select")
    def select(self, cases: Any) -> "PredictiveDistribution":
        """Return the distribution of some cases.

        Args:
            cases: Positions of the cases: an integer, a slice or a sequence.
        """
        wanted = [cases] if np.isscalar(cases) else cases
        return PredictiveDistribution(
            self.members.isel(sample=wanted), self.deterministic.isel(sample=wanted), self.task, self.settings
        )

    def to_xarray(self) -> xr.Dataset:
        """Return members and deterministic forecasts as one xarray Dataset; settings and task are its attributes."""
        attributes = {"format": _FORMAT, "task": self.task, "settings": json.dumps(dict(self.settings))}
        return xr.Dataset({"member_forecast": self.members, "deterministic": self.deterministic}, attrs=attributes)

    def to_netcdf(self, path: str | Path) -> None:
        """Write the distribution to a netCDF file."""
        self.to_xarray().to_netcdf(path, engine="h5netcdf")

    @classmethod
    def from_netcdf(cls, path: str | Path) -> "PredictiveDistribution":
        """Read a distribution that `to_netcdf` wrote.

        Raises:
            StoreError: The file is not such a distribution.
        """
        with xr.open_dataset(path, engine="h5netcdf") as stored:
            if stored.attrs.get("format") != _FORMAT:
                raise StoreError(f"{path} is not a predictive distribution of gengap.")
            data = stored.load()
        members = data["member_forecast"].rename(None)
        return cls(members, data["deterministic"].rename(None), data.attrs["task"], json.loads(data.attrs["settings"]))

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name}: {size}" for name, size in self.members.sizes.items())
        return f"PredictiveDistribution({sizes}; {self.task}, {self.settings.get('method', 'members given')})"

    def _repr_html_(self) -> str:
        shown = self.table().head(_ROWS_SHOWN)
        rest = len(self.members["sample"]) - len(shown)
        more = f"<p>and {rest} cases that are less uncertain</p>" if rest else ""
        return f"<p>{self!r}</p>{shown.to_html(float_format='{:.3f}'.format)}{more}"

    def _entropy_of(self, probability: xr.DataArray) -> xr.DataArray:
        if self.task == "regression":
            raise DataError(
                "Entropy needs probabilities; the members are a regression's: use `spread` or `variance()`."
            )
        if self.task == "binary":
            return _surprise(probability) + _surprise(1 - probability)
        return _surprise(probability).sum("label")


_ROWS_SHOWN = 10


def _surprise(probability: xr.DataArray) -> xr.DataArray:
    """Return -p log p, which is 0 where p is."""
    positive = probability.clip(min=0)
    return -positive * np.log(positive.where(positive > 0, 1.0))
