"""One Lantern on this machine: local cloud, deployed template, simulated providers; one directory."""
