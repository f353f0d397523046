#!/bin/busybox sh
# First stage, from the initramfs: finds the disks, stacks a tmpfs on the userland, unpacks the tree, goes there.
bb=/bin/busybox
$bb mkdir -p /proc /sys /dev /below /above /new
$bb mount -t proc proc /proc
$bb mount -t sysfs sys /sys
$bb mount -t devtmpfs dev /dev
while read -r module; do $bb insmod "/modules/$module" || echo "guest: $module can't be loaded"; done < /modules/order
tries=0
while [ ! -b /dev/vdc ]; do
    tries=$((tries + 1))
    [ $tries -lt 100 ] || { echo "guest: no disks"; $bb poweroff -f; }
    $bb sleep 0.1
done
$bb mount -t ext4 -o ro /dev/vda /below
$bb mount -t tmpfs -o size=1200m tmpfs /above
$bb mkdir /above/upper /above/work
$bb mount -t overlay -o lowerdir=/below,upperdir=/above/upper,workdir=/above/work overlay /new
$bb mkdir -p /new/usr/lib/modules /new/guest /new/pystap
$bb mount -t ext4 -o ro /dev/vdb /new/usr/lib/modules
$bb tar -x -f /dev/vdc -C /new
for folder in proc sys dev; do $bb mount -o move /$folder /new/$folder; done
exec $bb switch_root /new /bin/sh /guest/main
