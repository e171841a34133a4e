"""Plain counters that the parts of the server keep while they work, and that `server/metrics` reads.

Adding is a few list and dictionary steps on the event loop: no lock, no library. The keys of every table come from our
own code (routes, enums, lists below), never from what a caller sends, so a table has a size that is known beforehand.
"""

from watchword.server.measures.connections import ConnectionMeasures
from watchword.server.measures.database import DatabaseMeasures
from watchword.server.measures.door import DoorMeasures
from watchword.server.measures.guesses import GuessMeasures
from watchword.server.measures.histogram import Histogram
from watchword.server.measures.limits import LimitMeasures
from watchword.server.measures.outcomes import Outcomes
from watchword.server.measures.requests import RequestMeasures
from watchword.server.measures.shared import Shared

__all__ = [
    "ConnectionMeasures",
    "DatabaseMeasures",
    "DoorMeasures",
    "GuessMeasures",
    "Histogram",
    "LimitMeasures",
    "Outcomes",
    "RequestMeasures",
    "Shared",
]
