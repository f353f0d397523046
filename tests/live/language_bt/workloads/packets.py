"""Datagrams and one connection over the loopback of a network namespace of its own."""

import ctypes
import fcntl
import socket
import struct

CLONE_NEWNET, SIOCSIFFLAGS, UP = 0x40000000, 0x8914, 0x49
ctypes.CDLL(None).unshare(CLONE_NEWNET)
here = "127.0.0.1"
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
fcntl.ioctl(sender, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", UP))
receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
receiver.bind((here, 5000))
for _ in range(3):
    sender.sendto(bytes(100), (here, 5000))
    receiver.recv(200)
sender.sendto(bytes(50), (here, 5001))  # nobody is there
listener = socket.socket()
listener.bind((here, 6000))
listener.listen()
client = socket.socket()
client.bind((here, 6001))
client.connect((here, 6000))
server, _ = listener.accept()
client.send(b"hello")
server.recv(5)
client.close()
server.close()
