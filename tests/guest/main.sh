# Second stage, process 1 of the userland: makes the machine usual, runs the command, tells its status, powers off.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM=dumb
for name in fd:fd stdin:fd/0 stdout:fd/1 stderr:fd/2; do ln -sf "/proc/self/${name#*:}" "/dev/${name%:*}"; done
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
for folder in /dev/shm /tmp /run; do mount -t tmpfs tmpfs "$folder"; done
mount -t tracefs tracefs /sys/kernel/tracing
mount -t debugfs debugfs /sys/kernel/debug
mount -t bpf bpf /sys/fs/bpf
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p /run/netns
if [ -b /dev/vdd ]; then
    mkdir -p /debuginfo
    mount -t ext4 -o ro /dev/vdd /debuginfo
fi
hostname guest
ip link set lo up
cp "/usr/lib/modules/$(uname -r)/config" "/boot/config-$(uname -r)"
# Where a task can be preempted in a program of a tracepoint (from 7.0), the kernel leaves out other tasks' runs of it until
# it goes on, and counts them. Programs take so long under emulation that this would happen all the time.
if cd /sys/kernel/debug/sched 2>/dev/null && [ -e base_slice_ns ]; then
    echo NO_WAKEUP_PREEMPTION > features
    echo 40000000 > base_slice_ns
fi
cd /
modprobe -q loop # on a usual machine its device node loads it

port() { # the device of a named port
    for entry in /sys/class/virtio-ports/*; do
        [ "$(cat "$entry/name")" = "$1" ] && echo "/dev/${entry##*/}"
    done
}

mkfifo /run/output
cat < /run/output > "$(port output)" &
reader=$!
cd /pystap
setsid sh /guest/command < /dev/null > /run/output 2>&1
status=$?
(sleep 5; kill $reader 2>/dev/null) & # what the command left behind may hold the pipe
wait $reader
echo "pystap-guest: status $status" > "$(port status)"
sync
echo o > /proc/sysrq-trigger
sleep 60
