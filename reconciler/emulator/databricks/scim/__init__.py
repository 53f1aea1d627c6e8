"""SCIM 2.0 as Databricks speaks it: users, groups and service principals."""
