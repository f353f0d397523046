"""Aliases that SystemTap's library has, by family: a name that our tapset lacks is known, and not supported yet."""

from __future__ import annotations

FAMILIES: dict[str, str] = {
    "ioblock": "end request",
    "ioblock_trace": "bounce end request",
    "ioscheduler": "elv_add_request",
    "ioscheduler_trace": "elv_completed_request elv_issue_request elv_requeue_request plug",
    "ipmib": (
        "ForwDatagrams FragFails FragOKs InAddrErrors InDiscards InNoRoutes InReceives InUnknownProtos "
        "OutRequests ReasmReqds ReasmTimeout"
    ),
    "irq_handler": "entry exit",
    "kprocess": "create exec exec_complete exit release start",
    "linuxmib": "DelayedACKs ListenDrops ListenOverflows TCPMemoryPressures",
    "netdev": (
        "change_mac change_mtu change_rx_flag close get_stats hard_transmit ioctl open receive register "
        "rx set_promiscuity transmit unregister"
    ),
    "netfilter": (
        "arp.forward arp.in arp.out bridge.forward bridge.local_in bridge.local_out bridge.post_routing "
        "bridge.pre_routing ip.forward ip.local_in ip.local_out ip.post_routing ip.pre_routing "
        "ipv4.forward ipv4.local_in ipv4.local_out ipv4.post_routing ipv4.pre_routing ipv6.forward "
        "ipv6.local_in ipv6.local_out ipv6.post_routing ipv6.pre_routing"
    ),
    "nfsd": (
        "commit create dispatch entries lookup proc.commit proc.create proc.entries proc.lookup proc.read "
        "proc.remove proc.rename proc.return proc.write read rename return unlink write"
    ),
    "scheduler": (
        "cpu_off cpu_on cpu_on.return ctxswitch kthread_stop kthread_stop.return migrate migrate.return "
        "process_exit process_fork process_free process_free.return process_wait process_wait.return "
        "signal_send signal_send.return tick tick.return wait_task wait_task.return wakeup wakeup.return "
        "wakeup_new wakeup_new.return"
    ),
    "scsi": "iocompleted iodone ioexecute set_state",
    "signal": (
        "check_ignored check_ignored.return checkperm checkperm.return do_action do_action.return flush "
        "flush.return force_segv force_segv.return handle pending pending.return procmask procmask.return "
        "send send.return send_sig_queue send_sig_queue.return syskill syskill.return systgkill "
        "systgkill.return systkill systkill.return wakeup wakeup.return"
    ),
    "socket": (
        "close close.return create create.return read_iter read_iter.return receive recvmsg "
        "recvmsg.return send sendmsg sendmsg.return write_iter write_iter.return"
    ),
    "softirq": "entry exit",
    "sunrpc": (
        "clnt.bind_new_program clnt.call_async clnt.call_sync clnt.clone_client clnt.create_client "
        "clnt.entry clnt.restart_call clnt.return clnt.shutdown_client sched.delay sched.entry "
        "sched.execute sched.new_task sched.release_task sched.return svc.authorise svc.create "
        "svc.destroy svc.entry svc.process svc.recv svc.register svc.return svc.send"
    ),
    "tcp": (
        "disconnect disconnect.return ipv4.receive ipv4.setsockopt ipv6.receive ipv6.setsockopt receive "
        "receive.return recvmsg recvmsg.return sendmsg sendmsg.return setsockopt setsockopt.return"
    ),
    "tcpmib": "ActiveOpens AttemptFails CurrEstab EstabResets InSegs OutRsts OutSegs PassiveOpens RetransSegs",
    "tty": "init ioctl open poll read receive register release resize unregister write",
    "udp": "disconnect disconnect.return recvmsg recvmsg.return sendmsg sendmsg.return",
    "vfs": (
        "__add_to_page_cache __add_to_page_cache.return __set_page_dirty_buffers "
        "__set_page_dirty_buffers.return add_to_page_cache add_to_page_cache.return do_mpage_readpage "
        "do_mpage_readpage.return do_sync_read do_sync_read.return do_sync_write do_sync_write.return "
        "open open.return read read.return readv readv.return remove_from_page_cache "
        "remove_from_page_cache.return write write.return writev writev.return"
    ),
    "vm": (
        "brk brk.return kfree kmalloc kmem_cache_alloc kmem_cache_alloc_node kmem_cache_free mmap "
        "mmap.return munmap munmap.return oom_kill oom_kill.return pagefault pagefault.return "
        "write_shared write_shared.return"
    ),
}


def known(dotted: str) -> bool:
    """Say whether SystemTap has an alias of this name."""
    root, _, rest = dotted.partition(".")
    return rest in FAMILIES.get(root, "").split()
