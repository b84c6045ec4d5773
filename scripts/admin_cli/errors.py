"""How the CLI ends: exit codes, and errors that say what to do next."""

from collections.abc import Callable
from typing import Any, Final, cast

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, ProfileNotFound

from lantern.domain.errors import InvalidInputError, LanternError, NotFoundError, StorageError

OK: Final = 0
FOUND: Final = 1
"""It ran, and the answer is bad: a broken chain, a refused or unfinished act, something that is not there."""
USAGE: Final = 2
"""The command line makes no sense as it stands."""
UNREACHABLE: Final = 3
"""The stage could not be reached, or does not let this operator in: nothing was done, or it is not known."""


class CliError(Exception):
    """An end with a reason and a remedy, both whole sentences for a tired person."""

    def __init__(self, message: str, remedy: str, code: int = FOUND) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.code = code


def bad_input(option: str, what: str, remedy: str) -> CliError:
    """The error for an option or argument that cannot be used; `what` completes "OPTION …"."""
    return CliError(f"{option}: {what}", remedy, USAGE)


def explained(error: Exception) -> CliError | None:
    """An error of ours or of AWS in words; None for one nobody expected."""
    for kinds, explain in _EXPLANATIONS:
        if isinstance(error, kinds):
            return explain(error)
    return None


def _invalid(error: InvalidInputError) -> CliError:
    return CliError(f"{error.field} cannot be used as it is.", error.remedy, USAGE)


def _not_found(error: NotFoundError) -> CliError:
    remedy = "Check the id and the stage; `tenant list` shows what is there."
    return CliError(f"There is no {error.what} {error.identifier}.", remedy)


def _no_answer(error: StorageError) -> CliError:
    remedy = "Nothing is known of the outcome. Run the same command again: it is safe to repeat."
    return CliError(f"The tables did not answer ({error}).", remedy, UNREACHABLE)


def _refused(error: LanternError) -> CliError:
    return CliError(f"{error}", "Look at the current state, then decide again.")


def _no_credentials(error: Exception) -> CliError:
    remedy = "Name a profile with --profile, or sign in (`aws sso login`)."
    return CliError(f"{error}", remedy, UNREACHABLE)


def _no_network(error: Exception) -> CliError:
    remedy = "Check the network, --region and --stage, then run it again."
    return CliError(f"{error}", remedy, UNREACHABLE)


def _refused_by_aws(error: ClientError) -> CliError:
    code = str(error.response.get("Error", {}).get("Code", "unknown"))
    if code in {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}:
        remedy = "These credentials may not do it; ask for the right to assume the stack's OperatorRole."
    elif code in {"ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId"}:
        remedy = "The credentials have expired; sign in again (`aws sso login`)."
    else:
        remedy = "Run it again; if it stays, look at the stack in CloudFormation."
    return CliError(f"AWS refused {error.operation_name} ({code}).", remedy, UNREACHABLE)


# The first kind that fits explains the error, so the special come before the general.
_EXPLANATIONS: Final[tuple[tuple[tuple[type[Exception], ...], Callable[[Any], CliError]], ...]] = (
    ((CliError,), lambda error: cast("CliError", error)),
    ((InvalidInputError,), _invalid),
    ((NotFoundError,), _not_found),
    ((StorageError,), _no_answer),
    ((LanternError,), _refused),
    ((ClientError,), _refused_by_aws),
    ((ProfileNotFound, NoCredentialsError), _no_credentials),
    ((BotoCoreError,), _no_network),
)
