"""Makes a few system calls, once each."""

import os
import signal

with open("/proc/self/comm", "w") as comm:
    comm.write("workload")
fd = os.open("/etc/hostname", os.O_RDONLY)
os.read(fd, 7)
os.lseek(fd, 3, os.SEEK_SET)
os.close(fd)
try:
    os.open("/no/such/file", os.O_WRONLY | os.O_CREAT, 0o640)
except FileNotFoundError:
    pass
try:
    os.mkdir("/proc/x\ty", 0o755)
except OSError:
    pass
for _ in range(3):
    os.getppid()
os.access("/etc", os.R_OK)
signal.signal(signal.SIGUSR1, lambda *_: None)
os.kill(os.getpid(), signal.SIGUSR1)
child = os.fork()
if child == 0:
    os.execv("/bin/true", ["true", "one", "two"])
os.waitpid(child, 0)
