"""Ophyd devices of the flow reactor, over the records of real controllers.

The Channel Access client is caproto unless ``OPHYD_CONTROL_LAYER`` says ``pyepics``; ophyd reads that variable when it
is first imported.
"""

import os

os.environ.setdefault("OPHYD_CONTROL_LAYER", "caproto")

from devices.core.caproto_patch import keep_connecting
from devices.core.connect import NoAnswerError, connect, disconnect, use_clock
from devices.core.move import ClockStoppedError, DidNotHappenError, GivenUpError, Move, SetpointRefusedError
from devices.flow.geometry import ReactorGeometry, ReactorLimits
from devices.flow.reactor import FlowReactor, InterlockTrippedError
from devices.oven import Oven
from devices.pump import SyringePump
from devices.saxs.detector import FrameNotWrittenError, NoBeamError, SaxsDetector
from devices.spectrometer import Spectrometer

if os.environ["OPHYD_CONTROL_LAYER"] == "caproto":
    keep_connecting()

__all__ = [
    "ClockStoppedError",
    "DidNotHappenError",
    "FlowReactor",
    "FrameNotWrittenError",
    "GivenUpError",
    "InterlockTrippedError",
    "Move",
    "NoAnswerError",
    "NoBeamError",
    "Oven",
    "ReactorGeometry",
    "ReactorLimits",
    "SaxsDetector",
    "SetpointRefusedError",
    "Spectrometer",
    "SyringePump",
    "connect",
    "disconnect",
    "use_clock",
]
