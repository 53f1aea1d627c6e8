"""Where an environment remembers what was sent: journal, spent consent and lock."""
