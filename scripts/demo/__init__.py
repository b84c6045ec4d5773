"""The main job on a demo organisation, through the product's public surface only (make demo)."""
