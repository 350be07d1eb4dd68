"""The servers measured beside ours: each knows how to be installed and how to stand before an upstream (`peer`)."""
