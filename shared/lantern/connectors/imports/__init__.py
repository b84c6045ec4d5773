"""Readers of exports that people already have: bytes in, rows out, one module a format.

Everything here is a pure generator; whoever has the bytes (a file, a request body) passes them in chunks.
`formats` recognises what a file is. A new format is a new module and a line there.
"""
