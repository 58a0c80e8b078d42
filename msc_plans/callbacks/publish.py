"""Results as documents: a run of one event, sent to whoever listens."""

from collections.abc import Mapping, Sequence
from typing import Any

import event_model
import numpy as np

from msc_plans.protocols import Documents

__all__ = ["publish_run"]

_DTYPES = {float: ("number", "<f8"), int: ("integer", "<i8"), bool: ("boolean", "|b1")}


def publish_run(
    listeners: Sequence[Documents],
    metadata: Mapping[str, Any],
    data: Mapping[str, Any],
    *,
    units: Mapping[str, str] | None = None,
    exit_status: str = "success",
    reason: str = "",
) -> str:
    """Send start, descriptor, one event and stop of a run to each listener in turn.

    Parameters
    ----------
    listeners : sequence of callables
        Take ``(name, document)``.
    metadata : mapping
        Goes into the start document.
    data : mapping
        Numbers, strings and arrays by key; without any, the run has no stream.
    units : mapping, optional
        Units by data key.
    exit_status, reason : str
        Of the stop document.

    Returns
    -------
    str
        The run's uid.

    Raises
    ------
    TypeError
        A value is neither number, string nor array.
    """

    def send(name: str, document: Any) -> None:
        for listener in listeners:
            listener(name, dict(document))

    run = event_model.compose_run(metadata=dict(metadata))
    send("start", run.start_doc)
    if data:
        stream = run.compose_descriptor(
            name="primary",
            data_keys={key: _data_key(key, value, (units or {}).get(key)) for key, value in data.items()},
        )
        send("descriptor", stream.descriptor_doc)
        now = run.start_doc["time"]
        values = {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in data.items()}
        send("event", stream.compose_event(data=values, timestamps=dict.fromkeys(data, now)))
    send("stop", run.compose_stop(exit_status=exit_status, reason=reason))  # type: ignore[arg-type]
    return str(run.start_doc["uid"])


def _data_key(name: str, value: Any, units: str | None) -> Any:
    key: dict[str, Any] = {"source": "msc_plans"}
    if isinstance(value, np.ndarray):
        key |= {"dtype": "array", "shape": list(value.shape), "dtype_numpy": value.dtype.str}
    elif isinstance(value, str):
        key |= {"dtype": "string", "shape": []}
    elif type(value) not in _DTYPES:
        raise TypeError(f"{name!r} is a {type(value).__name__}; documents carry numbers, strings and arrays")
    else:
        dtype, dtype_numpy = _DTYPES[type(value)]
        key |= {"dtype": dtype, "shape": [], "dtype_numpy": dtype_numpy}
    if units:
        key["units"] = units
    return key
