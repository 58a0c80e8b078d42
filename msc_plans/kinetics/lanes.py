"""Many stiff problems of one network side by side: RODAS4 on lanes.

RODAS4 (Hairer & Wanner, *Solving ODEs II*, IV.7) is a linearly implicit, L-stable, stiffly accurate Rosenbrock method
of order 4 with an embedded error estimate of order 3: six stages and one factorisation a step, with the analytic
Jacobian. Every operation of the tables (`network`) is done for all lanes at once, which the compiler turns into vector
instructions; each lane has its own step size, and takes the next problem when it has finished one.
"""

import numba
import numpy as np

__all__ = ["LANES", "integrate"]

LANES = 16
"""Problems side by side: enough to share the tables' overhead, few enough to stay in the first cache."""

_A = np.array(
    [
        [0, 0, 0, 0, 0],
        [1.544, 0, 0, 0, 0],
        [0.9466785280815826, 0.2557011698983284, 0, 0, 0],
        [3.314825187068521, 2.896124015972201, 0.9986419139977817, 0, 0],
        [1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950, 0],
        [1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950, 1],
    ]
)
_C = np.array(
    [
        [0, 0, 0, 0, 0],
        [-5.6688, 0, 0, 0, 0],
        [-2.430093356833875, -0.2063599157091915, 0, 0, 0],
        [-0.1073529058151375, -9.594562251023355, -20.47028614809616, 0, 0],
        [7.496443313967647, -10.24680431464352, -33.99990352819905, 11.70890893206160, 0],
        [8.083246795921522, -7.981132988064893, -31.52159432874371, 16.31930543123136, -6.058818238834054],
    ]
)
_GAMMA = 0.25
_STAGES = 6
_MOST_STEPS = 20_000

_compiled = numba.njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})


@_compiled
def _rates(y, k, factors, rate):
    for term in range(len(factors)):
        a, b, c = factors[term]
        for lane in range(LANES):
            rate[term, lane] = k[term, lane] * y[a, lane] * y[b, lane] * y[c, lane]


@_compiled
def _factorise(y, k, step, slopes, slope, diagonal, elimination, matrix):
    """Fill I/(hγ) − ∂f/∂y and eliminate; diagonals are left as their inverses."""
    matrix[:] = 0.0
    for n in range(len(slopes)):
        term, a, b, place = slopes[n]
        amount = slope[n]
        for lane in range(LANES):
            matrix[place, lane] -= amount * k[term, lane] * y[a, lane] * y[b, lane]
    for place in diagonal:
        for lane in range(LANES):
            matrix[place, lane] += 1.0 / (_GAMMA * step[lane])
    # Without pivoting: 1/(hγ) keeps the diagonal dominant; where it doesn't, the error estimate shrinks the step.
    for n in range(len(elimination)):
        a, b, c = elimination[n]
        if b < 0:
            for lane in range(LANES):
                matrix[a, lane] = 1.0 / matrix[a, lane]
        elif c < 0:
            for lane in range(LANES):
                matrix[a, lane] *= matrix[b, lane]
        else:
            for lane in range(LANES):
                matrix[a, lane] -= matrix[b, lane] * matrix[c, lane]


@_compiled
def _substitute(operations, matrix, x):
    for n in range(len(operations)):
        i, place, j = operations[n]
        if j < 0:
            for lane in range(LANES):
                x[i, lane] *= matrix[place, lane]
        else:
            for lane in range(LANES):
                x[i, lane] -= matrix[place, lane] * x[j, lane]


@_compiled
def _attempt(y, k, step, factors, changes, change, forward, backward, matrix, rate, stages, trial):
    """One step of every lane: `trial` is the new state, the last of `stages` its error."""
    count = len(stages[0])
    for s in range(_STAGES):
        right = stages[s]
        for i in range(count):
            if s == _STAGES - 1:
                for lane in range(LANES):
                    trial[i, lane] += stages[s - 1, i, lane]
            else:
                for lane in range(LANES):
                    trial[i, lane] = y[i, lane]
                for earlier in range(s):
                    a = _A[s, earlier]
                    for lane in range(LANES):
                        trial[i, lane] += a * stages[earlier, i, lane]
            for lane in range(LANES):
                right[i, lane] = 0.0
            for earlier in range(s):
                c = _C[s, earlier]
                for lane in range(LANES):
                    right[i, lane] += c * stages[earlier, i, lane]
            if s > 0:
                for lane in range(LANES):
                    right[i, lane] /= step[lane]
        _rates(trial, k, factors, rate)
        for n in range(len(changes)):
            i, term = changes[n]
            amount = change[n]
            for lane in range(LANES):
                right[i, lane] += amount * rate[term, lane]
        _substitute(forward, matrix, right)
        _substitute(backward, matrix, right)
    for i in range(count):
        for lane in range(LANES):
            trial[i, lane] += stages[_STAGES - 1, i, lane]


@_compiled
def integrate(
    start, origin, constants, constant_of, seconds, atol, rtol, fixed,
    constant, factors, changes, change, slopes, slope, diagonal, places, elimination, forward, backward,
    result, jobs,
):  # fmt: skip
    """Integrate problems until none is left.

    Parameters
    ----------
    start : ndarray, shape (starts, species)
        States to begin from.
    origin, constant_of : ndarray, shape (problems,)
        Which of the starts, and which row of `constants`, a problem has.
    constants : ndarray, shape (rows, constants)
        Rate constants.
    seconds : ndarray, shape (problems,)
        How long.
    atol, rtol : ndarray, shape (species,), and float
        Error of a step, absolute and relative.
    fixed : int
        Above 0: so many equal steps without error control.
    constant … backward
        See `Network`.
    result : ndarray, shape (problems, species)
        Filled with the states at the end; NaN where a problem can't be integrated.
    jobs : ndarray, shape (some,)
        Which problems to do.
    """
    count, terms = len(diagonal), len(constant)
    y = np.zeros((count + 1, LANES))
    trial = np.zeros((count + 1, LANES))
    y[count] = 1.0
    trial[count] = 1.0
    stages = np.zeros((_STAGES, count, LANES))
    matrix = np.zeros((places, LANES))
    k = np.zeros((terms, LANES))
    rate = np.zeros((terms, LANES))
    step = np.ones(LANES)
    done = np.zeros(LANES)
    error = np.zeros(LANES)
    rejected = np.zeros(LANES, dtype=np.bool_)
    steps = np.zeros(LANES, dtype=np.int64)
    job = np.full(LANES, -1)
    free = np.ones(LANES, dtype=np.bool_)
    following, busy = 0, 0
    while True:
        for lane in range(LANES):
            while free[lane] and following < len(jobs):
                one = jobs[following]
                following += 1
                if not seconds[one] > 0.0:
                    result[one] = start[origin[one]]
                    continue
                free[lane], job[lane], busy = False, one, busy + 1
                y[:count, lane] = start[origin[one]]
                for term in range(terms):
                    k[term, lane] = constants[constant_of[one], constant[term]]
                done[lane], rejected[lane], steps[lane] = 0.0, False, 0
                step[lane] = seconds[one] / fixed if fixed > 0 else min(seconds[one], 2e-2)
        if busy == 0:
            return
        _factorise(y, k, step, slopes, slope, diagonal, elimination, matrix)
        _attempt(y, k, step, factors, changes, change, forward, backward, matrix, rate, stages, trial)
        error[:] = 0.0
        for i in range(count):
            for lane in range(LANES):
                scale = atol[i] + rtol * max(abs(y[i, lane]), abs(trial[i, lane]))
                error[lane] += (stages[_STAGES - 1, i, lane] / scale) ** 2
        for lane in range(LANES):
            if free[lane]:
                continue
            size = np.sqrt(error[lane] / count)
            one = job[lane]
            steps[lane] += 1
            finished = failed = False
            if fixed > 0 or size <= 1.0:
                for i in range(count):
                    y[i, lane] = trial[i, lane]
                done[lane] += step[lane]
                left = seconds[one] - done[lane]
                finished = left <= 1e-12 * seconds[one] or (fixed > 0 and steps[lane] == fixed)
                if fixed == 0:
                    grow = 10.0 if size == 0.0 else min(10.0, max(0.2, 0.9 * size**-0.25))
                    step[lane] = min(step[lane] * (min(grow, 1.0) if rejected[lane] else grow), left)
                rejected[lane] = False
            else:
                step[lane] *= max(0.1, 0.9 * size**-0.25) if np.isfinite(size) else 0.1
                rejected[lane] = True
                failed = step[lane] < 1e-12 * seconds[one]
            if finished or failed or steps[lane] >= max(_MOST_STEPS, fixed):
                for i in range(count):
                    result[one, i] = y[i, lane] if finished else np.nan
                # An idle lane goes on with a problem in which nothing happens.
                free[lane], busy, step[lane] = True, busy - 1, 1.0
                y[:count, lane] = 0.0
                k[:, lane] = 0.0
