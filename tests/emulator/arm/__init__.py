"""The emulated Azure Resource Manager."""
