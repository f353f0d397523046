"""Known numbers of calls: 3 files unlinked, one folder made, renamed and removed, 4 writes and 2 reads by descriptor 99."""

import os

folder = f"/tmp/functions{os.getpid()}"
os.mkdir(folder)
for number in range(3):
    name = f"{folder}/marked{number}"
    os.close(os.open(name, os.O_CREAT | os.O_WRONLY))
    os.unlink(name)
os.rename(folder, folder + "x")
os.rmdir(folder + "x")
ends = os.pipe()
os.dup2(ends[1], 99)
for number in range(4):
    os.write(99, b"x" * (number + 1))
os.dup2(ends[0], 99)
for number in range(2):
    os.read(99, 3 + number)
