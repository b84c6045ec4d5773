"""One Lantern on this machine: local cloud, deployed template, simulated providers; state in one directory."""
