"""The emulated Microsoft Graph."""
