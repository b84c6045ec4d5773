"""Giving our access to a tenant back: by removing our own app from it."""

from lantern.connectors.entra.api import GraphApi, entity, segment
from lantern.connectors.halt import Halt
from lantern.connectors.resolution import CallError


def withdraw(api: GraphApi, client_id: str, halt: Halt) -> None:
    """Delete our own service principal, and every permission with it; one that is gone already is done.

    It takes `Application.ReadWrite.All`. Without that an administrator removes Lantern under Enterprise
    applications: an app cannot take its own permissions away otherwise.
    """
    try:
        row = entity(
            api.get(f"/servicePrincipals(appId='{client_id}')", halt, params={"$select": "id,appId"})
        )
        if row.get("appId") == client_id:
            api.send("DELETE", f"/servicePrincipals/{segment(row['id'])}", halt)
    except CallError as error:
        if error.reason != "not_found":
            raise
