"""Switch one patch off in this process and its children, for tests alone: Python imports this from PYTHONPATH.

`PATCH_OFF_IN_TESTS` names the patch. Nothing that is installed reads it.
"""

import os
import sys
import types

import msc_plans.patches

_off = os.environ["PATCH_OFF_IN_TESTS"]
_applies = msc_plans.patches.applies


def _applies_unless_off(patch):
    return patch.name != _off and _applies(patch)


msc_plans.patches.applies = _applies_unless_off
if _off == "caproto: reconnect":
    _stub = types.ModuleType("devices.core.caproto_patch")
    _stub.keep_connecting = lambda: None
    sys.modules[_stub.__name__] = _stub
