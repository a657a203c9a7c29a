/* SPDX-License-Identifier: MIT
 *
 * Verification; see verify.h. segment_check.c looks at the bytes of a segment; this file at what
 * only the others can tell of it: that it stands in its place, behind the one that it was begun
 * behind, and that none is missing. What retention removed is missing with reason, if an event says
 * so; which may stand anywhere behind, so that what is missing is judged at the end.
 */
#include "log/verify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log/boots.h"
#include "log/json.h"
#include "log/segment_check.h"
#include "log/verify_in.h"

#define TOLD_MAX 1000 /* findings that are told; more are counted */

void kp_verify_tell(struct kp_verify *v, enum kp_verify_grade grade, const char *where,
		    const char *format, ...)
{
	char text[1280];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (grade > v->result->worst)
		v->result->worst = grade;
	v->result->damage_cnt += grade == KP_VERIFY_DAMAGE;
	if (v->told_cnt++ < TOLD_MAX)
		v->options->tell(v->options->arg, grade, where ? where : v->segment->path, text);
}

/* --- one segment --- */

static int on_damage(void *arg, uint64_t offset, uint64_t len, const char *why)
{
	struct kp_verify *v = arg;

	v->sums.is_whole = false;
	kp_verify_tell(v, KP_VERIFY_DAMAGE, NULL, "offset %" PRIu64 ", %" PRIu64 " bytes: %s",
		       offset, len, why);
	return 0;
}

static int on_block(void *arg, const union kp_block_head *head, const unsigned char *payload)
{
	return kp_verify_add_block(arg, head, payload);
}

/* The header's boot is the log's. */
static int check_boot(struct kp_verify *v, int fd)
{
	struct kp_seg_start start;
	const char *why = NULL, *boot;
	cJSON *root = NULL;
	char *text = NULL;
	int r = kp_seg_read_hdr(fd, &start, &text, &why);

	if (r >= 0)
		r = kp_log_json_read(text, strlen(text), &root);
	boot = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "boot_id"));
	if (r >= 0 && (!boot || strcmp(boot, v->index->boot_id) != 0))
		kp_verify_tell(v, KP_VERIFY_DAMAGE, NULL, "it is a segment of another boot");
	cJSON_Delete(root);
	free(text);
	return r == -EBADMSG ? 0 : r;
}

static int check_segment(struct kp_verify *v, struct kp_seg_check *check)
{
	int fd = kp_index_open_segment(v->index, v->segment), r;
	struct stat st;

	if (fd == -ENOENT) {
		v->sums.is_whole = false;
		kp_verify_tell(v, KP_VERIFY_NOTE, NULL, "it was removed while the log was read");
		return 0;
	}
	if (fd < 0)
		return fd;
	*check = (struct kp_seg_check){
		.payload = v->payload, .on_damage = on_damage, .on_block = on_block, .arg = v};
	r = fstat(fd, &st) < 0 ? -errno : kp_seg_check(fd, (uint64_t)st.st_size, check);
	if (r >= 0 && check->has_header)
		r = check_boot(v, fd);
	v->result->segment_cnt++;
	return r;
}

/* --- its place --- */

static void add_missing(struct kp_verify *v, uint64_t from, uint64_t to)
{
	struct kp_verify_hole hole = {.from = from, .to = to};

	snprintf(hole.boot, sizeof(hole.boot), "%s", v->index->boot_id);
	v->sums.is_whole = false;
	if (KP_VEC_PUSH(&v->missing, hole) < 0)
		kp_verify_tell(v, KP_VERIFY_DAMAGE, NULL, "segments before it are missing");
}

/* A number, a time and a run that fit those before. */
static void check_place(struct kp_verify *v, const struct kp_index_segment *before,
			const struct kp_seg_check *check)
{
	uint64_t expected = before ? before->number + 1 : 1;

	if (check->hdr.sequence != v->segment->number)
		kp_verify_tell(v, KP_VERIFY_DAMAGE, NULL,
			       "by its header it is segment %" PRIu64
			       ": it does not stand in its place",
			       (uint64_t)check->hdr.sequence);
	if (v->segment->number != expected)
		add_missing(v, expected, v->segment->number - 1);
	if (before && before->schema && check->hdr.time_ns < before->start.hdr.time_ns)
		kp_verify_tell(v, KP_VERIFY_DAMAGE, NULL,
			       "it was begun before the segment that it stands behind");
}

/* Behind a segment of its run, or none. last: what was found of the one before, NULL: nothing. */
static void check_chain(struct kp_verify *v, const struct kp_index_segment *before,
			const struct kp_seg_check *last, const struct kp_seg_check *check)
{
	static const struct kp_hash none;
	bool is_first = !memcmp(&check->hdr.prev, &none, sizeof(none));
	bool is_next = before && before->number + 1 == v->segment->number;
	const char *why = NULL;

	if (is_first || !is_next || (last && !last->has_header))
		return; /* what is missing is told already */
	if (!last || !before->schema || strcmp(before->run, v->segment->run) != 0)
		why = "the segment of its run that it was begun behind is missing";
	else if (memcmp(&check->hdr.prev, &last->last, sizeof(last->last)) != 0 ||
		 v->segment->previous_blocks != (int64_t)last->block_cnt)
		why = "the segment before it is not the one that it was begun behind";
	if (!why)
		return;
	v->sums.is_whole = false;
	kp_verify_tell(v, KP_VERIFY_DAMAGE, NULL, "%s", why);
}

static void check_run_end(struct kp_verify *v, const struct kp_seg_check *check, bool is_last)
{
	if (check->has_seal && check->seal.reason != KP_END_FULL)
		return;
	v->sums.is_whole = false;
	if (is_last && v->segment->fd >= 0 && kp_seg_is_locked(v->segment->fd)) {
		kp_verify_tell(v, KP_VERIFY_NOTE, NULL, "it is still being recorded");
		return;
	}
	kp_verify_tell(v, KP_VERIFY_DAMAGE, NULL,
		       check->has_seal
			       ? "the segment behind it is missing"
			       : "its recording has no end: its recorder was killed, or what it "
				 "wrote last is gone");
}

static void check_end(struct kp_verify *v, const struct kp_seg_check *check, bool is_last)
{
	if (v->segment->is_run_end)
		check_run_end(v, check, is_last);
	else if (!check->has_seal)
		kp_verify_tell(v, KP_VERIFY_DAMAGE, NULL, "its index and seal are missing");
	if (check->has_seal && check->seal.doubtful_cnt && v->segment->is_run_end)
		kp_verify_tell(v, KP_VERIFY_NOTE, NULL,
			       "of %" PRIu64 " events of its run the recorder did not know "
			       "whether they came to the disk",
			       (uint64_t)check->seal.doubtful_cnt);
}

/* --- a boot --- */

static bool begins_run(const struct kp_index_segment *s, const struct kp_index_segment *before)
{
	return !before || !before->schema || strcmp(before->run, s->run) != 0;
}

static int check_in_boot(struct kp_verify *v, size_t number, struct kp_seg_check *last,
			 bool *has_last)
{
	struct kp_index_segment *before = number ? &v->index->segments[number - 1] : NULL;
	bool is_last = number + 1 == v->index->segment_cnt;
	struct kp_seg_check check = {.payload = NULL};
	int r;

	v->segment = &v->index->segments[number];
	if (!v->segment->schema) { /* told with the headers */
		v->sums.is_whole = false;
		*has_last = false;
		return 0;
	}
	if (begins_run(v->segment, before))
		kp_verify_begin_run(v, true);
	r = check_segment(v, &check);
	if (r >= 0 && check.has_header && !v->index->is_single) {
		check_place(v, before, &check);
		check_chain(v, before, *has_last ? last : NULL, &check);
		check_end(v, &check, is_last);
	}
	if (r >= 0 && v->segment->is_run_end)
		kp_verify_end_run(v);
	kp_index_close_segment(v->segment);
	*last = check;
	*has_last = true;
	return r;
}

static void tell_headers(struct kp_verify *v)
{
	const struct kp_log_gap *gap;

	for (size_t i = 0; i < v->index->gap_cnt; i++) {
		gap = &v->index->gaps[i];
		kp_verify_tell(v, KP_VERIFY_DAMAGE, gap->file, "%" PRIu64 " bytes: %s", gap->len,
			       gap->why);
	}
}

/* The boot's folder, or the segment, at path; name: of the folder, NULL: it may have any. */
static int check_boot_folder(struct kp_verify *v, const char *path, const char *name)
{
	struct kp_seg_check last;
	struct kp_err err = {""};
	bool has_last = false;
	int r = kp_index_open_headers(path, &v->index, &err);

	if (r == -EBADMSG) {
		kp_verify_tell(v, KP_VERIFY_DAMAGE, path, "no segment's header can be read");
		return 0;
	}
	if (r < 0)
		return r;
	v->result->boot_cnt++;
	tell_headers(v);
	if (name && strcmp(name, v->index->boot_id) != 0)
		kp_verify_tell(v, KP_VERIFY_DAMAGE, path, "it has the segments of another boot");
	kp_verify_begin_run(v, false);
	for (size_t i = 0; i < v->index->segment_cnt && r >= 0; i++)
		r = check_in_boot(v, i, &last, &has_last);
	kp_index_free(v->index);
	v->index = NULL;
	return r;
}

/* --- the whole --- */

static bool is_retained(const struct kp_verify *v, const struct kp_verify_hole *hole)
{
	for (uint32_t i = 0; i < v->retained.cnt; i++)
		if (!strcmp(v->retained.at[i].boot, hole->boot) && v->retained.at[i].to >= hole->to)
			return true;
	return false;
}

static void judge_missing(struct kp_verify *v)
{
	const struct kp_verify_hole *hole;
	bool is_known;

	for (uint32_t i = 0; i < v->missing.cnt; i++) {
		hole = &v->missing.at[i];
		is_known = is_retained(v, hole);
		kp_verify_tell(v, is_known ? KP_VERIFY_NOTE : KP_VERIFY_DAMAGE, hole->boot,
			       "segments %" PRIu64 " to %" PRIu64 " are not there%s", hole->from,
			       hole->to,
			       is_known ? ": retention removed them"
					: ", and nothing says that retention removed them");
	}
}

static int check_objects(struct kp_verify *v, const char *path)
{
	int fd = v->objects.all.cnt ? kp_objects_open(path) : -ENOENT, r = 0;
	const char *why = "the folder of the objects is not there";
	char name[KP_OBJECT_NAME_LEN];
	uint64_t len;

	for (uint32_t i = 0; i < v->objects.all.cnt; i++) {
		r = fd < 0 ? -ENOENT : kp_object_check(fd, &v->objects.all.at[i], &len, &why);
		v->result->object_cnt += r >= 0;
		if (r >= 0)
			continue;
		if (r != -ENOENT && r != -EBADMSG)
			break;
		r = 0;
		kp_object_name(&v->objects.all.at[i], name);
		kp_verify_tell(v, KP_VERIFY_DAMAGE, KP_OBJECT_FOLDER, "%s: %s", name, why);
	}
	if (fd >= 0)
		close(fd);
	return r;
}

/* Each boot of a log's folder; what path is, if that is none. */
static int check_boots(struct kp_verify *v, const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
	struct kp_boot *boots = NULL;
	uint64_t last = 0;
	char name[4096];
	size_t cnt = 0;

	if (fd < 0)
		return errno == ENOTDIR ? check_boot_folder(v, path, NULL) : -errno;
	r = kp_seg_find_last(fd, &last);
	if (r >= 0 && !last)
		r = kp_boots_list(fd, &boots, &cnt);
	close(fd);
	if (r >= 0 && last)
		return check_boot_folder(v, path, NULL);
	if (r >= 0 && !cnt)
		r = -ENOENT;
	for (size_t i = 0; i < cnt && r >= 0; i++) {
		snprintf(name, sizeof(name), "%s/%s", path, boots[i].name);
		r = check_boot_folder(v, name, boots[i].name);
	}
	free(boots);
	return r;
}

static void verify_done(struct kp_verify *v)
{
	kp_verify_begin_run(v, false); /* frees what a run has */
	kp_index_free(v->index);
	kp_decoder_free(v->decoder);
	free(v->payload);
	kp_buf_done(&v->events);
	kp_object_set_done(&v->objects);
	KP_VEC_DONE(&v->missing);
	KP_VEC_DONE(&v->retained);
}

int kp_verify(const char *path, const struct kp_verify_options *options,
	      struct kp_verified *ret_verified, struct kp_err *err)
{
	struct kp_verify v = {.options = options, .result = ret_verified};
	int r;

	*ret_verified = (struct kp_verified){.worst = KP_VERIFY_NOTE};
	v.payload = malloc(KP_STORED_MAX);
	r = v.payload ? kp_decoder_new(&v.decoder, err) : -ENOMEM;
	if (r >= 0)
		r = check_boots(&v, path);
	if (r >= 0)
		r = check_objects(&v, path);
	if (r >= 0)
		judge_missing(&v);
	if (ret_verified->lost && ret_verified->worst < KP_VERIFY_LOST)
		ret_verified->worst = KP_VERIFY_LOST;
	verify_done(&v);
	if (r == -ENOENT)
		return kp_err_set(err, r, "there is no log at %s", path);
	return r < 0 ? kp_err_sys(err, r, "cannot read the log %s", path) : 0;
}
