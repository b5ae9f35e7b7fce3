"""Which of scikit-learn's own checks the estimators do not pass, and why."""

_WEIGHTS = (
    "a case of weight 2 is not two cases to a network: batches are formed of cases, so what stands in a batch, and how "
    "many steps an epoch has, differ; the objective weighs both alike"
)

EXPECTED_FAILED_CHECKS = {
    "check_sample_weight_equivalence_on_dense_data": _WEIGHTS,
    "check_sample_weight_equivalence_on_sparse_data": _WEIGHTS,
}
"""Reasons by the name of the check, as `sklearn.utils.estimator_checks.check_estimator` takes them."""
