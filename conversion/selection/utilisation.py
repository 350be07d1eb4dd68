"""What a token costs on a machine of one's own: paid by the hour, busy or not."""

from __future__ import annotations

from dataclasses import dataclass

from conversion.task import TaskData

_HOUR_US = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Utilisation:
    """A host, and what it really handled.

    Small models look cheap by their list price; at low utilisation a shared LLM may be cheaper (the paper's own
    objection), so nothing here assumes a busy host."""

    dollars_per_hour: float
    """Price of the host; 0 when it is there anyway."""
    tokens: float
    """Tokens that it read and wrote in that time, or would have with this task."""
    hours: float

    def __post_init__(self) -> None:
        if self.dollars_per_hour < 0 or self.tokens < 0 or self.hours <= 0:
            raise ValueError(
                f"{self!r} is no utilisation; dollars and tokens are at least 0, hours more than 0"
            )

    @classmethod
    def of_task(cls, data: TaskData, dollars_per_hour: float, others: float = 0.0) -> Utilisation:
        """A host that serves this task at the pace of the log, and `others` tokens an hour beside it."""
        examples = (*data.training, *data.calibration, *data.held_out)
        if not examples:
            raise ValueError(f"task {data.task.id!r} has no examples to take a pace from")
        moments = [example.started for example in examples]
        hours = max((max(moments) - min(moments)) / _HOUR_US, 1 / 3600)
        sampled = sum(example.input_tokens + example.output_tokens for example in examples)
        tokens = sampled * max(data.task.calls, len(examples)) / len(examples)
        return cls(dollars_per_hour, tokens + others * hours, hours)

    @property
    def dollars_per_million(self) -> float:
        """Dollars for a million tokens; infinite for a paid host that handles none."""
        spent = self.dollars_per_hour * self.hours
        if not spent:
            return 0.0
        return spent / self.tokens * 1e6 if self.tokens else float("inf")

    @property
    def sentence(self) -> str:
        """For people."""
        return (
            f"{self.tokens / self.hours:,.0f} tokens an hour on a host of {self.dollars_per_hour:g} dollars an hour: "
            f"{self.dollars_per_million:,.2f} dollars per million tokens"
        )
