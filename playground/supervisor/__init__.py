"""Starts and minds the processes of one installation: web, worker and, while no other gateway is set, the sandbox.

Two processes guard each other. The *guard* is what the person started; it forwards signals and waits. The *keeper*,
forked from it into a session of its own, starts the services and prints their lines. Both adopt orphaned descendants
(Linux: child subreaper), so whichever of the two is killed, the other one finds every process that is left and ends it.
Should both be killed at once, the kernel sends SIGTERM to each service (parent-death signal).

Nothing here knows Django; the `up` command passes in what it has read from the settings.
"""
