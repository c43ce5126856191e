"""What logs and operators are told of a failure: never its text, which may quote a secret."""

import traceback


def in_words(error: BaseException) -> str:
    """What a failure is, in words that tell nothing of any call: its class, and what the system or the database calls it."""
    name = type(error).__name__
    if isinstance(error, OSError):
        return f"{name}: {error.strerror}" if error.strerror else name
    origin = getattr(error, "orig", None) or error  # SQLAlchemy's errors have the driver's
    code = getattr(origin, "sqlite_errorname", None) or getattr(origin, "sqlstate", None)
    return f"{name} ({code})" if code else name


def frames_of(error: BaseException) -> str:
    """Where a failure happened, the innermost frame first; nothing of its text, which may quote a secret."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    return " < ".join(f"{frame.name}:{frame.lineno}" for frame in reversed(frames))
