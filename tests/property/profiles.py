"""How long Hypothesis looks: the same examples on every run, ten times as many when told `full`."""

from hypothesis import HealthCheck, Phase, settings

FULL = 10  # times as many examples

# Shared machines stall: a slow example is no fault, so nothing here is timed.
_UNTIMED = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]


def examples(count: int, *, steps: int = 50, is_slow: bool = False) -> settings:
    """Return settings for `count` examples, chosen by the test's own code and nothing else.

    A slow test shows the first failure as it was found: to look for the smallest one could take
    longer than a test may (`faulthandler_timeout`). Take `is_slow` away to have it looked for.
    """
    return settings(
        max_examples=count,
        stateful_step_count=steps,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=_UNTIMED,
        print_blob=False,
        phases=[Phase.generate] if is_slow else list(Phase),
    )
