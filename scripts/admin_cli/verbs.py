"""How a plain function becomes a verb: the options every verb has, and how it ends."""

import inspect
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Annotated, Any, Final, TypeVar

import typer

from lantern.domain.ids import RandomBytes, is_tenant_id
from lantern.store.platform import TenantEntry
from scripts.admin_cli.errors import CliError, bad_input, explained
from scripts.admin_cli.target import Backend, Where, connect
from scripts.admin_cli.terminal import Output, inert

F = TypeVar("F", bound=Callable[..., None])

TenantId = Annotated[str, typer.Argument(metavar="TENANT", help="A tenant's id, as `tenant list` shows it.")]

_SHARED: Final[dict[str, Any]] = {
    "local": Annotated[
        bool, typer.Option("--local", help="The local cloud; the default while it is running.")
    ],
    "stage": Annotated[str | None, typer.Option("--stage", help="A stage on AWS.")],
    "profile": Annotated[str | None, typer.Option("--profile", help="An AWS profile.")],
    "region": Annotated[str | None, typer.Option("--region", help="An AWS region.")],
    "as_json": Annotated[bool, typer.Option("--json", help="Print JSON.")],
}
_DEFAULTS: Final[dict[str, Any]] = {
    "local": False, "stage": None, "profile": None, "region": None, "as_json": False,
}  # fmt: skip


@dataclass(frozen=True)
class Wiring:
    """What comes from outside: the way to a deployment, the clock, randomness."""

    connect: Callable[[Where], Backend] = connect
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    random: RandomBytes = secrets.token_bytes


@dataclass(frozen=True)
class Desk:
    """What a verb works with. The deployment is not looked for before it is needed."""

    out: Output
    where: Where
    wiring: Wiring

    @cached_property
    def backend(self) -> Backend:
        """The deployment; says on the way in which one it is."""
        backend = self.wiring.connect(self.where)
        self.out.remark(f"on {backend.label}")
        return backend

    def now(self) -> datetime:
        """The current time."""
        return self.wiring.now()

    def registered(self, tenant_id: str) -> TenantEntry:
        """A tenant's line in the registry.

        Raises:
            CliError: no such tenant, or no tenant id.
        """
        if not is_tenant_id(tenant_id):
            remedy = "A tenant id is 20 characters of [a-z0-9]; `tenant list` shows them."
            raise bad_input("TENANT", f"{inert(tenant_id, 60)!r} is no tenant id.", remedy)
        entry = self.backend.platform.get_tenant(tenant_id)
        if entry is None:
            raise CliError(
                f"There is no tenant {tenant_id} on {self.backend.label}.", "`tenant list` shows them."
            )
        return entry


def verb(app: typer.Typer, name: str) -> Callable[[F], F]:
    """Register a function under a name; its first parameter is the `Desk`, the others are its own options."""

    def register(function: F) -> F:
        own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]

        def run(ctx: typer.Context, **given: Any) -> None:
            shared = {option: given.pop(option) for option in _SHARED}
            out = Output(as_json=shared.pop("as_json"))
            wiring = ctx.obj if isinstance(ctx.obj, Wiring) else Wiring()
            try:
                function(Desk(out, Where(**shared), wiring), **given)
            except Exception as error:
                known = explained(error)
                if known is None:
                    raise
                out.failure(known.message, known.remedy, known.code)
                raise typer.Exit(known.code) from None

        _dress(run, function, own)
        app.command(name)(run)
        return function

    return register


def _dress(run: Callable[..., None], function: Callable[..., None], own: list[inspect.Parameter]) -> None:
    """Give the wrapper the signature that Typer reads: the verb's own parameters and the shared ones."""
    context = inspect.Parameter("ctx", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)
    shared = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=_DEFAULTS[name]
        )
        for name, annotation in _SHARED.items()
    ]
    keyword = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own]
    parameters = [context, *keyword, *shared]
    run.__doc__ = inspect.cleandoc(function.__doc__ or "")
    run.__name__ = function.__name__
    run.__annotations__ = {one.name: one.annotation for one in parameters}
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined] # a function may carry one
