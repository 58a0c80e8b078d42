"""Adaptive Rosenbrock integration of the population balance, compiled.

Method: Rodas5P, 8 stages, order 5, stiffly accurate and L-stable, with an embedded solution of order 4: Steinebach,
BIT Numer. Math. 2023, 63, 27; numbers as in OrdinaryDiffEq.jl. In the form of Hairer and Wanner, *Solving Ordinary
Differential Equations II*, 2nd ed., IV.7, with J and ∂f/∂t exact,

    (1/(hγ) - J) u_i = f(t + α_i h, y + Σ a_ij u_j) + Σ c_ij u_j/h + h γ_i ∂f/∂t,    y1 = y + Σ a_8j u_j + u_8,

and u_8 is the error of the embedded solution. J has the form of an arrow: each node couples to itself and to M alone.
Nodes are eliminated one by one, species and open cohort are dense (Gauss with row pivoting).

Error control: the largest error over its tolerance is kept below 1. Tolerances are ``rtol`` times

    species       concentration + 1e-6 of all CdSe units/its units: a monomer of 1e-6 and a cluster of 1e-8 have about
                  half of it, anything scarcer takes no part in the balance of units
    moments       number in the open cohort + 1 % of all nanocrystals
    nodes         size, or the seed's where that is larger, times up to 1e4 where few nanocrystals have it: their error
                  counts by number; times 1e3 below the vanishing size

Births: the open cohort is closed before its first-born would be more than ``width`` of the seed away from it, and a
step takes them no further. Steps end at output times and at the end of the wall's ramp, and in none does a constant
change by more than about a factor of e, or become a species negative by more than 10 tolerances: the error of a stiff
species that stops being stiff within a step is not seen by u_8.
"""

from pathlib import Path as File

import numpy as np

from ioc_sim.physics import balance, cohorts
from ioc_sim.physics.balance import MOMENTS, birth_rate, compiled, compiled_entry, constants_at, derivative, jacobian
from ioc_sim.physics.cohorts import NOTHING, close, record, vanish

__all__ = ["advance"]

_LEAST_SHARE = 1e-6
_MOST_CHANGE = 1.0
_LEAST_STEP = 1e-14
_ZERO = 1e-40
_GAMMA = 0.21193756319429014
_A = np.array(
    [
        [0.0, 0.0, 0.0, 0.0, 0.0],
        [3.0, 0.0, 0.0, 0.0, 0.0],
        [2.849394379747939, 0.45842242204463923, 0.0, 0.0, 0.0],
        [-6.954028509809101, 2.489845061869568, -10.358996098473584, 0.0, 0.0],
        [2.8029986275628964, 0.5072464736228206, -0.3988312541770524, -0.04721187230404641, 0.0],
        [-7.502846399306121, 2.561846144803919, -11.627539656261098, -0.18268767659942256, 0.030198172008377946],
    ]
)
_C = np.array(
    [
        [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        [-14.155112264123755, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        [-17.97296035885952, -2.859693295451294, 0.0, 0.0, 0.0, 0.0, 0.0],
        [147.12150275711716, -1.41221402718213, 71.68940251302358, 0.0, 0.0, 0.0, 0.0],
        [165.43517024871676, -0.4592823456491126, 42.90938336958603, -5.961986721573306, 0.0, 0.0, 0.0],
        [24.854864614690072, -3.0009227002832186, 47.4931110020768, 5.5814197821558125, -0.6610691825249471, 0.0, 0.0],
        [30.91273214028599, -3.1208243349937974, 77.79954646070892, 34.28646028294783, -19.097331116725623,
         -28.087943162872662, 0.0],
        [37.80277123390563, -3.2571969029072276, 112.26918849496327, 66.9347231244047, -40.06618937091002,
         -54.66780262877968, -9.48861652309627],
    ]
)  # fmt: skip
_ALPHA = np.array([0.0, 0.6358126895828704, 0.4095798393397535, 0.9769306725060716, 0.4288403609558664, 1.0, 1.0, 1.0])
_GAMMAS = np.array([_GAMMA, -0.42387512638858027, -0.3384627126235924, 1.8046452872882734, 2.325825639765069, 0, 0, 0])


@compiled
def _factor(law, h, w, dense, arrow, order):
    """Turn the Jacobian in place into factors of 1/(hγ) - J; ``arrow`` (4, nodes)."""
    size, monomer, pivot = len(dense), law.monomer, 1.0 / (h * _GAMMA)
    for i in range(size):
        for s in range(size):
            dense[i, s] = -dense[i, s]
        dense[i, i] += pivot
    for j in range(len(w)):
        arrow[2, j] = 1.0 / (pivot - arrow[0, j])
        # share of the node's right-hand side in the row of M
        arrow[3, j] = w[j] * arrow[0, j] * arrow[2, j]
        dense[monomer, monomer] += (w[j] + arrow[3, j]) * arrow[1, j]
    for j in range(size):
        best = j
        for i in range(j + 1, size):
            if abs(dense[i, j]) > abs(dense[best, j]):
                best = i
        order[j] = best
        if best != j:
            for i in range(size):
                dense[j, i], dense[best, i] = dense[best, i], dense[j, i]
        for i in range(j + 1, size):
            if dense[i, j] != 0.0:
                dense[i, j] /= dense[j, j]
                for s in range(j + 1, size):
                    dense[i, s] -= dense[i, j] * dense[j, s]


@compiled
def _solve(law, dense, arrow, order, b):
    """Solve in place with the factors."""
    size, monomer = len(dense), law.monomer
    for j in range(len(b) - size):
        b[monomer] -= arrow[3, j] * b[size + j]
    for j in range(size):
        b[j], b[order[j]] = b[order[j]], b[j]
    for j in range(size):
        for i in range(j):
            b[j] -= dense[j, i] * b[i]
    for j in range(size - 1, -1, -1):
        for i in range(j + 1, size):
            b[j] -= dense[j, i] * b[i]
        b[j] /= dense[j, j]
    for j in range(len(b) - size):
        b[size + j] = (b[size + j] + arrow[1, j] * b[monomer]) * arrow[2, j]


@compiled
def _step(law, path, ramping, t, h, k, slope, y, w, born, stages, u, f, f_t):
    """Leave y(t + h) in ``u`` and its error in the last of ``stages``; ``k``, ``slope`` are those at ``t``."""
    size, front = len(y), len(law.units) + MOMENTS
    dense, order, arrow = np.empty((front, front)), np.empty(front, np.int64), np.empty((4, len(w)))
    jacobian(law, k, slope, y, w, born, dense, arrow, f_t)
    _factor(law, h, w, dense, arrow, order)
    resting = np.all(slope == 0.0)
    now, unused = k.copy(), slope.copy()
    for i in range(8):
        if i < 6:
            u[:] = y
            for j in range(i):
                for s in range(size):
                    u[s] += _A[i, j] * stages[j, s]
            if i > 0 and not resting:
                constants_at(law, path, t + _ALPHA[i] * h, ramping, now, unused)
        else:
            for s in range(size):
                u[s] += stages[i - 1, s]
        derivative(law, now, u, w, born, f)
        for s in range(size):
            stages[i, s] = f[s] + h * _GAMMAS[i] * f_t[s]
        for j in range(i):
            c = _C[i, j] / h
            for s in range(size):
                stages[i, s] += c * stages[j, s]
        _solve(law, dense, arrow, order, stages[i])
    for s in range(size):
        u[s] += stages[7, s]


@compiled
def _error(law, y, u, error, w, rtol, total):
    """Largest error over its tolerance; infinity if anything is not finite."""
    count = len(law.units)
    front = count + MOMENTS
    least = _LEAST_SHARE * total
    worst, number, finite = 0.0, 0.0, True
    for s in range(count):
        worst = max(worst, abs(error[s]) / (rtol * (max(abs(y[s]), abs(u[s])) + least / law.units[s])))
        # what a wrong step leaves may be so large that its error is small beside it
        worst = max(worst, -u[s] / (10.0 * rtol * (abs(y[s]) + least / law.units[s])))
    for j in range(len(w)):
        number += w[j]
    scale = rtol * (max(abs(y[count]), abs(u[count])) + 0.01 * number + least / law.seed)
    for s in range(count, front):
        worst = max(worst, abs(error[s]) / scale)
    for j in range(len(w)):
        if w[j] > 0.0:
            n = max(y[front + j], law.seed)
            scarce = (0.01 * number + least / n) / w[j] if y[front + j] > law.vanishing else 1e3
            worst = max(worst, abs(error[front + j]) / (n * rtol * min(max(1.0, scarce), 1e4)))
    for s in range(len(u)):
        finite = finite and np.isfinite(u[s])
    return worst if finite else np.inf


def _build(stamp: int):
    @compiled_entry
    def advance(law, path, y, w, state, times, rtol, width, max_steps, species, rows):
        """Integrate along a path from its start.

        Parameters
        ----------
        law, path : Law, Path
            Chemistry and temperature.
        y, w : ndarray
            State and numbers of nodes, with room for all nodes (an even number); they go on.
        state : ndarray
            Number of nodes, step to begin with (s), steps taken, all CdSe units; they go on.
        times : ndarray
            Increasing output times, s, 0 the start of the path.
        rtol, width : float
            Relative tolerance; width of a birth cohort over the seed's size.
        max_steps : int
            Steps allowed, failed ones included.
        species, rows : ndarray
            Written: species (times, species) and cohorts (times, nodes + 2, 3), see :func:`.cohorts.record`.

        Returns
        -------
        float
            Time reached, less than the last of ``times`` when steps ran out or became too small.
        """
        count, monomer = len(law.units), law.monomer
        front = count + MOMENTS
        nodes, h, steps, total, _ = int(state[0]), state[1], 0, state[3], stamp
        k, slope = np.empty(len(law.ln_k0)), np.empty(len(law.ln_k0))
        room, u, f, f_t = np.empty((8, len(y))), np.empty(len(y)), np.empty(len(y)), np.empty(len(y))
        t = 0.0
        for index in range(len(times)):
            while t < times[index]:
                ramping = t < path.duration_s and path.start_k != path.end_k
                target = min(times[index], path.duration_s) if ramping else times[index]
                constants_at(law, path, t, ramping, k, slope)
                drift = abs(k[-2] * (y[monomer] * law.taylor[0, 0] - k[-1] * law.taylor[1, 0]))
                if y[count] != 0.0 and np.sqrt(3.0 * abs(y[count + 2] / y[count])) + drift * h > width:
                    nodes = close(law, y, w, nodes, total, width)
                born = y[count] != 0.0 or law.seed * birth_rate(law, k, y) * h > NOTHING * total
                size, free, rejected, fastest = front + nodes, h, False, 0.0
                for i in range(len(slope)):
                    fastest = max(fastest, abs(slope[i]))
                while True:
                    if steps >= max_steps or not h > _LEAST_STEP * (t + 1.0):
                        state[0], state[1], state[2] = nodes, h, state[2] + steps
                        return t
                    if born:
                        h = min(h, width / max(drift, 1e-300))
                    h = min(h, _MOST_CHANGE / max(fastest, 1e-300))
                    left = target - t
                    last = h >= left * (1.0 - 1e-9)
                    step = left if last else min(h, 0.5 * left)
                    stages = room[:, :size]
                    _step(law, path, ramping, t, step, k, slope, y[:size], w[:nodes], born,
                          stages, u[:size], f[:size], f_t[:size])  # fmt: skip
                    steps += 1
                    error = _error(law, y[:size], u[:size], stages[7], w[:nodes], rtol, total)
                    change = max(0.2, 0.9 * max(error, 1e-10) ** -0.2)
                    if error > 1.0:
                        h, rejected = step * change, True
                    elif not born and law.seed * birth_rate(law, k, u) * step > 10.0 * NOTHING * total:
                        born = True
                    elif born and u[count] > 0.0 and 3.0 * u[count + 2] > (2.0 * width) ** 2 * u[count]:
                        h, rejected = 0.5 * step, True
                    else:
                        break
                t = target if last else t + step
                for s in range(size):
                    # numbers near the smallest are slow to compute with
                    y[s] = u[s] if abs(u[s]) > _ZERO * total else 0.0
                nodes = vanish(law, y, w, nodes, total)
                h = step * min(change, 1.0) if rejected else min(step * change, max(free, 5.0 * step))
            species[index, :] = y[:count]
            record(law, y, w, nodes, rows[index])
        state[0], state[1], state[2] = nodes, h, state[2] + steps
        return t

    return advance


# numba's cache knows this file's time stamp and what a function encloses, but not functions in other files
advance = _build(max(File(str(module.__file__)).stat().st_mtime_ns for module in (balance, cohorts)))
