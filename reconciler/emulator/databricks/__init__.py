"""The emulated Databricks account and its workspaces."""
