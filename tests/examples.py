"""How much hypothesis draws: a part of it in `make test`, the same each time, and all in `make soak`, always anew."""

from hypothesis import settings


def examples(*, test: int, soak: int) -> int:
    """A number for `max_examples`, by the profile that is in use."""
    return soak if settings.get_current_profile_name() == "soak" else test
