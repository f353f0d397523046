"""Rows of tracepoints of packets, queues, neighbours, routes, sockets."""

from __future__ import annotations

_SOCK = """
skaddr = sk; family = sk->__sk_common.skc_family; sport = bswap(((struct inet_sock *)sk)->inet_sport);
dport = bswap(sk->__sk_common.skc_dport); saddr = ((struct inet_sock *)sk)->inet_saddr;
daddr = sk->__sk_common.skc_daddr; saddr_v6 = sk->__sk_common.skc_v6_rcv_saddr.in6_u.u6_addr8;
daddr_v6 = sk->__sk_common.skc_v6_daddr.in6_u.u6_addr8;
"""
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
_XDP = "prog_id = xdp->aux->id; ifindex = dev->ifindex; "

ROWS: tuple[tuple[str, str, str], ...] = (
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
    (
        "sock:sk_data_ready",
        "",
        "skaddr = sk; family = sk->__sk_common.skc_family; protocol = sk->sk_protocol;",
    ),
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
)
