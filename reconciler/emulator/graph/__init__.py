"""Microsoft Graph: groups, users, service principals and privileged access, as far as access is concerned."""
