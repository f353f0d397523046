"""Fields of more tracepoints, as `bt_tracepoints.py` has them: packets on their way, queues, routes, write-back, groups."""

from __future__ import annotations

_INFO = "((struct skb_shared_info *)(skb->head + skb->end))"
_VLAN = "vlan_tagged = skb->vlan_all != 0; vlan_proto = bswap(skb->vlan_proto); vlan_tci = skb->vlan_tci;"
_GSO = f"gso_size = {_INFO}->gso_size; gso_type = {_INFO}->gso_type;"
_PACKET = (
    "name = skb->dev->name; napi_id = skb->napi_id; queue_mapping = skb->queue_mapping; skbaddr = skb; "
    "protocol = bswap(skb->protocol); ip_summed = skb->ip_summed; hash = skb->hash; l4_hash = skb->l4_hash; "
    "len = skb->len; data_len = skb->data_len; truesize = skb->truesize; "
    "mac_header_valid = skb->mac_header != 65535; "
    "mac_header = (int64)(uint64)skb->head + skb->mac_header - (int64)(uint64)skb->data; "
    f"nr_frags = {_INFO}->nr_frags; {_VLAN} {_GSO}"
)
_QUEUE = (
    "skbaddr = skb; ifindex = txq->dev ? txq->dev->ifindex : 0; handle = qdisc->handle; parent = qdisc->parent; "
    "txq_state = txq->state;"
)
_QDISC = "dev = q->dev_queue->dev->name; kind = q->ops->id; parent = q->parent; handle = q->handle;"
_NEIGHBOUR = (
    "family = {0}->tbl->family; dev = {0}->dev->name; lladdr = {0}->ha; lladdr_len = {0}->dev->addr_len; "
    "flags = {0}->flags; nud_state = {0}->nud_state; type = {0}->type; dead = {0}->dead; refcnt = {0}->refcnt.refs.counter; "
    "confirmed = {0}->confirmed; updated = {0}->updated; used = {0}->used;"
)
_FLOW = (
    "oif = flp->__fl_common.flowic_oif; iif = flp->__fl_common.flowic_iif; scope = flp->__fl_common.flowic_scope; "
    "flags = flp->__fl_common.flowic_flags; proto = flp->__fl_common.flowic_proto; "
    "src = flp->saddr; dst = flp->daddr; "
)
_PORTS = "".join(
    f"{name} = flp->__fl_common.flowic_proto == 6 || flp->__fl_common.flowic_proto == 17 ? "
    f"bswap(flp->uli.ports.{name}) : 0; "
    for name in ("sport", "dport")
)
_IP = "((struct iphdr *)(skb->head + skb->network_header))"
_UDP = "((struct udphdr *)(skb->head + skb->transport_header))"
_WB = 'name = wb->bdi->dev ? str(&wb->bdi->dev_name[0], 31) : "(unknown)"; cgroup_ino = wb->memcg_css->cgroup->kn->id or 1;'
_WORK = (
    "nr_pages = work->nr_pages; sb_dev = work->sb ? work->sb->s_dev : 0; sync_mode = work->sync_mode; "
    "for_kupdate = work->for_kupdate; range_cyclic = work->range_cyclic; for_background = work->for_background; "
    "reason = work->reason; " + _WB
)
_INODE = (
    "dev = inode->i_sb->s_dev; ino = inode->i_ino; mode = inode->i_mode; dirtied_when = inode->dirtied_when; "
    "state = inode->i_state.__state or inode->i_state; "
)
_BDI = 'name = {0}->i_sb->s_bdi->dev ? str(&{0}->i_sb->s_bdi->dev_name[0], 31) : "(unknown)"; '
_INODE_WB = "cgroup_ino = inode->i_wb ? inode->i_wb->memcg_css->cgroup->kn->id : 1 or 1; "
_GROUP = "root = cgrp->root->hierarchy_id; level = cgrp->level; id = cgrp->kn->id; path = str(path);"
_BIO_PLACE = "sector = bio->bi_iter.bi_sector; rwbs = __rwbs(bio->bi_opf); dev = bio->bi_bdev->bd_dev; "
_XDP = "prog_id = xdp->aux->id; ifindex = dev->ifindex; "

ROWS: tuple[tuple[str, str, str], ...] = (
    (
        "net:napi_gro_frags_entry net:napi_gro_receive_entry net:netif_receive_skb_entry "
        "net:netif_receive_skb_list_entry net:netif_rx_entry net:netif_rx_ni_entry",
        "net_dev_rx_verbose_template",
        _PACKET,
    ),
    (
        "net:napi_gro_frags_exit net:napi_gro_receive_exit net:netif_receive_skb_exit net:netif_receive_skb_list_exit "
        "net:netif_rx_exit net:netif_rx_ni_exit",
        "net_dev_rx_exit_template",
        "",
    ),
    (
        "net:net_dev_xmit_timeout",
        "",
        "name = dev->name; driver = str(dev->dev.parent->driver->name);",
    ),
    ("qdisc:qdisc_dequeue qdisc:qdisc_enqueue", "", _QUEUE),
    ("qdisc:qdisc_reset qdisc:qdisc_destroy", "", _QDISC),
    ("qdisc:qdisc_create", "", "kind = ops->id; dev = dev->name;"),
    (
        "neigh:neigh_update_done neigh:neigh_timer_handler neigh:neigh_event_send_done neigh:neigh_event_send_dead "
        "neigh:neigh_cleanup_and_release",
        "neigh__update",
        _NEIGHBOUR.format("neigh") + "err = err or rc;",
    ),
    (
        "neigh:neigh_update",
        "",
        _NEIGHBOUR.format("n") + "new_state = new; update_flags = flags; pid = nlmsg_pid;",
    ),
    (
        "neigh:neigh_create",
        "",
        "family = tbl->family; dev = dev->name; entries = tbl->gc_entries.counter; created = n != 0; "
        "gc_exempt = exempt_from_gc;",
    ),
    ("sock:sk_data_ready", "", "skaddr = sk; family = sk->__sk_common.skc_family; protocol = sk->sk_protocol;"),
    (
        "sock:sock_rcvqueue_full",
        "",
        "rmem_alloc = sk->sk_backlog.rmem_alloc.counter; truesize = skb->truesize; sk_rcvbuf = sk->sk_rcvbuf;",
    ),
    (
        "sock:sock_exceed_buf_limit",
        "",
        "name = prot->name; rmem_alloc = sk->sk_backlog.rmem_alloc.counter; "
        "wmem_alloc = sk->sk_wmem_alloc.refs.counter; wmem_queued = sk->sk_wmem_queued;",
    ),
    (
        "udp:udp_fail_queue_rcv_skb",
        "",
        f"family = sk->__sk_common.skc_family; sport = bswap({_UDP}->source); dport = bswap({_UDP}->dest);",
    ),
    (
        "icmp:icmp_send",
        "",
        f"skbaddr = skb; saddr = {_IP}->saddr; daddr = {_IP}->daddr; "
        f"sport = {_IP}->protocol == 17 ? bswap({_UDP}->source) : 0; "
        f"dport = {_IP}->protocol == 17 ? bswap({_UDP}->dest) : 0; "
        f"ulen = {_IP}->protocol == 17 ? bswap({_UDP}->len) : 0;",
    ),
    (
        "tcp:tcp_sendmsg_locked",
        "",
        "skb_addr = skb; skb_len = skb ? skb->len : 0; msg_left = msg->msg_iter.count;",
    ),
    ("tcp:tcp_send_reset", "", "skbaddr = skb__nullable or skb; skaddr = sk;"),
    (
        "fib:fib_table_lookup",
        "",
        _FLOW + _PORTS + 'name = nhc && nhc->nhc_dev ? str(&nhc->nhc_dev->name[0], 15) : "-";',
    ),
    (
        "fib6:fib6_table_lookup",
        "",
        _FLOW + _PORTS + "tb_id = table->tb6_id; flowlabel = bswap(flp->flowlabel);",
    ),
    ("xdp:xdp_redirect xdp:xdp_redirect_err", "xdp_redirect_template", _XDP + "act = 4; map_index = index;"),
    ("xdp:xdp_exception", "", _XDP),
    ("xdp:xdp_bulk_tx", "", "ifindex = dev->ifindex; act = 3;"),
    ("xdp:xdp_devmap_xmit", "", "from_ifindex = from_dev->ifindex; to_ifindex = to_dev->ifindex; act = 4;"),
    ("xdp:xdp_cpumap_enqueue xdp:xdp_cpumap_kthread", "", "act = 4; cpu = cpu;"),
    ("bridge:br_fdb_update", "", "br_dev = br->dev->name; dev = source->dev->name;"),
    ("bridge:fdb_delete", "", "br_dev = br->dev->name; dev = f->dst->dev->name; vid = f->key.vlan_id;"),
    ("bridge:br_fdb_add", "", "ndm_flags = ndm->ndm_flags; dev = dev->name;"),
    # blocks
    (
        "block:block_bio_remap",
        "",
        _BIO_PLACE + "nr_sector = bio->bi_iter.bi_size >> 9; old_dev = dev; old_sector = from;",
    ),
    ("block:block_split", "", _BIO_PLACE + "comm = comm;"),
    ("block:block_plug", "", "comm = comm;"),
    ("block:block_unplug", "block_unplug", "nr_rq = depth; comm = comm;"),
    ("block:block_touch_buffer block:block_dirty_buffer", "block_buffer",
     "dev = bh->b_bdev->bd_dev; sector = bh->b_blocknr; size = bh->b_size;"),
    # write-back, page cache, memory
    (
        "writeback:writeback_queue writeback:writeback_exec writeback:writeback_start writeback:writeback_written "
        "writeback:writeback_wait",
        "writeback_work_class",
        _WORK,
    ),
    ("writeback:writeback_wake_background", "writeback_class", _WB),
    ("writeback:writeback_pages_written", "", "pages = pages_written;"),
    (
        "writeback:writeback_lazytime writeback:writeback_lazytime_iput writeback:writeback_dirty_inode_enqueue "
        "writeback:sb_mark_inode_writeback writeback:sb_clear_inode_writeback",
        "writeback_inode_template",
        _INODE,
    ),
    (
        "writeback:writeback_mark_inode_dirty writeback:writeback_dirty_inode_start writeback:writeback_dirty_inode",
        "writeback_dirty_inode_template",
        _INODE + _BDI.format("inode"),
    ),
    (
        "writeback:writeback_write_inode writeback:writeback_write_inode_start",
        "writeback_write_inode_template",
        _INODE + _BDI.format("inode") + _INODE_WB + "sync_mode = wbc->sync_mode;",
    ),
    (
        "writeback:writeback_single_inode writeback:writeback_single_inode_start",
        "writeback_single_inode_template",
        _INODE + _BDI.format("inode") + _INODE_WB
        + "writeback_index = inode->i_mapping->writeback_index; wrote = nr_to_write - wbc->nr_to_write;",
    ),
    (
        "writeback:writeback_dirty_folio writeback:folio_wait_writeback",
        "writeback_folio_template",
        _BDI.format("mapping->host") + "ino = mapping ? mapping->host->i_ino : 0; index = folio->index;",
    ),
    (
        "filemap:mm_filemap_add_to_page_cache filemap:mm_filemap_delete_from_page_cache",
        "mm_filemap_op_page_cache",
        "i_ino = folio->mapping->host->i_ino; index = folio->index; s_dev = folio->mapping->host->i_sb->s_dev;",
    ),
    ("filemap:mm_filemap_fault", "", "i_ino = mapping->host->i_ino; s_dev = mapping->host->i_sb->s_dev;"),
    (
        "vmscan:mm_vmscan_direct_reclaim_begin vmscan:mm_vmscan_memcg_reclaim_begin "
        "vmscan:mm_vmscan_memcg_softlimit_reclaim_begin",
        "mm_vmscan_direct_reclaim_begin_template",
        "",
    ),
    (
        "vmscan:mm_vmscan_direct_reclaim_end vmscan:mm_vmscan_memcg_reclaim_end "
        "vmscan:mm_vmscan_memcg_softlimit_reclaim_end vmscan:mm_vmscan_node_reclaim_end",
        "mm_vmscan_direct_reclaim_end_template",
        "",
    ),
    (
        "oom:mark_victim",
        "",
        "pid = task->pid; comm = task->comm; oom_score_adj = task->signal->oom_score_adj; "
        "total_vm = task->mm->total_vm << 2;",
    ),
    ("oom:oom_score_adj_update", "", "pid = task->pid; comm = task->comm; oom_score_adj = task->signal->oom_score_adj;"),
    # tasks, groups, timers, power
    ("sched:sched_kthread_stop", "", "comm = t->comm; pid = t->pid;"),
    (
        "sched:sched_pi_setprio",
        "",
        "comm = tsk->comm; pid = tsk->pid; oldprio = tsk->prio; newprio = pi_task && pi_task->prio < tsk->normal_prio ? "
        "pi_task->prio : tsk->normal_prio;",
    ),
    (
        "sched:sched_prepare_exec",
        "",
        "interp = str(bprm->interp); filename = str(bprm->filename); pid = task->pid; comm = task->comm;",
    ),
    (
        "cgroup:cgroup_mkdir cgroup:cgroup_rmdir cgroup:cgroup_release cgroup:cgroup_rename cgroup:cgroup_freeze "
        "cgroup:cgroup_unfreeze",
        "cgroup",
        _GROUP,
    ),
    ("cgroup:cgroup_notify_populated cgroup:cgroup_notify_frozen", "cgroup_event", _GROUP),
    (
        "cgroup:cgroup_attach_task cgroup:cgroup_transfer_tasks",
        "cgroup_migrate",
        "dst_root = dst_cgrp->root->hierarchy_id; dst_level = dst_cgrp->level; dst_id = dst_cgrp->kn->id; "
        "pid = task->pid; comm = task->comm; dst_path = str(path);",
    ),
    (
        "cgroup:cgroup_setup_root cgroup:cgroup_destroy_root cgroup:cgroup_remount",
        "cgroup_root",
        "root = root->hierarchy_id; ss_mask = root->subsys_mask; name = root->name;",
    ),
    ("timer:timer_init timer:timer_expire_exit timer:timer_cancel", "timer_class", ""),
    ("timer:hrtimer_expire_exit timer:hrtimer_cancel", "hrtimer_class", ""),
    ("irq:tasklet_entry irq:tasklet_exit", "tasklet", "tasklet = t;"),
    ("power:cpu_idle", "cpu", ""),
    ("power:cpu_frequency", "cpu", "state = frequency;"),
    ("power:cpu_frequency_limits", "", "min_freq = policy->min; max_freq = policy->max; cpu_id = policy->cpu;"),
    ("power:wakeup_source_activate power:wakeup_source_deactivate", "wakeup_source", "name = str(name);"),
)  # fmt: skip
