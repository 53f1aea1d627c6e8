"""What reads and writes live state: one folder per provider, and none of them sees another."""
