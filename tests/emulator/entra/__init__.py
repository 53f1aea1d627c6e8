"""The emulated sign-in endpoint."""
