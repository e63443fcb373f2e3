"""The few exceptions callers may meet; each says what they can do about it."""


class AsiArchError(Exception):
    """Base of every error this package raises on purpose."""


class UserError(AsiArchError, ValueError):
    """A mistake the user can mend; the message names the value, the allowed ones and the fix.

    The command line prints it as one sentence and exits with code 2.
    """


class MissingExtra(UserError):
    """An optional package is not installed; the message is the install command."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"{package} is not installed; run: pip install 'asi-arch[{extra}]'")


class BudgetSpent(AsiArchError):
    """A limit of the campaign is reached; running work finishes, nothing new starts."""


class BackendError(AsiArchError):
    """A language model gave no usable answer; the experiment that asked ends as failed.

    `faults` is what went wrong at each try, in order.
    """

    def __init__(self, message: str, faults: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.faults = faults


class StoppedEarly(AsiArchError):
    """A rule of its stage ended a training; the run is stored as stopped, with the reason."""


class OutOfMemory(AsiArchError):
    """Not even one sequence at once fits; the run is stored as failed, with the reason."""
