"""The simulator as a process: it says when it is ready, obeys over HTTP, and remembers."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import requests

from tests.simulators.github import GithubSimulator, OrgSpec


def told(base: str, verb: str, **arguments: Any) -> Any:
    answer = requests.post(f"{base}/_control/{verb}", json=arguments, timeout=10)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_state_survives_a_restart(tmp_path: Path) -> None:
    state = tmp_path / "github.json"
    with GithubSimulator(OrgSpec(9), state=state) as first:
        told(first.base_url, "hire", login="kept-one")
        told(first.base_url, "authorise", user="kept-one")
        told(first.base_url, "create_pat", user="kept-one")
        told(first.base_url, "install", slug="kept-app", permissions={"contents": "read"})
        told(first.base_url, "suspend", slug="kept-app")
        told(first.base_url, "webhook", secret="hush", lose=True)
        key, truth = first.registration()["private_key"], told(first.base_url, "truth")
        rows = first.control.changes()
        org = first.world.need(None)
    with GithubSimulator(OrgSpec(3, seed=99), state=state) as second:
        assert told(second.base_url, "truth") == truth
        assert second.control.changes() == rows
        assert second.registration()["private_key"] == key
        assert second.world.need(None) == org
        assert second.world.hooks.secret == "hush"
        fresh = told(second.base_url, "hire", login="fresh-one")["id"]
        assert str(fresh) not in truth
    with GithubSimulator(OrgSpec(3)) as third:
        for verb, status in (("_sim", 404), ("nothing", 404), ("hire", 400)):
            assert requests.post(f"{third.base_url}/_control/{verb}", timeout=5).status_code == status


def test_the_process_tells_where_it_is(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[3]
    command = [sys.executable, "-m", "tests.simulators.github", "--employees", "5", "--organisation", "acme"]
    process = subprocess.Popen(
        [*command, "--state", str(tmp_path / "s.json"), "--auto-consent"], cwd=root, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout
        ready = json.loads(process.stdout.readline())
        assert (ready["organisation"], ready["organisation_id"]) == ("acme", "9001")
        assert ready["registration"]["private_key"].startswith("-----BEGIN")
        page = f"{ready['base_url']}/apps/{ready['registration']['slug']}/installations/new?state=s"
        answer = requests.get(page, allow_redirects=False, timeout=10)
        assert answer.status_code == 302
        told(ready["base_url"], "auto_consent", off=True)
        assert "<select" in requests.get(page, timeout=10).text
    finally:
        process.terminate()
        assert process.wait(20) == 0
        assert process.stdout
        process.stdout.close()
