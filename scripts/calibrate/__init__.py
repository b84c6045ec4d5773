"""Measure on the catalog what evidence is worth: `make calibrate` writes `content/calibration.json`."""
