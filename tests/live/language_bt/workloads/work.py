"""A little of everything that scripts watch: files, processes, signals, sleeps, datagrams and one connection."""

import ctypes
import fcntl
import os
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

CLONE_NEWNET, SIOCSIFFLAGS, UP = 0x40000000, 0x8914, 0x49
ctypes.CDLL(None).unshare(CLONE_NEWNET)
here = "127.0.0.1"
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
    fcntl.ioctl(one, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", UP))
    one.connect((here, 7001))
    one.send(b"nobody is there")
listener = socket.socket()
listener.bind((here, 7000))
listener.listen(5)
client = socket.socket()
client.connect((here, 7000))
server, _ = listener.accept()
client.send(b"hello")
server.recv(5)
client.close()
server.close()
left, right = socket.socketpair()
left.send(b"marked words")
right.recv(100)
with tempfile.NamedTemporaryFile(prefix="marked") as file:
    file.write(b"text")
    file.flush()
    os.fsync(file.fileno())
    os.stat(file.name)
    os.statvfs(file.name)
    with open(file.name, "rb") as again:
        again.read()
subprocess.run(["/bin/true", "marked"], check=True)
subprocess.run(["/bin/sleep", "0.05"], check=True)
signal.signal(signal.SIGUSR1, signal.SIG_IGN)
os.kill(os.getpid(), signal.SIGUSR1)
thread = threading.Thread(target=time.sleep, args=(0.01,))
thread.start()
thread.join()
os.setresuid(-1, -1, -1)
time.sleep(0.12)  # for samples and switches
