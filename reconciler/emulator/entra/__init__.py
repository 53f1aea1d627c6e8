"""The Entra sign-in endpoint: tokens for applications, workloads and people, and its discovery documents."""
