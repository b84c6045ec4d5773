"""Proofs by long random sequences that replay from one seed."""
