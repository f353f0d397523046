"""A connection over loopback; prints the number (SO_COOKIE) that the kernel gives each of its three sockets."""

import os
import socket
import struct

SO_COOKIE = 57
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(1)
client = socket.socket()
client.connect(listener.getsockname())
server, _ = listener.accept()
for one in (client, server, listener):
    cookie = struct.unpack("Q", one.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8))[0]
    os.write(1, f"is {cookie}\n".encode())  # whole: the tracer writes there, too
listener.close()
client.close()
server.close()
