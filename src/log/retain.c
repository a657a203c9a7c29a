/* SPDX-License-Identifier: MIT
 *
 * Retention; see retain.h. Each run lists the folders anew, since others may remove segments too;
 * what orders the boots is read once, since only the own one can come to them.
 */
#include "log/retain.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/vec.h"
#include "log/boots.h"
#include "log/folder.h"
#include "log/pins.h"
#include "log/segment.h"
#include "log/sweep.h"

#define LOOK_NS 10000000000ull /* between two runs for which there is no other reason */
/* The log is kept shorter than its limit by this part of it, and looked at again after half as
 * much: what is written meanwhile has room. */
#define MARGIN_PART 16

struct segment {
	uint32_t boot; /* in boots */
	uint64_t number;
	uint64_t len;
	uint64_t mtime_ns;
	bool is_kept; /* it is written, or pinned */
};

struct kp_retainer {
	struct kp_retain_options options;
	int log_fd;
	struct kp_boot *boots; /* oldest first, … */
	uint32_t boot_cnt;
	bool has_own;                    /* … the last is that which is written to */
	KP_VEC(struct segment) segments; /* of this run, oldest first */

	/* of the last run */
	uint64_t looked_ns;
	uint64_t segment, written;
	bool has_told_found;
	bool has_objects; /* a segment was removed that named some */
};

bool kp_retain_is_wanted(const struct kp_retain_limits *l)
{
	return l->len || l->age_ns || l->free_len || l->free_percent;
}

/* Puts the own boot, whatever the clock was set to, behind the others; false: it is not there. */
static bool move_own(struct kp_boot *boots, size_t cnt, const char *own)
{
	struct kp_boot found;
	size_t i = 0;

	while (i < cnt && strcmp(boots[i].name, own) != 0)
		i++;
	if (i == cnt)
		return false;
	found = boots[i];
	memmove(&boots[i], &boots[i + 1], (cnt - i - 1) * sizeof(found));
	boots[cnt - 1] = found;
	return true;
}

int kp_retainer_new(int log_fd, const char *boot, const struct kp_retain_options *options,
		    struct kp_retainer **ret_retainer)
{
	struct kp_retainer *rt = calloc(1, sizeof(*rt));
	size_t cnt = 0;
	int r = rt ? kp_boots_list(log_fd, &rt->boots, &cnt) : -ENOMEM;

	if (r >= 0 && boot && !move_own(rt->boots, cnt, boot))
		r = -ENOENT;
	if (r < 0) {
		kp_retainer_free(rt);
		return r;
	}
	rt->options = *options;
	rt->log_fd = log_fd;
	rt->boot_cnt = (uint32_t)cnt;
	rt->has_own = boot;
	rt->has_objects = true; /* a recorder that was killed may have left some */
	*ret_retainer = rt;
	return 0;
}

void kp_retainer_free(struct kp_retainer *rt)
{
	if (!rt)
		return;
	KP_VEC_DONE(&rt->segments);
	free(rt->boots);
	free(rt);
}

/* --- what there is --- */

static int list_boot(struct kp_retainer *rt, uint32_t boot)
{
	int fd = kp_folder_open(rt->log_fd, rt->boots[boot].name), r = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct segment segment = {.boot = boot};
	struct dirent *entry;
	struct stat st;

	while (dir && r >= 0 && (entry = readdir(dir))) {
		if (!kp_seg_parse_name(entry->d_name, &segment.number) ||
		    fstatat(fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		segment.len = (uint64_t)st.st_size;
		segment.mtime_ns =
			(uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec;
		r = KP_VEC_PUSH(&rt->segments, segment);
	}
	if (dir)
		closedir(dir);
	else if (fd >= 0)
		close(fd);
	return r;
}

static int compare_segments(const void *a, const void *b)
{
	const struct segment *x = a, *y = b;

	if (x->boot != y->boot)
		return x->boot < y->boot ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

static bool is_own(const struct kp_retainer *rt, const struct segment *s)
{
	return rt->has_own && s->boot == rt->boot_cnt - 1;
}

static int list_segments(struct kp_retainer *rt, const struct kp_retain_now *now)
{
	int r = 0;

	rt->segments.cnt = 0;
	for (uint32_t i = 0; i < rt->boot_cnt && r >= 0; i++)
		r = list_boot(rt, i);
	if (rt->segments.cnt)
		qsort(rt->segments.at, rt->segments.cnt, sizeof(*rt->segments.at),
		      compare_segments);
	for (uint32_t i = 0; i < rt->segments.cnt; i++)
		rt->segments.at[i].is_kept = is_own(rt, &rt->segments.at[i]) &&
					     rt->segments.at[i].number >= now->segment;
	return r;
}

static uint64_t length(const struct kp_retainer *rt)
{
	uint64_t len = 0;

	for (uint32_t i = 0; i < rt->segments.cnt; i++)
		len += rt->segments.at[i].len;
	return len;
}

/* --- pins --- */

static struct segment *find_segment(struct kp_retainer *rt, const char *boot, size_t boot_len,
				    uint64_t number)
{
	struct segment key = {.number = number};

	for (; key.boot < rt->boot_cnt; key.boot++)
		if (!strncmp(rt->boots[key.boot].name, boot, boot_len) &&
		    !rt->boots[key.boot].name[boot_len])
			break;
	if (key.boot == rt->boot_cnt || !rt->segments.cnt)
		return NULL;
	return bsearch(&key, rt->segments.at, rt->segments.cnt, sizeof(key), compare_segments);
}

/* Bytes of the segments of a pin that are there, of which keep says whether they stay now; new:
 * only of those that nothing else keeps. */
static uint64_t walk_pin(struct kp_retainer *rt, const struct kp_pin *pin, bool new, bool keep)
{
	const char *text = pin->text, *boot;
	struct segment *segment;
	uint64_t number, len = 0;
	size_t boot_len;

	while (kp_pin_next(&text, &boot, &boot_len, &number)) {
		segment = find_segment(rt, boot, boot_len, number);
		if (!segment || (new && segment->is_kept))
			continue;
		len += segment->len;
		segment->is_kept |= keep;
	}
	return len;
}

/* A pin of which nothing is there any more goes too. */
static int keep_pinned(struct kp_retainer *rt, bool *ret_is_over_quota)
{
	uint64_t left = rt->options.limits.pin_len, len;
	struct kp_pin *pins;
	size_t cnt;
	int r = kp_pins_read(rt->log_fd, &pins, &cnt);

	for (size_t i = 0; i < cnt; i++) {
		len = walk_pin(rt, &pins[i], true, false);
		if (len > left) {
			*ret_is_over_quota = true;
			continue;
		}
		left -= len;
		if (!walk_pin(rt, &pins[i], false, true))
			kp_pin_remove(rt->log_fd, pins[i].name);
	}
	kp_pins_free(pins, cnt);
	return r;
}

/* --- what has to go --- */

struct run {
	uint64_t left_len;
	uint64_t free_len; /* of the disk, with what was removed */
	uint64_t floor_len;
	bool is_full;
};

static int look_at_disk(const struct kp_retainer *rt, struct run *run)
{
	const struct kp_retain_limits *l = &rt->options.limits;
	struct statvfs fs;
	uint64_t part;

	if (fstatvfs(rt->log_fd, &fs) < 0)
		return -errno;
	part = (uint64_t)fs.f_blocks / 100 * fs.f_frsize * l->free_percent;
	run->free_len = (uint64_t)fs.f_bavail * fs.f_frsize;
	run->floor_len = part > l->free_len ? part : l->free_len;
	return 0;
}

/* How long ago its last event was: by the clock that nobody sets, in this boot; the file's time
 * stands for those that do not say. */
static uint64_t age_ns(const struct kp_retainer *rt, const struct segment *s, int fd)
{
	uint64_t now_ns = kp_clock_ns(CLOCK_REALTIME), last_ns = s->mtime_ns;
	const char *why = NULL;
	struct kp_seg_start start;
	struct kp_seg_scan scan;
	char *text = NULL;

	if (kp_seg_read_hdr(fd, &start, &text, &why) >= 0) {
		kp_seg_scan_init(&scan, fd, &start, s->len);
		last_ns =
			scan.has_seal && scan.seal.last_ns ? scan.seal.last_ns : start.hdr.time_ns;
		if (is_own(rt, s))
			now_ns = kp_clock_ns(CLOCK_MONOTONIC);
		else
			last_ns += start.hdr.realtime_ns - start.hdr.time_ns;
		free(text);
	}
	return now_ns > last_ns ? now_ns - last_ns : 0;
}

static bool is_old(const struct kp_retainer *rt, const struct segment *s, int boot_fd)
{
	uint64_t max_ns = rt->options.limits.age_ns;
	char name[KP_SEG_NAME_MAX];
	bool old = false;
	int fd;

	if (!max_ns)
		return false;
	kp_seg_name(s->number, name);
	fd = kp_folder_open_file(boot_fd, name, O_RDONLY);
	if (fd < 0)
		return false;
	old = age_ns(rt, s, fd) > max_ns;
	close(fd);
	return old;
}

/* Why the oldest segment that is left has to go; 0: it may stay. */
static unsigned why_remove(const struct kp_retainer *rt, const struct run *run,
			   const struct segment *s, int boot_fd)
{
	const struct kp_retain_limits *l = &rt->options.limits;

	if (run->is_full)
		return KP_RETAIN_full;
	if (run->free_len < run->floor_len)
		return KP_RETAIN_free;
	if (l->len && run->left_len + l->len / MARGIN_PART > l->len)
		return KP_RETAIN_size;
	return is_old(rt, s, boot_fd) ? KP_RETAIN_age : 0;
}

/* Whether it names objects, as far as its seal tells. */
static bool names_objects(int boot_fd, const struct segment *s)
{
	char name[KP_SEG_NAME_MAX], *text = NULL;
	struct kp_seg_start start;
	struct kp_seg_scan scan;
	const char *why;
	bool names = true;
	int fd;

	kp_seg_name(s->number, name);
	fd = kp_folder_open_file(boot_fd, name, O_RDONLY);
	if (fd < 0)
		return true;
	if (kp_seg_read_hdr(fd, &start, &text, &why) >= 0) {
		kp_seg_scan_init(&scan, fd, &start, s->len);
		names = !scan.has_seal || kp_sweep_may_name(&scan.seal.kinds);
		free(text);
	}
	close(fd);
	return names;
}

static void tell(const struct kp_retainer *rt, const struct kp_retain_segment *segment)
{
	if (rt->options.on_remove)
		rt->options.on_remove(rt->options.arg, segment);
}

static void remove_segment(struct kp_retainer *rt, struct run *run, const struct segment *s,
			   int boot_fd, enum kp_retain_why why, struct kp_retained *retained)
{
	struct kp_retain_segment told = {.boot = rt->boots[s->boot].name,
					 .number = s->number,
					 .len = s->len,
					 .left_len = run->left_len - s->len,
					 .why = why};
	char name[KP_SEG_NAME_MAX];

	rt->has_objects |= names_objects(boot_fd, s);
	tell(rt, &told);
	kp_seg_name(s->number, name);
	if (unlinkat(boot_fd, name, 0) < 0)
		return; /* somebody else did, or nobody can */
	run->left_len -= s->len;
	run->free_len += s->len;
	run->is_full = false;
	retained->removed_len += s->len;
	retained->removed_cnt++;
}

/* The first segments of the boots that an earlier recorder removed, or somebody else. */
static void tell_found(struct kp_retainer *rt, const struct run *run)
{
	struct kp_retain_segment told = {.left_len = run->left_len, .why = KP_RETAIN_found};
	const struct segment *s;

	for (uint32_t i = 0; i < rt->segments.cnt; i++) {
		s = &rt->segments.at[i];
		if ((i && s[-1].boot == s->boot) || s->number == 1)
			continue;
		told.boot = rt->boots[s->boot].name;
		told.number = s->number - 1;
		tell(rt, &told);
	}
	rt->has_told_found = true;
}

static void remove_oldest(struct kp_retainer *rt, struct run *run, struct kp_retained *retained)
{
	const struct segment *s;
	unsigned why = 1;
	int boot_fd = -1;

	for (uint32_t i = 0; i < rt->segments.cnt && why; i++) {
		s = &rt->segments.at[i];
		if (s->is_kept)
			continue;
		boot_fd = kp_folder_open(rt->log_fd, rt->boots[s->boot].name);
		if (boot_fd < 0)
			continue;
		why = why_remove(rt, run, s, boot_fd);
		if (why)
			remove_segment(rt, run, s, boot_fd, (enum kp_retain_why)why, retained);
		close(boot_fd);
		if (!is_own(rt, s)) /* which goes with its last segment */
			unlinkat(rt->log_fd, rt->boots[s->boot].name, AT_REMOVEDIR);
	}
}

bool kp_retainer_is_due(const struct kp_retainer *rt, const struct kp_retain_now *now)
{
	struct run run;

	return now->is_full || now->segment != rt->segment ||
	       kp_clock_ns(CLOCK_MONOTONIC) - rt->looked_ns >= LOOK_NS ||
	       (rt->options.limits.len &&
		now->written - rt->written > rt->options.limits.len / MARGIN_PART / 2) ||
	       (look_at_disk(rt, &run) >= 0 && run.free_len < run.floor_len);
}

int kp_retainer_run(struct kp_retainer *rt, const struct kp_retain_now *now,
		    struct kp_retained *ret, struct kp_err *err)
{
	struct run run = {.is_full = now->is_full};
	int r = list_segments(rt, now);

	*ret = (struct kp_retained){.left_len = length(rt)};
	rt->looked_ns = kp_clock_ns(CLOCK_MONOTONIC);
	rt->segment = now->segment;
	rt->written = now->written;
	run.left_len = ret->left_len;
	if (r >= 0)
		r = look_at_disk(rt, &run);
	if (r >= 0)
		r = keep_pinned(rt, &ret->is_over_quota);
	if (r < 0)
		return kp_err_sys(err, r, "cannot look for what the log need not keep");
	if (!rt->has_told_found)
		tell_found(rt, &run);
	remove_oldest(rt, &run, ret);
	ret->left_len = run.left_len;
	ret->is_short = run.free_len < run.floor_len;
	if (!rt->has_objects || rt->options.keeps_objects)
		return 0;
	rt->has_objects = false;
	r = kp_sweep_objects(rt->log_fd);
	return r < 0 ? kp_err_sys(err, r, "cannot look for contents that no segment names") : 0;
}

int kp_retain_oldest(const char *dir, const struct kp_retain_limits *limits, struct kp_err *err)
{
	const struct kp_retain_options options = {.limits = {.pin_len = limits->pin_len},
						  .keeps_objects = true};
	const struct kp_retain_now now = {.is_full = true};
	struct kp_retained retained = {.removed_cnt = 0};
	struct kp_retainer *rt = NULL;
	int fd, r = kp_folder_make(AT_FDCWD, dir, dir, &fd, err);

	if (r < 0)
		return r;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) /* another recorder came first */
		r = kp_err_sys(err, -errno, "cannot lock %s", dir);
	if (r >= 0) {
		r = kp_retainer_new(fd, NULL, &options, &rt);
		if (r < 0)
			kp_err_sys(err, r, "cannot list %s", dir);
	}
	if (r >= 0)
		r = kp_retainer_run(rt, &now, &retained, err);
	kp_retainer_free(rt);
	close(fd);
	return r < 0 ? r : retained.removed_cnt > 0;
}
