"""An emulated storage account with a hierarchical namespace, on its DFS and its Blob endpoint."""
