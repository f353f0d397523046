"""A connection over loopback; prints the kernel's number (SO_COOKIE) of the socket that listens."""

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
    print("is", struct.unpack("Q", one.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8))[0], flush=True)
listener.close()
client.close()
server.close()
