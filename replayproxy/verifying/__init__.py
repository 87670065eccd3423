"""Recorded requests sent to the live API again, and what has changed there since.

Rule: the database is only read. Nothing of a live answer is kept, and no
secret that was sent is in any result.

`plan` says what is sent, `outgoing` with which headers, `live` sends it, and
`comparison` (with `shape`) tells the answers apart.
"""

from replayproxy.verifying.comparison import Comparison, Difference, Kind
from replayproxy.verifying.live import Live
from replayproxy.verifying.outgoing import Credentials, Outgoing
from replayproxy.verifying.plan import Check, Plan, plan
from replayproxy.verifying.running import Result, Verdict, Verifier, verify_all

__all__ = [
    "Check",
    "Comparison",
    "Credentials",
    "Difference",
    "Kind",
    "Live",
    "Outgoing",
    "Plan",
    "Result",
    "Verdict",
    "Verifier",
    "plan",
    "verify_all",
]
