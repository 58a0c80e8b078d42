"""Startup of a session, in IPython (``msc session``) and in the queueserver's worker (``msc queue``) alike.

What is connected to, and where runs are stored, is set in ``msc.toml`` or ``MSC_…`` (see msc_plans.settings).
"""

import os

# One thread: those of the algebra library cost the live analysis more than they give.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from msc_plans.session.plans import plans_of
from msc_plans.session.session import open_session
from msc_plans.session.terminal import catch_up_after_cells, spare_tracebacks
from msc_plans.settings import read_settings
from msc_plans.views.lines import CampaignLines

settings = read_settings()
session = open_session(settings, listeners=[CampaignLines(settings.family_table.campaign_family)])
session.close_at_exit()
spare_tracebacks()
catch_up_after_cells(session.flush)
session.plots.open()
RE = session.RE
reactor = session.reactor
spectrometer = session.spectrometer
saxs = session.saxs
catalog = session.catalog
globals().update(plans_of(session))
