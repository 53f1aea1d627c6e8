"""Azure Resource Manager, as far as access is concerned: role assignments and what they stand on."""
