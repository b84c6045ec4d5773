"""The operator CLI: one module per noun, each verb a plain function (see `scripts/admin.py`)."""
