"""Every fault against every kind of request, and what the reconciler makes of it by the emulator's facts."""
