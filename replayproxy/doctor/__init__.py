"""What is wrong with a set-up, and what to do about it. Looks, and changes nothing."""

from replayproxy.doctor.finding import Finding, Level

__all__ = ["Finding", "Level"]
