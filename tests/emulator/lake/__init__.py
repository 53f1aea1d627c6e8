"""The emulated storage account, held against what is known of the real one."""
