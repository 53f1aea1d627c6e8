"""What people read: pure functions from a plan, or its outcomes, to text, Markdown and JSON."""
