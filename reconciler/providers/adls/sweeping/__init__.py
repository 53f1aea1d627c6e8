"""Read lakes live: listings by several readers at once, in pages of thousands, kept against interruptions.

`sweep` reads what is asked of one container, `region` a tree by List Blobs and `walk` one by path listings;
`catch` takes what they bring, and `resuming` keeps it.
"""
