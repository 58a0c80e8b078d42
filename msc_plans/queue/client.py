"""A client of the RE Manager: one request, one answer, over 0MQ; no thread, nothing kept open between requests."""

import os
from typing import Any

__all__ = ["Manager", "ManagerError", "NoManagerError"]

_DEFAULT_ADDRESS = "tcp://localhost:60615"


class ManagerError(RuntimeError):
    """The RE Manager refuses a request; the message says why."""


class NoManagerError(ManagerError):
    """The RE Manager does not answer."""


class Manager:
    """The RE Manager behind an address.

    Parameters
    ----------
    address : str, optional
        ``tcp://HOST:PORT``; default: ``QSERVER_ZMQ_CONTROL_ADDRESS``, or the queueserver's own default. With
        ``QSERVER_ZMQ_PUBLIC_KEY`` what is said is encrypted.
    timeout_s : float
        For each answer.

    Raises
    ------
    ImportError
        The queueserver is not installed.
    """

    def __init__(self, address: str | None = None, *, timeout_s: float = 10.0) -> None:
        import zmq

        self.address = address or os.environ.get("QSERVER_ZMQ_CONTROL_ADDRESS") or _DEFAULT_ADDRESS
        self._timeout_ms = int(1e3 * timeout_s)
        self._context = zmq.Context()

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """Return the answer to a request of the RE Manager's API.

        Raises
        ------
        NoManagerError
            There is none.
        ManagerError
            The request is refused.
        """
        import zmq

        with self._context.socket(zmq.REQ) as socket:
            socket.linger = 0
            key = os.environ.get("QSERVER_ZMQ_PUBLIC_KEY")
            if key:
                socket.curve_serverkey = key.encode()
                socket.curve_publickey, socket.curve_secretkey = zmq.curve_keypair()
            try:
                socket.connect(self.address)
            except zmq.ZMQError as error:
                raise NoManagerError(f"{self.address!r} isn't an address: {error}") from error
            socket.send_json({"method": method, "params": params})
            if not socket.poll(self._timeout_ms):
                raise NoManagerError(f"the RE Manager at {self.address} does not answer")
            answer = socket.recv_json()
        if not isinstance(answer, dict):
            raise ManagerError(f"the RE Manager answers {method} with {answer!r}")
        if not answer.get("success", True):
            raise ManagerError(f"the RE Manager refuses {method}: {answer.get('msg', '')}")
        return answer

    def status(self) -> dict[str, Any]:
        """Return its status; empty where it does not answer."""
        try:
            return self.ask("status")
        except NoManagerError:
            return {}

    def close(self) -> None:
        """Let go of what 0MQ needs."""
        self._context.term()
