"""Read an Entra tenant with the `msgraph-sdk` package as its README has it: default settings, user by user.

Run by `scripts.bench.beside` in `.venv-bench`: one JSON object on stdin (`url`, `token`, `accounts`,
`at_once`), one on stdout (`read`, `failed`, `wall_s`, `cpu_s`). Only the credential is ours: those of
`azure-identity` speak to no sign-in page without TLS.
"""

import asyncio
import json
import sys
import time
from typing import Any

from azure.core.credentials import AccessToken
from kiota_authentication_azure.azure_identity_authentication_provider import (
    AzureIdentityAuthenticationProvider,
)
from msgraph import GraphRequestAdapter, GraphServiceClient


class Given:
    """A credential that holds a token already."""

    def __init__(self, token: str) -> None:
        self._token = token

    def get_token(self, *_scopes: str, **_options: Any) -> AccessToken:
        """The token."""
        return AccessToken(self._token, int(time.time()) + 3_600)


def connect(url: str, token: str) -> Any:
    """The client, at the simulator."""
    provider = AzureIdentityAuthenticationProvider(
        Given(token), scopes=["https://graph.microsoft.com/.default"]
    )
    adapter = GraphRequestAdapter(provider)
    adapter.base_url = url
    return GraphServiceClient(request_adapter=adapter)


async def users(client: Any, most: int) -> list[str]:
    """Ids of the first so many users, page by page."""
    found: list[str] = []
    page = await client.users.get()
    while page is not None:
        found += [one.id for one in page.value or ()]
        if len(found) >= most or not page.odata_next_link:
            break
        page = await client.users.with_url(page.odata_next_link).get()
    return found[:most]


async def main() -> dict[str, float]:
    """Read what everybody gave to apps and may sign in to."""
    asked = json.load(sys.stdin)
    client = connect(asked["url"], asked["token"])
    began, spent = time.monotonic(), time.process_time()
    turns = asyncio.Semaphore(asked["at_once"])

    async def one(user: str) -> bool:
        async with turns:
            there = client.users.by_user_id(user)
            try:
                await there.oauth2_permission_grants.get()
                await there.app_role_assignments.get()
            except Exception as error:  # whatever the client raises counts as not read
                sys.stderr.write(f"{type(error).__name__}\n")
                return False
            return True

    people = await users(client, asked["accounts"])
    if asked["at_once"] == 1:
        done = [await one(user) for user in people]
    else:
        done = list(await asyncio.gather(*(one(user) for user in people)))
    wall, cpu = time.monotonic() - began, time.process_time() - spent
    return {"read": sum(done), "failed": len(done) - sum(done), "wall_s": wall, "cpu_s": cpu}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(main())) + "\n")
