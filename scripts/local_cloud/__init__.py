"""The local cloud: MiniStack with its gaps bridged, so that the AWS template runs unchanged on a laptop."""
