"""Turn-taking of a call as pure decisions: probabilities and times are arguments; no sockets, threads, clocks."""
