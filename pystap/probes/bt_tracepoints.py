"""Fields of tracepoints by the tracepoint's own arguments, as data.

bpftrace's `args.field` are the fields of the record that the tracepoint makes. They are computed here from the
arguments of the raw tracepoint, as the kernel's TP_fast_assign does, so that no record has to be made. A row is
the tracepoints, the kernel's name of their record ("" for the tracepoint's own), and `field = expression`; an
expression is bpftrace's, and its words are the raw tracepoint's arguments; of several with ` or ` between them the
first counts that this kernel's types allow. A field whose name is an argument's
and that has no expression is that argument.

Where a field differs from the record's: saddr_v6 and daddr_v6 of IPv4 sockets are not mapped addresses.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_SOCK = """
skaddr = sk; family = sk->__sk_common.skc_family; sport = bswap(((struct inet_sock *)sk)->inet_sport);
dport = bswap(sk->__sk_common.skc_dport); saddr = ((struct inet_sock *)sk)->inet_saddr;
daddr = sk->__sk_common.skc_daddr; saddr_v6 = sk->__sk_common.skc_v6_rcv_saddr.in6_u.u6_addr8;
daddr_v6 = sk->__sk_common.skc_v6_daddr.in6_u.u6_addr8;
"""
_BIO = """
dev = bio->bi_bdev->bd_dev; sector = bio->bi_iter.bi_sector; nr_sector = bio->bi_iter.bi_size >> 9; comm = comm;
rwbs = __rwbs(bio->bi_opf);
"""
_RQ = """
dev = rq->q->disk ? (rq->q->disk->major << 20) | rq->q->disk->first_minor : 0
    or rq->rq_disk ? (rq->rq_disk->major << 20) | rq->rq_disk->first_minor : 0;
sector = (rq->cmd_flags & 254) == 34 || rq->__sector + 1 == 0 ? 0 : rq->__sector;
nr_sector = (rq->cmd_flags & 254) == 34 ? 0 : rq->__data_len >> 9;
bytes = rq->__data_len; ioprio = rq->bio ? rq->bio->bi_ioprio : 0 or rq->ioprio; comm = comm;
rwbs = __rwbs(rq->cmd_flags);
"""
# The errno of a block status.
_STATUSES = {
    1: 95,
    2: 110,
    3: 28,
    4: 67,
    5: 121,
    6: 52,
    7: 61,
    8: 84,
    9: 12,
    11: 78,
    12: 11,
    13: 16,
    15: 75,
    16: 75,
    17: 62,
}
_STATUS = "".join([f"error == {status} ? -{errno} : " for status, errno in _STATUSES.items()])
_SIGINFO = """
errno = (uint64)info > 1 ? info->si_errno : 0; code = (uint64)info > 1 ? info->si_code : (uint64)info == 1 ? 128 : 0;
"""
_TASK = "comm = {0}->comm; pid = {0}->pid; prio = {0}->prio;"

ROWS: tuple[tuple[str, str, str], ...] = (
    (
        "sched:sched_switch",
        "",
        "prev_comm = prev->comm; prev_pid = prev->pid; prev_prio = prev->prio; prev_state = preempt ? 256 : "
        "prev_state == 1026 ? 128 : (prev_state | prev->exit_state) & 127; next_comm = next->comm; "
        "next_pid = next->pid; next_prio = next->prio;",
    ),
    (
        "sched:sched_wakeup sched:sched_wakeup_new sched:sched_waking",
        "sched_wakeup_template",
        _TASK.format("p") + "target_cpu = p->thread_info.cpu or p->cpu;",
    ),
    ("sched:sched_migrate_task", "", _TASK.format("p") + "orig_cpu = p->thread_info.cpu or p->cpu;"),
    ("sched:sched_process_exec", "", "filename = str(bprm->filename); pid = p->pid;"),
    ("sched:sched_process_exit", "", _TASK.format("p")),
    ("sched:sched_process_free sched:sched_wait_task", "sched_process_template", _TASK.format("p")),
    ("sched:sched_process_wait", "", "comm = comm; pid = pid->numbers[0].nr; prio = curtask->prio;"),
    (
        "sched:sched_process_fork",
        "",
        "parent_comm = parent->comm; parent_pid = parent->pid; child_comm = child->comm; child_pid = child->pid;",
    ),
    ("sched:sched_stat_runtime", "sched_stat_runtime", "comm = tsk->comm; pid = tsk->pid;"),
    ("sched:sched_process_hang", "", "comm = tsk->comm; pid = tsk->pid;"),
    (
        "task:task_newtask",
        "",
        "pid = task->pid; comm = task->comm; oom_score_adj = task->signal->oom_score_adj;",
    ),
    (
        "task:task_rename",
        "",
        "pid = task->pid; oldcomm = task->comm; newcomm = str(comm, 16); oom_score_adj = task->signal->oom_score_adj;",
    ),
    ("irq:irq_handler_entry", "", "name = str(action->name);"),
    ("irq:softirq_entry irq:softirq_exit irq:softirq_raise", "softirq", "vec = vec_nr;"),
    ("kmem:kmem_cache_alloc", "", "name = str(s->name); bytes_req = s->object_size; bytes_alloc = s->size;"),
    ("kmem:kmem_cache_free", "", "name = str(s->name);"),
    ("exceptions:page_fault_user exceptions:page_fault_kernel", "exceptions", "ip = regs->ip;"),
    ("signal:signal_generate", "", _SIGINFO + "comm = task->comm; pid = task->pid;"),
    ("signal:signal_deliver", "", _SIGINFO + "sa_handler = ka->sa.sa_handler; sa_flags = ka->sa.sa_flags;"),
    (
        "net:netif_receive_skb net:net_dev_queue net:netif_rx",
        "net_dev_template",
        "skbaddr = skb; len = skb->len; name = skb->dev->name;",
    ),
    ("net:net_dev_xmit", "", "skbaddr = skb; len = skb_len; name = dev->name;"),
    (
        "net:net_dev_start_xmit",
        "",
        "name = dev->name; queue_mapping = skb->queue_mapping; skbaddr = skb; protocol = bswap(skb->protocol); "
        "ip_summed = skb->ip_summed; len = skb->len; data_len = skb->data_len; "
        "network_offset = (int64)(uint64)skb->head + skb->network_header - (int64)(uint64)skb->data; "
        "transport_offset_valid = skb->transport_header != 65535; transport_offset = skb->transport_header == 65535 ? 0 : "
        "(int64)(uint64)skb->head + skb->transport_header - (int64)(uint64)skb->data; "
        + "".join(
            f"{name} = ((struct skb_shared_info *)(skb->head + skb->end))->{name}; "
            for name in ("tx_flags", "gso_size", "gso_segs", "gso_type")
        )
        + "vlan_tagged = skb->vlan_all != 0; vlan_proto = bswap(skb->vlan_proto); vlan_tci = skb->vlan_tci;",
    ),
    ("napi:napi_poll", "", 'dev_name = napi->dev ? str(&napi->dev->name[0], 15) : "(no_device)";'),
    ("skb:kfree_skb", "", "skbaddr = skb; protocol = bswap(skb->protocol);"),
    ("skb:consume_skb", "", "skbaddr = skb;"),
    ("skb:skb_copy_datagram_iovec", "", "skbaddr = skb;"),
    ("sock:inet_sock_set_state", "", _SOCK + "protocol = sk->sk_protocol;"),
    ("sock:inet_sk_error_report", "", _SOCK + "error = sk->sk_err; protocol = sk->sk_protocol;"),
    (
        "sock:sock_recv_length sock:sock_send_length",
        "sock_msg_length",
        "family = sk->__sk_common.skc_family; protocol = sk->sk_protocol;",
    ),
    ("tcp:tcp_destroy_sock tcp:tcp_rcv_space_adjust tcp:tcp_receive_reset", "tcp_event_sk", _SOCK),
    ("tcp:tcp_cong_state_set", "", _SOCK + "cong_state = ca_state;"),
    ("tcp:tcp_retransmit_skb", "", _SOCK + "skbaddr = skb; state = sk->__sk_common.skc_state;"),
    ("tcp:tcp_retransmit_synack", "", _SOCK),
    (
        "tcp:tcp_probe",
        "",
        "sport = bswap(((struct inet_sock *)sk)->inet_sport); dport = bswap(sk->__sk_common.skc_dport); "
        "data_len = skb->len - ((struct tcphdr *)skb->data)->doff * 4; "
        "family = sk->__sk_common.skc_family; mark = skb->mark; skbaddr = skb; skaddr = sk; "
        + " ".join(
            f"{name} = ((struct tcp_sock *)sk)->{name};"
            for name in ("snd_nxt", "snd_una", "snd_cwnd", "snd_wnd", "rcv_wnd")
        )
        + "srtt = ((struct tcp_sock *)sk)->srtt_us >> 3;",
    ),
    (
        "block:block_bio_queue block:block_bio_backmerge block:block_bio_frontmerge block:block_getrq",
        "block_bio",
        _BIO,
    ),
    (
        "block:block_bio_complete",
        "",
        _BIO + f"error = {_STATUS.replace('error', 'bio->bi_status')}bio->bi_status ? -5 : 0;",
    ),
    (
        "block:block_rq_issue block:block_rq_insert block:block_rq_merge block:block_io_start block:block_io_done",
        "block_rq",
        _RQ,
    ),
    (
        "block:block_rq_complete block:block_rq_error",
        "block_rq_completion",
        _RQ + f"nr_sector = nr_bytes >> 9; error = error == 0 ? 0 : {_STATUS}-5;",
    ),
    ("block:block_rq_requeue", "", _RQ),
    (
        "timer:timer_start",
        "",
        "function = timer->function; expires = timer->expires; now = jiffies; flags = timer->flags;",
    ),
    ("timer:timer_expire_entry", "", "now = jiffies; function = timer->function;"),
    (
        "timer:hrtimer_start",
        "",
        "function = hrtimer->function; expires = hrtimer->node.expires; softexpires = hrtimer->_softexpires;",
    ),
    ("timer:hrtimer_expire_entry", "", "now = *now; function = hrtimer->function;"),
    ("workqueue:workqueue_execute_start workqueue:workqueue_activate_work", "", "function = work->func;"),
    (
        "workqueue:workqueue_queue_work",
        "",
        "function = work->func; workqueue = pwq->wq->name; cpu = pwq->pool->cpu;",
    ),
)


def fields_of(subsystem: str, event: str) -> tuple[str, dict[str, str]]:
    """Return (the record's name, field -> expression) of a tracepoint, ("", {}) where no row has it."""
    word = f"{subsystem}:{event}"
    from .bt_tracepoints_more import ROWS as MORE

    for rows in (ROWS, MORE):
        for words, record, text in rows:
            if word in words.split():
                return record or event, dict(_pairs(text))
    return event, {}


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    for part in text.split(";"):
        word, equals, expression = part.strip().partition(" = ")
        if equals:
            yield word, expression
