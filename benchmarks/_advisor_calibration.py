"""Simulation-based calibration (Talts et al., arXiv:1804.06788): is what is inferred as uncertain as it says?

Parameters are drawn from the prior, observations from the model with them, its discrepancy and errors of measurement;
the rank of each true parameter among the particles must be uniform.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chisquare

from msc_plans.condition import Condition
from msc_plans.kinetics.discrepancy import Discrepancy
from msc_plans.kinetics.inference import Posterior
from msc_plans.kinetics.mechanism_file import mechanisms
from msc_plans.kinetics.observation import Observables, Observation

_CONDITIONS = (Condition(280, 280, 14), Condition(300, 260, 3), Condition(340, 330, 7.6), Condition(310, 230, 10))
_QUANTITIES = Observables().names
_OPTICAL = _QUANTITIES.index("NC width") + 1
_SIGMAS = np.array([0.1] * 5 + [2.0, 0.2])
_BINS = 5


def rank_p_values(mechanism: str, worlds: int, seed: int) -> NDArray[np.float64]:
    """Return the p-value of a uniform rank, for each parameter."""
    ranks = []
    for number in range(worlds):
        posterior = Posterior(mechanisms()[mechanism], seed=seed + number)
        rng = np.random.default_rng([seed, number, 7])
        posterior.z[0] = true = rng.standard_normal(posterior.z.shape[1])
        model = posterior.predict(_CONDITIONS, most=1)
        nothing = np.zeros((1, 0, len(_QUANTITIES)))
        values = Discrepancy((), (), _QUANTITIES).corrected(nothing, model, _CONDITIONS, rng)[0]
        values[:, :_OPTICAL] += _SIGMAS * rng.standard_normal((len(_CONDITIONS), _OPTICAL))
        values[:, _OPTICAL:] = np.nan
        sigmas = np.pad(_SIGMAS, (0, len(_QUANTITIES) - _OPTICAL), constant_values=1.0)
        posterior = Posterior(mechanisms()[mechanism], seed=seed + number)
        posterior.update(_CONDITIONS, [Observation(row, sigmas, 1.0) for row in values])
        ranks.append((posterior.z < true).mean(axis=0))
    bins = np.minimum((np.array(ranks) * _BINS).astype(int), _BINS - 1)
    return np.array([chisquare(np.bincount(column, minlength=_BINS)).pvalue for column in bins.T])
