"""A workload that goes through many functions of the kernel, and names of them; run as a script it waits for orders.

    python3 everyday.py     prints its number, then obeys lines: "mark" (getpriority), "go" (all of it), "end"

It is one thread on one processor, so that all tracers see its events in one order; its children are processes of their own.
"""

from __future__ import annotations

import mmap
import os
import select
import signal
import socket
import sys
import tempfile
import time

MARK = "__x64_sys_getpriority"
EDGE = "__x64_sys_setpriority"  # called before and behind all of it

# Functions of which most are probed on every kernel; those that aren't there are left out.
_NAMES = """
tcp_sendmsg tcp_sendmsg_locked tcp_recvmsg inet_bind inet_stream_connect tcp_v4_connect inet_csk_accept
tcp_close tcp_set_state __tcp_transmit_skb tcp_rcv_established tcp_ack udp_sendmsg udp_recvmsg __ip_queue_xmit
ip_output ip_rcv __dev_queue_xmit sock_init_data unix_stream_sendmsg unix_stream_connect sock_alloc_file
security_socket_connect sk_alloc inet_release sock_setsockopt tcp_setsockopt tcp_poll sock_poll inet_listen
tcp_push tcp_v4_rcv tcp_v4_do_rcv ip_local_out skb_copy_datagram_iter tcp_connect tcp_fin vfs_open vfs_read
vfs_write do_filp_open vfs_statx vfs_getattr vfs_unlink vfs_rename do_dentry_open filp_close rw_verify_area
vfs_mkdir vfs_rmdir vfs_symlink vfs_link iterate_dir notify_change vfs_truncate security_file_open
security_file_permission vfs_llseek file_update_time d_alloc may_open vfs_fsync_range vfs_readlink
setattr_prepare vfs_create inode_permission generic_permission security_inode_permission dput filename_lookup
fd_install alloc_pipe_info pipe_read pipe_write free_pipe_info pipe_poll fcntl_setlk locks_remove_posix
copy_process wake_up_new_task kernel_clone do_wait sched_fork copy_thread release_task mm_release
prepare_creds commit_creds security_task_alloc free_task  hrtimer_nanosleep
do_setitimer schedule_hrtimeout_range do_mmap vm_mmap_pgoff mmap_region
mprotect_fixup handle_mm_fault do_brk_flags unmap_region __vm_enough_memory find_vma do_vmi_munmap
security_mmap_file vma_merge vm_stat_account do_send_sig_info send_signal_locked do_sigaction get_signal
dequeue_signal signal_setup_done do_epoll_wait do_epoll_ctl do_sys_poll eventfd_write eventpoll_release_file
ep_insert set_task_comm __set_task_comm sched_setaffinity do_prlimit set_user_nice capable
ns_capable inode_owner_or_capable eth_type_trans get_random_u32 full_name_hash secure_tcp_seq
secure_tcp_ts_off folio_mark_dirty is_subdir ipv4_mtu tcp_current_mss sk_filter_trim_cap
security_capable tcp_init_cwnd tcp_sync_mss
"""
FUNCTIONS = tuple(_NAMES.split())


def main() -> None:
    """Obey standard input."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    print(os.getpid(), flush=True)
    for line in sys.stdin:
        if line == "mark\n":
            os.getpriority(os.PRIO_PROCESS, 0)
        elif line == "go\n":
            os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0))
            everything()
            os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0))
        else:
            break
        print(line, end="", flush=True)


def everything() -> None:
    """Do some of everything."""
    with tempfile.TemporaryDirectory() as folder:
        files(folder)
        packets()
        unix(folder)
    pipes()
    processes()
    memory()
    clocks()


def files(folder: str) -> None:
    """Files and folders."""
    name = os.path.join(folder, "a")
    for turn in range(3):
        with open(name, "wb", buffering=0) as file:
            file.write(b"x" * (100 + turn))
            os.fsync(file.fileno())
            os.ftruncate(file.fileno(), 10 + turn)
            os.lockf(file.fileno(), os.F_LOCK, 5)
        with open(name, "rb", buffering=0) as file:
            file.read(4)
            file.seek(2)
            file.read(4)
        os.chmod(name, 0o600 + turn)
        os.utime(name, (1000 + turn, 2000))
        os.link(name, name + "l")
        os.symlink("a", name + "s")
        os.readlink(name + "s")
        os.rename(name + "l", name + "r")
        os.listdir(folder)
        os.stat(name + "s")
        for one in ("r", "s"):
            os.unlink(name + one)
        os.mkdir(name + "d")
        os.rmdir(name + "d")
    os.unlink(name)


def packets() -> None:
    """TCP and UDP on the loopback device."""
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("127.0.0.1", 0))
    server.listen(3)
    for turn in range(2):
        client = socket.socket()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.connect(server.getsockname())
        other, _ = server.accept()
        client.sendall(b"x" * (10 + turn))
        select.select([other], [], [])
        other.recv(5)
        other.recv(50)
        other.close()
        client.close()
    server.close()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        for turn in range(3):
            one.sendto(b"y" * (20 + turn), one.getsockname())
            one.recvfrom(100)


def unix(folder: str) -> None:
    """UNIX sockets."""
    name = os.path.join(folder, "socket")
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(name)
        server.listen(2)
        client.connect(name)
        other, _ = server.accept()
        with other:
            client.sendall(b"hello")
            other.recv(10)


def pipes() -> None:
    """Pipes, poll and epoll."""
    there, here = os.pipe()
    with select.epoll() as epoll:
        epoll.register(there, select.EPOLLIN)
        for turn in range(3):
            os.write(here, bytes(10 + turn))
            epoll.poll(1)
            select.select([there], [], [], 1)
            os.read(there, 100)
    os.close(there)
    os.close(here)


def processes() -> None:
    """Children and signals."""
    for turn in range(2):
        child = os.fork()
        if not child:
            os._exit(turn)
        os.waitpid(child, 0)
    before = signal.signal(signal.SIGUSR1, lambda *_: None)
    for _ in range(3):
        os.kill(os.getpid(), signal.SIGUSR1)
    signal.signal(signal.SIGUSR1, before)
    os.nice(0)
    os.sched_setaffinity(0, os.sched_getaffinity(0))
    with open("/proc/self/comm", "w") as file:
        file.write("everyday")


def memory() -> None:
    """Mappings."""
    for turn in range(3):
        area = mmap.mmap(-1, 4096 * (3 + turn))
        area[0] = area[4096] = 1
        area.close()
    bytes(300_000)


def clocks() -> None:
    """Sleeping, and a timer."""
    for turn in range(3):
        time.sleep(0.001 * (turn + 1))
    signal.setitimer(signal.ITIMER_REAL, 1000.0)
    signal.setitimer(signal.ITIMER_REAL, 0.0)


if __name__ == "__main__":
    main()
