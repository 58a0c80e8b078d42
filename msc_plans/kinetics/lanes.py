"""Many stiff problems of one network side by side: RODAS4 on lanes.

RODAS4 (Hairer & Wanner, *Solving ODEs II*, IV.7) is a linearly implicit, L-stable, stiffly accurate Rosenbrock method
of order 4 with an embedded error estimate of order 3: six stages and one factorisation a step, with the analytic
Jacobian. Every operation of the tables (`network`) is done for all lanes at once, by vector instructions; each lane
has its own step size, and takes the next problem when it has finished one.
"""

import operator
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.datamodel import models
from numba.extending import intrinsic, overload, register_model

__all__ = ["LANES", "integrate"]

LANES = 32
"""Problems side by side: enough to share the tables' overhead, few enough to stay in the first cache."""

_intrinsic: Any = intrinsic  # takes away a function's first parameter, which its type does not tell


# Compilers unroll a loop of known length before they look for vectors in it, and then find none. So the vectors are
# spelled out: a type of LANES doubles, which becomes what registers the machine has.
class _Vector(types.Type):
    def __init__(self) -> None:
        super().__init__(name=f"vector of {LANES}")


_VECTOR = _Vector()
_IR = ir.VectorType(ir.DoubleType(), LANES)


@register_model(_Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager, kind) -> None:
        super().__init__(manager, kind, _IR)


def _row_pointer(context, builder, kind, value, row):
    array = context.make_array(kind)(context, builder, value)
    offset = builder.mul(row, ir.Constant(row.type, LANES))
    return builder.bitcast(builder.gep(array.data, [offset]), _IR.as_pointer())


@_intrinsic
def _load(typing, array, row):
    """Return a row of an array of shape (rows, LANES)."""

    def generate(context, builder, signature, arguments):
        pointer = _row_pointer(context, builder, signature.args[0], *arguments)
        return builder.load(pointer, align=8)

    return _VECTOR(array, types.intp), generate


@_intrinsic
def _store(typing, array, row, vector):
    """Fill a row of an array of shape (rows, LANES)."""

    def generate(context, builder, signature, arguments):
        pointer = _row_pointer(context, builder, signature.args[0], *arguments[:2])
        builder.store(arguments[2], pointer, align=8)
        return context.get_dummy_value()

    return types.void(array, types.intp, _VECTOR), generate


@_intrinsic
def _spread(typing, number):
    """Return a vector that is the same in all lanes."""

    def generate(context, builder, signature, arguments):
        one = builder.insert_element(ir.Constant(_IR, ir.Undefined), arguments[0], ir.Constant(ir.IntType(32), 0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        return builder.shuffle_vector(one, ir.Constant(_IR, ir.Undefined), zeros)

    return _VECTOR(types.float64), generate


def _operation(python, name):
    @_intrinsic
    def compiled(typing, left, right):
        def generate(context, builder, signature, arguments):
            return getattr(builder, name)(*arguments, flags=("contract",))

        return _VECTOR(_VECTOR, _VECTOR), generate

    @overload(python)
    def chosen(left, right):
        if isinstance(left, _Vector) and isinstance(right, _Vector):
            return lambda left, right: compiled(left, right)
        return None


_operation(operator.add, "fadd")
_operation(operator.sub, "fsub")
_operation(operator.mul, "fmul")
_operation(operator.truediv, "fdiv")


@_intrinsic
def _larger(typing, left, right):
    """Return the larger size of two vectors, lane by lane."""

    def generate(context, builder, signature, arguments):
        kind = ir.FunctionType(_IR, [_IR])
        size = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fabs.v{LANES}f64")
        left, right = (builder.call(size, [argument]) for argument in arguments)
        return builder.select(builder.fcmp_ordered(">", left, right), left, right)

    return _VECTOR(_VECTOR, _VECTOR), generate


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
def _factorise(y, k, inverse, slopes, slope, diagonal, elimination, matrix):
    """Fill I/(hγ) − ∂f/∂y and eliminate; diagonals are left as their inverses."""
    matrix[:] = 0.0
    for n in range(len(slopes)):
        term, a, b, place = slopes[n]
        change = _spread(slope[n]) * _load(k, term) * (_load(y, a) * _load(y, b))
        _store(matrix, place, _load(matrix, place) - change)
    whole = _load(inverse, 0) * _spread(1.0 / _GAMMA)
    for place in diagonal:
        _store(matrix, place, _load(matrix, place) + whole)
    # Without pivoting: 1/(hγ) keeps the diagonal dominant; where it doesn't, the error estimate shrinks the step.
    for n in range(len(elimination)):
        a, b, c = elimination[n]
        if b < 0:
            _store(matrix, a, _spread(1.0) / _load(matrix, a))
        elif c < 0:
            _store(matrix, a, _load(matrix, a) * _load(matrix, b))
        else:
            _store(matrix, a, _load(matrix, a) - _load(matrix, b) * _load(matrix, c))


@_compiled
def _substitute(operations, matrix, x, first):
    """Solve in the rows of ``x`` from ``first`` on."""
    for n in range(len(operations)):
        i, place, j = operations[n]
        i += first
        if j < 0:
            _store(x, i, _load(x, i) * _load(matrix, place))
        else:
            _store(x, i, _load(x, i) - _load(matrix, place) * _load(x, first + j))


@_compiled
def _attempt(y, k, inverse, factors, changes, change, forward, backward, matrix, rate, stages, trial):
    """One step of every lane: `trial` is the new state, the last of `stages` its error."""
    count = len(stages) // _STAGES
    by_step = _load(inverse, 0)
    for s in range(_STAGES):
        first = s * count
        for i in range(count):
            right = _spread(0.0)
            if s == _STAGES - 1:
                state = _load(trial, i) + _load(stages, first - count + i)
                for earlier in range(s):
                    right = right + _spread(_C[s, earlier]) * _load(stages, earlier * count + i)
            else:
                state = _load(y, i)
                for earlier in range(s):
                    stage = _load(stages, earlier * count + i)
                    state = state + _spread(_A[s, earlier]) * stage
                    right = right + _spread(_C[s, earlier]) * stage
            _store(trial, i, state)
            _store(stages, first + i, right * by_step)
        for term in range(len(factors)):
            a, b, c = factors[term]
            _store(rate, term, _load(k, term) * _load(trial, a) * (_load(trial, b) * _load(trial, c)))
        for n in range(len(changes)):
            i, term = changes[n]
            _store(stages, first + i, _load(stages, first + i) + _spread(change[n]) * _load(rate, term))
        _substitute(forward, matrix, stages, first)
        _substitute(backward, matrix, stages, first)
    last = (_STAGES - 1) * count
    for i in range(count):
        _store(trial, i, _load(trial, i) + _load(stages, last + i))


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
    stages = np.zeros((_STAGES * count, LANES))
    matrix = np.zeros((places, LANES))
    k = np.zeros((terms, LANES))
    rate = np.zeros((terms, LANES))
    step, inverse = np.ones(LANES), np.ones((1, LANES))
    done = np.zeros(LANES)
    error = np.zeros((1, LANES))
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
        for lane in range(LANES):
            inverse[0, lane] = 1.0 / step[lane]
        _factorise(y, k, inverse, slopes, slope, diagonal, elimination, matrix)
        _attempt(y, k, inverse, factors, changes, change, forward, backward, matrix, rate, stages, trial)
        squares = _spread(0.0)
        for i in range(count):
            scale = _spread(atol[i]) + _spread(rtol) * _larger(_load(y, i), _load(trial, i))
            miss = _load(stages, (_STAGES - 1) * count + i) / scale
            squares = squares + miss * miss
        _store(error, 0, squares)
        for lane in range(LANES):
            if free[lane]:
                continue
            size = np.sqrt(error[0, lane] / count)
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
