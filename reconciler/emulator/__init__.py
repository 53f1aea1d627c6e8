"""The embedded cloud: Entra, Microsoft Graph, ARM, Databricks and ADLS Gen2 on the wire, on loopback.

Its law: it says what the real services are known to say, also where that is inconvenient.
"""
