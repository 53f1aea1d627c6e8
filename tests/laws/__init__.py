"""The laws of a provider, judged for every kind of access by the facts in the emulator."""
