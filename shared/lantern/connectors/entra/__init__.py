"""Microsoft Entra ID: accounts, apps, consents and agents of a tenant, by Microsoft Graph."""
