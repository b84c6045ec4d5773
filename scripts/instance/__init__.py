"""One Lantern on this machine: local cloud, deployed template, Google simulator; state in one directory."""
