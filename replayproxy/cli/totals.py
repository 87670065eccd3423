"""What a run has done, for its last line; and what the user should know at once."""

from decimal import Decimal
from pathlib import Path

from replayproxy.cli.text import count, dollars, plural, say
from replayproxy.model import Exchange, Outcome
from replayproxy.serving.player import Played

_UNKNOWN_AUTHORITY = "Certificate verify failed"  # mitmproxy's words


class RecordTotal:
    """What a run recorded, for its last line; and what kept it from recording more.

    Attributes:
        good: answers that came whole and were no errors.
    """

    def __init__(self) -> None:
        self.good = 0
        self._tokens = 0
        self._cost = Decimal(0)
        self._named_unknown_authority = False

    def add(self, exchange: Exchange) -> None:
        """One more was recorded."""
        if exchange.outcome is Outcome.COMPLETED and not exchange.error and exchange.head:
            self.good += exchange.head.status < 400
        self._tokens += exchange.usage.input_tokens or 0
        self._tokens += exchange.usage.output_tokens or 0
        self._cost += exchange.cost_usd or 0
        if _UNKNOWN_AUTHORITY in (exchange.error or "") and not self._named_unknown_authority:
            self._named_unknown_authority = True
            say(
                f"{exchange.request.host}: {exchange.error}. If you trust it, name the authority "
                "that signed its certificate: --upstream-ca FILE"
            )

    def summary(self, db: Path, recorded: int, not_recorded: int) -> str:
        """The last line."""
        facts = [plural(recorded, "exchange")]
        if self._tokens:
            facts.append(f"{count(self._tokens)} tokens")
        if self._cost:
            facts.append(dollars(float(self._cost)))
        lost = f"; {plural(not_recorded, 'exchange')} NOT recorded (see above)"
        return f"recorded {', '.join(facts)} into {db}" + (lost if not_recorded else "")


class ReplayTotal:
    """What became of the requests, for the last line.

    Attributes:
        asked: how many there were.
        misses: those that nothing answered.
    """

    def __init__(self) -> None:
        self.asked = self.misses = self._hits = 0
        self._passed_on: dict[str, int] = {}

    def add(self, played: Played) -> None:
        """One more was asked for."""
        self.asked += 1
        if played.hit:
            self._hits += 1
        elif played.passed_on:
            self._passed_on[played.passed_on] = self._passed_on.get(played.passed_on, 0) + 1
        elif played.miss:
            self.misses += 1
            say(f"miss: {played.message}")

    def summary(self, *, by_rules: int) -> str:
        """The last line."""
        replayed = f"replayed {plural(self._hits, 'exchange')}"
        if by_rules:
            replayed += f" ({by_rules} by rules)"
        passed_on = (
            f"{plural(number, 'miss', 'misses')} {how}" for how, number in self._passed_on.items()
        )
        missed = () if self._passed_on and not self.misses else (self.misses,)
        misses = (plural(number, "miss", "misses") for number in missed)
        return ", ".join((replayed, *passed_on, *misses))
