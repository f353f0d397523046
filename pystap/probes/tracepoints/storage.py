"""Rows of tracepoints of blocks, write-back, page cache, memory."""

from __future__ import annotations

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
_BIO_PLACE = "sector = bio->bi_iter.bi_sector; rwbs = __rwbs(bio->bi_opf); dev = bio->bi_bdev->bd_dev; "

ROWS: tuple[tuple[str, str, str], ...] = (
    ("kmem:kmem_cache_alloc", "", "name = str(s->name); bytes_req = s->object_size; bytes_alloc = s->size;"),
    ("kmem:kmem_cache_free", "", "name = str(s->name);"),
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
        "block:block_bio_remap",
        "",
        _BIO_PLACE + "nr_sector = bio->bi_iter.bi_size >> 9; old_dev = dev; old_sector = from;",
    ),
    ("block:block_split", "", _BIO_PLACE + "comm = comm;"),
    ("block:block_plug", "", "comm = comm;"),
    ("block:block_unplug", "block_unplug", "nr_rq = depth; comm = comm;"),
    (
        "block:block_touch_buffer block:block_dirty_buffer",
        "block_buffer",
        "dev = bh->b_bdev->bd_dev; sector = bh->b_blocknr; size = bh->b_size;",
    ),
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
        _INODE
        + _BDI.format("inode")
        + _INODE_WB
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
)
