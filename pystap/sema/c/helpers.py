"""Inline functions of the kernel's headers that scripts call, in our own words, in the subset itself.

name -> its C text. A helper may call others. Constants and macros are known.
"""

from __future__ import annotations

_BODIES: dict[str, tuple[str, str, str]] = {
    # name: (result, parameters, expression)
    "skb_network_header": ("unsigned char *", "struct sk_buff *skb", "skb->head + skb->network_header"),
    "skb_transport_header": ("unsigned char *", "struct sk_buff *skb", "skb->head + skb->transport_header"),
    "skb_mac_header": ("unsigned char *", "struct sk_buff *skb", "skb->head + skb->mac_header"),
    "skb_end_pointer": ("unsigned char *", "struct sk_buff *skb", "skb->head + skb->end"),
    "skb_tail_pointer": ("unsigned char *", "struct sk_buff *skb", "skb->head + skb->tail"),
    "skb_headlen": ("unsigned int", "struct sk_buff *skb", "skb->len - skb->data_len"),
    "skb_is_nonlinear": ("bool", "struct sk_buff *skb", "skb->data_len"),
    "ip_hdr": ("struct iphdr *", "struct sk_buff *skb", "(struct iphdr *)(skb->head + skb->network_header)"),
    "ipv6_hdr": (
        "struct ipv6hdr *",
        "struct sk_buff *skb",
        "(struct ipv6hdr *)(skb->head + skb->network_header)",
    ),
    "arp_hdr": (
        "struct arphdr *",
        "struct sk_buff *skb",
        "(struct arphdr *)(skb->head + skb->network_header)",
    ),
    "tcp_hdr": (
        "struct tcphdr *",
        "struct sk_buff *skb",
        "(struct tcphdr *)(skb->head + skb->transport_header)",
    ),
    "udp_hdr": (
        "struct udphdr *",
        "struct sk_buff *skb",
        "(struct udphdr *)(skb->head + skb->transport_header)",
    ),
    "icmp_hdr": (
        "struct icmphdr *",
        "struct sk_buff *skb",
        "(struct icmphdr *)(skb->head + skb->transport_header)",
    ),
    "eth_hdr": ("struct ethhdr *", "struct sk_buff *skb", "(struct ethhdr *)(skb->head + skb->mac_header)"),
    "tcp_sk": ("struct tcp_sock *", "void *sk", "(struct tcp_sock *)sk"),
    "udp_sk": ("struct udp_sock *", "void *sk", "(struct udp_sock *)sk"),
    "inet_sk": ("struct inet_sock *", "void *sk", "(struct inet_sock *)sk"),
    "inet_csk": ("struct inet_connection_sock *", "void *sk", "(struct inet_connection_sock *)sk"),
    "sock_net": ("struct net *", "struct sock *sk", "sk->__sk_common.skc_net.net"),
    "dev_net": ("struct net *", "struct net_device *dev", "dev->nd_net.net"),
    "read_pnet": ("struct net *", "possible_net_t *pnet", "pnet->net"),
    "file_inode": ("struct inode *", "struct file *f", "f->f_inode"),
    "i_size_read": ("long long", "struct inode *inode", "inode->i_size"),
    "d_inode": ("struct inode *", "struct dentry *dentry", "dentry->d_inode"),
    "task_pid_nr": ("int", "struct task_struct *task", "task->pid"),
    "task_tgid_nr": ("int", "struct task_struct *task", "task->tgid"),
    "task_ppid_nr": ("int", "struct task_struct *task", "task->real_parent->tgid"),
    "atomic_read": ("int", "atomic_t *v", "v->counter"),
    "atomic64_read": ("long", "atomic64_t *v", "v->counter"),
    "atomic_long_read": ("long", "atomic_long_t *v", "v->counter"),
    "refcount_read": ("int", "refcount_t *v", "v->refs.counter"),
    "ktime_to_ns": ("long long", "long long t", "t"),
    "jiffies_to_msecs": ("unsigned int", "unsigned long j", "((j * 1000) + HZ - 1) / HZ"),
    "jiffies_to_usecs": ("unsigned int", "unsigned long j", "(j * 1000000) / HZ"),
    "msecs_to_jiffies": ("unsigned long", "unsigned int m", "((unsigned long)m * HZ + 999) / 1000"),
}

HELPERS: dict[str, str] = {
    name: f"static inline {result} {name}({params}) {{ return {expression}; }}"
    for name, (result, params, expression) in _BODIES.items()
}

# Kernel variables that scripts read, with their types; any other is declared: extern int nr_threads;
VARIABLES: dict[str, str] = {
    "init_task": "struct task_struct",
    "init_net": "struct net",
    "init_pid_ns": "struct pid_namespace",
    "nr_threads": "int",
    "total_forks": "unsigned long",
    "max_pfn": "unsigned long",
    "high_memory": "void *",
    "loops_per_jiffy": "unsigned long",
    "avenrun": "unsigned long",
    "panic_on_oops": "int",
    "oops_in_progress": "int",
    "system_state": "int",
}
ARRAYS = {"avenrun": 3}
