"""Read an Okta organisation with the `okta` package as its README has it: default settings, user by user.

Run by `scripts.bench.beside` in `.venv-bench`: one JSON object on stdin (`url`, `token`, `accounts`,
`at_once`), one on stdout (`read`, `failed`, `wall_s`, `cpu_s`).
"""

import asyncio
import json
import os
import sys
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

from okta.client import Client

PAGE = 200


async def users(client: Any, most: int) -> list[str]:
    """Ids of the first so many users, page by page."""
    found: list[str] = []
    after: str | None = None
    while len(found) < most:
        page, response, error = await client.list_users(limit=PAGE, after=after)
        if error or not page:
            raise SystemExit(f"list_users: {error}")
        found += [one.id for one in page]
        after = following(response)
        if after is None:
            break
    return found[:most]


def following(response: Any) -> str | None:
    """The cursor in the `next` link of an answer; the client has no loop for it any more."""
    links = response.headers.getall("Link", ()) if hasattr(response.headers, "getall") else ()
    for link in links or str(response.headers.get("Link", "")).split(","):
        if 'rel="next"' in link:
            return parse_qs(urlsplit(link.partition("<")[2].partition(">")[0]).query)["after"][0]
    return None


async def main() -> dict[str, float]:
    """Read everybody's grants."""
    asked = json.load(sys.stdin)
    # The space is ours: release 3.4.6 writes "SSWS" and the token together, the simulator wants them apart.
    client = Client({"orgUrl": asked["url"], "token": f" {asked['token']}"})
    began, spent = time.monotonic(), time.process_time()
    turns = asyncio.Semaphore(asked["at_once"])

    async def one(user: str) -> bool:
        async with turns:
            _, _, error = await client.list_user_grants(user)
            return error is None

    people = await users(client, asked["accounts"])
    if asked["at_once"] == 1:
        done = [await one(user) for user in people]
    else:
        done = list(await asyncio.gather(*(one(user) for user in people)))
    wall, cpu = time.monotonic() - began, time.process_time() - spent
    return {"read": sum(done), "failed": len(done) - sum(done), "wall_s": wall, "cpu_s": cpu}


if __name__ == "__main__":
    os.environ["OKTA_TESTING_TESTINGDISABLEHTTPSCHECK"] = "true"  # the simulator has no TLS
    sys.stdout.write(json.dumps(asyncio.run(main())) + "\n")
