"""Training labels that mean nothing leave nothing to find: on the real soundings, the findings say so."""

from dataclasses import replace

import numpy as np
import pytest

import gengap as gg
from gengap_examples.demos import soundings_model


@pytest.mark.slow
def test_permuted_training_labels_show_no_skill_over_climatology():
    data = gg.datasets.soundings()
    mixed = replace(data.train, y=np.random.default_rng(0).permutation(data.train.y))
    study = gg.Study(soundings_model(), remedies=[gg.L2(1e-2)], seeds=6)
    result = study.run(
        mixed, validation_data=data.validation, test_data=data.test, epochs=15, batch_size=32, progress=False
    )
    found = gg.diagnose(result)
    for one in found.variants:
        assert one.skill_best.low < 0, one.variant
        codes = {finding.code for finding in found.findings if finding.subject == one.variant}
        assert codes & {"GG110", "GG111"}, one.variant
    said = [str(finding) for finding in found.findings if finding.code == "GG110"]
    assert any("not shown to beat the base-rate forecast, even at the best epoch" in sentence for sentence in said)
    assert all(one.verdict.kind == "cannot say" for one in gg.compare(result).contrasts)
