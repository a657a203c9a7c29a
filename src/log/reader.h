/* SPDX-License-Identifier: MIT
 *
 * Reads a log, all segments of one boot as one stream of events in the order of time. The bytes are
 * taken as hostile: every length is checked before use, every event validated. A torn end or a
 * damaged block is not an error: reading goes on behind it and the gap is listed.
 */
#ifndef KP_LOG_READER_H
#define KP_LOG_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "event/kinds.h"
#include "kprobe/log_format.h"

struct kp_log_reader;

/* Who wrote a stream; see kprobe/log_format.h. */
enum {
	KP_LOG_NODE = 1,      /* the events of all tasks */
	KP_LOG_SELECTED = 2,  /* the calls of tasks selected for replay, with their bytes */
	KP_LOG_LIFE = 4,      /* processes and their names, and sockets */
	KP_LOG_OWN = 8,       /* what the recorder itself says: clocks, losses, images … */
	KP_LOG_SNAPSHOT = 16, /* what was there at a segment's begin: tasks, descriptors, sockets,
				 the CPU */
};

/* What to read; zero-initialised: everything. */
struct kp_log_filter {
	uint64_t from_ns; /* CLOCK_MONOTONIC; events before it are skipped */
	uint64_t to_ns;   /* events after it are skipped; 0: no end */
	/* The same for what tasks did (KP_LOG_NODE and KP_LOG_SELECTED), where that is less. */
	uint64_t tasks_from_ns, tasks_to_ns;
	struct kp_set kinds; /* wanted kinds; empty: all */
	uint32_t streams;    /* KP_LOG_ bits; 0: all */
};

/* A part of the log that could not be read. */
struct kp_log_gap {
	char *file;       /* path of the segment */
	uint64_t offset;  /* first byte that is not part of a good block */
	uint64_t len;     /* bytes skipped */
	uint64_t from_ns; /* events between these times may be missing: those of the block itself if
			     its header is whole, else the first time of the good block before
			     the gap in the segment and the last of the one behind; 0: unknown */
	uint64_t to_ns;
	bool torn;       /* at the end of its segment: an interrupted write rather than damage */
	bool no_end;     /* the recording has no end here; the times are exact, len is 0 */
	bool gone;       /* its segment was removed while the log was read, as retention does */
	const char *why; /* static text */
};

/* One life of a recorder in the log. */
struct kp_log_run {
	char id[32];                /* random, of the recorder's start; "" if no header says */
	uint64_t start_ns;          /* its first segment that is there, CLOCK_MONOTONIC … */
	uint64_t start_realtime_ns; /* … and CLOCK_REALTIME at that moment */
	bool is_masked; /* card numbers are masked also in what is recorded for replay (--mask) */
};

/* A kind or a group that the log has and this program has not. */
struct kp_log_unknown {
	char *name;   /* as the log has it: a stranger's text; "others" past KP_LOG_UNKNOWN_MAX */
	uint64_t cnt; /* events */
};
#define KP_LOG_UNKNOWN_MAX 64

/* A gap as text: where, how long, and why. */
void kp_log_print_gap(const struct kp_log_gap *gap, struct kp_buf *out);

/* How the newest run of the log ended. */
enum kp_log_end {
	KP_LOG_UNKNOWN, /* only a segment of it was opened */
	KP_LOG_OPEN,    /* it has not: its recorder is at work */
	KP_LOG_CUT,     /* the recorder was killed, or what it wrote last is gone */
	KP_LOG_ENDED,   /* end_text says why */
};

struct kp_log_info {
	const char *dir;        /* the boot's folder that is read */
	const char *machine_id; /* of the host, machine-id(5); "" if it had none */
	const char *node;       /* name of the host */
	const char *boot_id;
	const char *options_json;
	uint64_t first_ns; /* smallest and largest time of any readable block, CLOCK_MONOTONIC */
	uint64_t last_ns;
	uint64_t start_realtime_ns; /* CLOCK_REALTIME when the first segment began … */
	uint64_t start_time_ns;     /* … and CLOCK_MONOTONIC at that moment */
	size_t segment_cnt;
	uint64_t absent_cnt; /* segments of the boot before the newest that are not there, of which
				no gap is told: retention removes the oldest */
	size_t block_cnt;
	uint64_t len;                /* bytes of the segments whose headers are readable … */
	uint64_t disk_len;           /* … and those of them that the disk holds: no holes */
	uint64_t event_cnt;          /* by the block headers */
	uint64_t lost[KP_GROUP_CNT]; /* by the block headers: the sum over streams and recorder runs
				      */
	uint64_t lost_selected[KP_GROUP_CNT]; /* of these, on the streams of selected tasks */
	const struct kp_log_run *runs;        /* in the order of time; at least one */
	size_t run_cnt;
	enum kp_log_end end;
	const char *end_text;  /* one or a few words, static text */
	uint64_t doubtful_cnt; /* events of which the recorder did not know whether they are on disk
				*/
	uint64_t unknown_cnt;  /* events read so far whose kinds this program does not know, … */
	const struct kp_log_unknown *unknown_kinds; /* … and by kind */
	size_t unknown_kind_cnt;
	const struct kp_log_unknown *unknown_lost; /* lost events of groups it does not know */
	size_t unknown_lost_cnt;
	const struct kp_log_gap *gaps; /* damage found so far; complete once all was read */
	size_t gap_cnt;
};

/*
 * Opens a log. path is the directory given to `record -o` (the newest boot is read), a boot's
 * folder, or one segment file. Errors: -ENOENT when there is no log, -EBADMSG when no segment's
 * header is readable, other -errno.
 */
int kp_log_open(const char *path, const struct kp_log_filter *filter,
		struct kp_log_reader **ret_reader, struct kp_err *err);

/* The runs of a log, oldest first, without reading more than its headers; freed by the caller.
 * Errors as above. */
int kp_log_read_runs(const char *path, struct kp_log_run **ret_runs, size_t *ret_cnt,
		     struct kp_err *err);

/*
 * The next event in the order of time. Returns 1 and sets *ret_event (valid until the next call on
 * this reader, 8-byte aligned, layout of this program's events.def whatever schema the log has), 0
 * at the end, or a negative errno. Events of one stream never change their order: one that an
 * interrupt wrote microseconds early comes where the stream has it.
 */
int kp_log_next(struct kp_log_reader *reader, const struct kp_hdr **ret_event, struct kp_err *err);

/*
 * From when on to read in order to know what was there at time_ns: since the begin of the segment
 * before that in which it lies, whose snapshot is complete by then (one may be late). 0: since the
 * log's begin. What the filter is does not matter.
 */
uint64_t kp_log_snapshot_from(const struct kp_log_reader *reader, uint64_t time_ns);

/* How many events of what tasks did have the blocks that overlap this time, of those segments in
 * which the filter can find something. */
uint64_t kp_log_count(const struct kp_log_reader *reader, uint64_t from_ns, uint64_t to_ns);

/* Begins again from the first event that the filter lets through. */
int kp_log_rewind(struct kp_log_reader *reader, struct kp_err *err);

/* Valid until the reader is closed; gaps and first/last grow as reading goes
 * on. Losses and gaps are those of the segments in which the filter can find something. */
const struct kp_log_info *kp_log_get_info(struct kp_log_reader *reader);

void kp_log_reader_free(struct kp_log_reader *reader);

#endif
