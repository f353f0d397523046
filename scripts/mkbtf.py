#!/usr/bin/env python3
"""Make tests/fixtures/kernel.btf: a small BTF of what scripts use most, from the running kernel's.

    scripts/mkbtf.py [OUTPUT [BTF]]

Types that this kernel lacks are named on stderr and left out.
"""

from __future__ import annotations

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, ROOT)

from pystap.btf import Btf, resolve  # noqa: E402
from pystap.btf import kinds as k  # noqa: E402
from pystap.btf import types as t  # noqa: E402
from pystap.btf.extract import extract  # noqa: E402

STRUCTS = """
task_struct cred signal_struct sighand_struct pid upid nsproxy pid_namespace ns_common uts_namespace
new_utsname mm_struct files_struct fdtable kernfs_node css_set task_group pt_regs kernel_siginfo list_head
hlist_node rb_node timer_list hrtimer work_struct sk_buff skb_shared_info sock sock_common inet_sock
inet_connection_sock tcp_sock udp_sock socket net_device net netdev_queue neighbour dst_entry request_sock
in6_addr in_addr sockaddr sockaddr_in sockaddr_in6 msghdr ethhdr iphdr ipv6hdr tcphdr udphdr icmphdr
icmp6hdr arphdr vlan_ethhdr bpf_nf_ctx nf_hook_state rtable rtnl_link_ops
bio bio_vec block_device gendisk request request_queue file path dentry inode
qstr super_block vfsmount file_system_type address_space iov_iter kiocb vm_area_struct page softirq_action
irqaction bpf_iter_meta bpf_iter__task bpf_iter__task_file bpf_perf_event_data perf_event_attr cgroup
trace_entry trace_event_raw_sys_enter trace_event_raw_sys_exit trace_event_raw_inet_sock_set_state
trace_event_raw_sched_switch trace_event_raw_sched_wakeup_template trace_event_raw_sched_process_exec
trace_event_raw_sched_process_fork trace_event_raw_sched_process_exit trace_event_raw_sched_process_template
trace_event_raw_kfree_skb trace_event_raw_net_dev_template trace_event_raw_net_dev_xmit
trace_event_raw_net_dev_start_xmit trace_event_raw_tcp_retransmit_skb trace_event_raw_tcp_probe
trace_event_raw_block_bio trace_event_raw_block_bio_complete trace_event_raw_block_rq
trace_event_raw_block_rq_completion trace_event_raw_softirq trace_event_raw_irq_handler_entry
trace_event_raw_irq_handler_exit trace_event_raw_signal_generate trace_event_raw_signal_deliver
trace_event_raw_timer_start trace_event_raw_kmem_cache_alloc trace_event_raw_kmalloc
trace_event_raw_exceptions trace_event_raw_workqueue_execute_start trace_event_raw_cpu
"""

UNIONS = "sigval"

TYPEDEFS = """
pid_t uid_t gid_t kuid_t kgid_t dev_t loff_t sector_t size_t ssize_t ktime_t time64_t u8 u16 u32 u64 s8 s16
s32 s64 __be16 __be32 __be64 bool sa_family_t umode_t fmode_t gfp_t blk_opf_t atomic_t atomic64_t spinlock_t
refcount_t netdev_features_t sk_buff_data_t
"""

ENUMS = """
skb_drop_reason pid_type hrtimer_restart netdev_tx sock_type req_op
"""

# Any enumerator names its enum, for anonymous ones.
ENUMERATORS = """
TCP_ESTABLISHED IPPROTO_TCP SS_CONNECTED SOCK_STREAM HI_SOFTIRQ NF_INET_PRE_ROUTING BPF_F_CURRENT_CPU
REQ_OP_READ TCPF_ESTABLISHED SKB_CONSUMED BPF_RB_NO_WAKEUP
"""

TRACEPOINTS = """
sys_enter sys_exit kfree_skb consume_skb net_dev_queue netif_receive_skb net_dev_xmit net_dev_start_xmit
netif_rx napi_poll inet_sock_set_state tcp_probe tcp_retransmit_skb tcp_send_reset tcp_receive_reset
tcp_destroy_sock tcp_rcv_space_adjust sched_switch sched_wakeup sched_wakeup_new sched_waking
sched_migrate_task sched_process_exec sched_process_fork sched_process_exit sched_process_wait
sched_process_free sched_stat_runtime task_newtask task_rename block_bio_queue block_bio_complete
block_rq_issue block_rq_complete block_rq_insert block_rq_requeue block_split signal_generate signal_deliver
softirq_entry softirq_exit softirq_raise irq_handler_entry irq_handler_exit timer_start timer_expire_entry
hrtimer_start hrtimer_expire_entry workqueue_queue_work workqueue_execute_start workqueue_execute_end
kmalloc kfree kmem_cache_alloc kmem_cache_free mm_page_alloc mm_page_free page_fault_user page_fault_kernel
cpu_idle cpu_frequency sock_rcvqueue_full sock_exceed_buf_limit fib_table_lookup sock_send_length
sock_recv_length netif_receive_skb_entry netif_rx_entry napi_gro_receive_entry
"""

FUNCS = """
tcp_v4_rcv tcp_v6_rcv tcp_v4_connect tcp_v6_connect tcp_set_state tcp_sendmsg tcp_recvmsg tcp_close
tcp_retransmit_skb inet_csk_accept udp_sendmsg udp_recvmsg __dev_queue_xmit __netif_receive_skb_core ip_rcv
ip_output icmp_rcv consume_skb security_socket_create sock_sendmsg sock_recvmsg vfs_read vfs_write vfs_open
do_sys_open do_sys_openat2 vfs_unlink do_unlinkat do_nanosleep submit_bio blk_mq_start_request
ipv6_rcv arp_rcv ip6_output ip_local_deliver ip6_input udp_rcv icmpv6_rcv udpv6_rcv tcp_rcv_established
tcp_setsockopt tcp_getsockopt udpv6_recvmsg udpv6_sendmsg inet_sendmsg inet_recvmsg inet6_sendmsg
inet6_recvmsg netif_receive_skb netif_rx br_dev_xmit neigh_resolve_output
wake_up_new_task do_exit schedule try_to_wake_up __x64_sys_openat __x64_sys_read _printk bpf_rdonly_cast
"""

VARS = "runqueues kstat current_task cpu_number this_cpu_off"


def wanted(btf: Btf) -> list[t.Type]:
    """Return the types to keep, and complain about the ones that aren't there."""
    out: list[t.Type] = []
    named = [(k.G_STRUCT, STRUCTS), (k.G_UNION, UNIONS), (k.G_TYPEDEF, TYPEDEFS), (k.G_ENUM, ENUMS)]
    for group, names in [*named, (k.G_FUNC, FUNCS), (k.G_VAR, VARS)]:
        for name in names.split():
            found = next(iter(btf.find_all(group, name)), None)
            if found is None:
                print(f"mkbtf: no {name}", file=sys.stderr)
            else:
                out.append(found)
    for name in ENUMERATORS.split():
        enumerator = btf.find_enumerator(name)
        if enumerator is None:
            print(f"mkbtf: no enumerator {name}", file=sys.stderr)
        else:
            out.append(enumerator[1])
    for name in TRACEPOINTS.split():
        out += tracepoint(btf, name)
    return out


def tracepoint(btf: Btf, name: str) -> list[t.Type]:
    """Return the types of a tracepoint: its typedef, and the functions that name its parameters."""
    found: list[t.Type] = [*btf.find_all(k.G_TYPEDEF, f"btf_trace_{name}")][:1]
    if not found:
        print(f"mkbtf: no tracepoint {name}", file=sys.stderr)
    func = btf.find_func(f"__probestub_{name}") or btf.find_func(f"__traceiter_{name}")
    return [*found, func] if func else found


def main() -> None:
    """Write the fixture and say how large it is."""
    output = sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "tests/fixtures/kernel.btf")
    source = sys.argv[2] if len(sys.argv) > 2 else "/sys/kernel/btf/vmlinux"
    with open(source, "rb") as file:
        btf = Btf(file.read())
    roots = [root for root in wanted(btf) if not isinstance(resolve(root), t.Void)]
    data = extract(btf, roots)
    with open(output, "wb") as file:
        file.write(data)
    print(f"{output}: {len(data)} bytes, {Btf(data).index.count} types")


if __name__ == "__main__":
    main()
