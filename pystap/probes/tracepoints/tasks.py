"""Rows of tracepoints of tasks, their groups, signals, interrupts, timers, work and power."""

from __future__ import annotations

_SIGINFO = """
errno = (uint64)info > 1 ? info->si_errno : 0; code = (uint64)info > 1 ? info->si_code : (uint64)info == 1 ? 128 : 0;
"""
_TASK = "comm = {0}->comm; pid = {0}->pid; prio = {0}->prio;"
_GROUP = "root = cgrp->root->hierarchy_id; level = cgrp->level; id = cgrp->kn->id; path = str(path);"

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
    ("exceptions:page_fault_user exceptions:page_fault_kernel", "exceptions", "ip = regs->ip;"),
    ("signal:signal_generate", "", _SIGINFO + "comm = task->comm; pid = task->pid;"),
    ("signal:signal_deliver", "", _SIGINFO + "sa_handler = ka->sa.sa_handler; sa_flags = ka->sa.sa_flags;"),
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
    (
        "oom:mark_victim",
        "",
        "pid = task->pid; comm = task->comm; oom_score_adj = task->signal->oom_score_adj; "
        "total_vm = task->mm->total_vm << 2;",
    ),
    (
        "oom:oom_score_adj_update",
        "",
        "pid = task->pid; comm = task->comm; oom_score_adj = task->signal->oom_score_adj;",
    ),
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
    (
        "power:cpu_frequency_limits",
        "",
        "min_freq = policy->min; max_freq = policy->max; cpu_id = policy->cpu;",
    ),
    ("power:wakeup_source_activate power:wakeup_source_deactivate", "wakeup_source", "name = str(name);"),
)
