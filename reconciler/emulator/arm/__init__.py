"""Azure Resource Manager, as far as access is concerned: role assignments, role definitions, a few resources."""
