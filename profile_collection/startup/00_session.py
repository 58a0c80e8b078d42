"""Startup of a session: ``ipython --profile-dir=profile_collection``.

What is connected to, and where runs are stored, is set in ``msc.toml`` or ``MSC_…`` (see msc_plans.settings).
"""

import os

# One thread: those of the algebra library cost the live analysis more than they give.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from msc_plans.advisor import Advisor, SearchSpace, make_goal  # noqa: F401
from msc_plans.cli.session import open_session
from msc_plans.plans import (  # noqa: F401
    bring_up,
    make_safe,
    measure_condition,
    msc_campaign,
    nucleation_temperature_scan,
    residence_time_scan,
    take_dark_and_reference,
)
from msc_plans.settings import Settings
from msc_plans.views.lines import CampaignLines

session = open_session(Settings(), listeners=[CampaignLines()])
session.close_at_exit()
session.plots.open()
RE = session.RE
reactor = session.reactor
spectrometer = session.spectrometer
catalog = session.catalog
