/* SPDX-License-Identifier: MIT
 *
 * The contents of the files that a process mapped; see session.h. They stand beside the log, in
 * objects that its events name, and only those that are mapped are read. What is read counts to
 * what may be kept, by the length that the log says, before it is read.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/limit.h"
#include "log/folder.h"
#include "replay/content.h"
#include "replay/session.h"

/* A single archived file may not be longer than this; a log that says so is damaged. A sparse file
 * may say much: its holes cost nothing. */
#define FILE_LEN_MAX (1ULL << 60)
#define PAGE 4096u

static struct kp_archived *find(const struct kp_session *session, uint32_t id)
{
	const uint64_t *index = kp_map_get(&session->file_index, id);

	return index ? &session->files.at[*index] : NULL;
}

const struct kp_archived *kp_session_file(const struct kp_session *session, uint32_t id)
{
	return find(session, id);
}

int kp_session_add_file(struct kp_session *session, const struct kp_ev_file_info *event)
{
	struct kp_archived file = {.id = event->file_id,
				   .len = event->len,
				   .key = kp_inode_key(event->dev, event->ino),
				   .state = KP_FILE_DROPPED,
				   .fd = -1};

	if (find(session, event->file_id))
		return 0;
	if (event->len > FILE_LEN_MAX) {
		kp_session_refuse(session, "archived file %u is said to have %llu bytes",
				  event->file_id, (unsigned long long)event->len);
		return 0;
	}
	if (!kp_session_take(session, event->data_len + 4 * sizeof(file)))
		return 0;
	file.path =
		kp_arena_strndup(&session->arena, (const char *)KP_TAIL(event), event->data_len);
	if (!file.path || KP_VEC_PUSH(&session->files, file) < 0)
		return -ENOMEM;
	return kp_map_put(&session->file_index, file.id, session->files.cnt - 1);
}

void kp_session_end_file(struct kp_session *session, const struct kp_ev_file_object *event)
{
	struct kp_archived *file = find(session, event->file_id);

	if (!file)
		return;
	file->state = event->state;
	if (event->state != KP_FILE_WHOLE)
		return;
	if (event->data_len != KP_OBJECT_HASH_LEN) {
		kp_session_refuse(session, "the log does not name the content of '%s'", file->path);
		return;
	}
	file->masked = event->masked;
	file->object.len = event->len;
	memcpy(file->object.hash, KP_TAIL(event), KP_OBJECT_HASH_LEN);
}

void kp_session_drop_files(struct kp_session *session)
{
	for (uint32_t i = 0; i < session->files.cnt; i++)
		if (session->files.at[i].fd >= 0)
			close(session->files.at[i].fd);
	KP_VEC_DONE(&session->files);
	memset(&session->files, 0, sizeof(session->files));
	kp_map_done(&session->file_index);
	session->file_index = (struct kp_map){0};
}

/* --- the contents --- */

/* Does something with each file that is mapped; 0, or the first negative errno. */
typedef int (*file_fn)(struct kp_session *session, struct kp_archived *file, void *arg,
		       struct kp_err *err);

static int each_mapped(struct kp_session *session, const struct kp_session *who, file_fn fn,
		       void *arg, struct kp_err *err)
{
	struct kp_archived *file;
	int rc = 0;

	for (uint32_t i = 0; i < who->images.cnt; i++)
		for (uint32_t k = 0; k < who->images.at[i].maps.cnt && rc == 0; k++) {
			file = find(session, who->images.at[i].maps.at[k].file_id);
			rc = file && !file->state ? fn(session, file, arg, err) : 0;
		}
	for (uint32_t i = 0; i < who->file_maps.cnt && rc == 0; i++) {
		file = find(session, who->file_maps.at[i]->file_id);
		rc = file && !file->state ? fn(session, file, arg, err) : 0;
	}
	for (uint32_t i = 0; i < who->children.cnt && rc == 0; i++)
		rc = each_mapped(session, who->children.at[i], fn, arg, err);
	return rc;
}

static int make_memory(struct kp_archived *file, struct kp_err *err)
{
	const char *base = basename(file->path);
	int code;

	file->fd = memfd_create(strlen(base) < 200 ? base : "file", MFD_CLOEXEC);
	if (file->fd >= 0 && ftruncate(file->fd, (off_t)file->len) == 0)
		return 0;
	code = -errno;
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
	return kp_err_sys(err, code, "cannot hold archived file '%s' in memory", file->path);
}

/* The objects, by key: index in session->files plus 1 of one that has it. */
struct objects {
	struct kp_map lens, read;
	uint64_t disk_len;
};

/* Objects count to the log by whose length limits are, each once. */
static int count_length(struct kp_session *session, struct kp_archived *file, void *arg,
			struct kp_err *err)
{
	struct objects *objects = arg;
	const char *why;
	uint64_t len;

	if (session->objects_fd < 0 || kp_map_get(&objects->lens, kp_object_key(&file->object)))
		return 0;
	if (kp_object_disk_len(session->objects_fd, &file->object, &len, &why) < 0)
		return 0; /* said when it is read */
	objects->disk_len += len;
	if (kp_map_put(&objects->lens, kp_object_key(&file->object), 1) < 0)
		return kp_err_set(err, -ENOMEM, "out of memory");
	return 0;
}

static int hold_page(void *arg, uint64_t offset, const unsigned char *data, size_t len)
{
	const struct kp_archived *file = arg;

	return kp_content_write(file->fd, offset, data, len);
}

static void refuse_object(struct kp_session *session, const struct kp_archived *file,
			  const char *what, const char *why)
{
	char name[KP_OBJECT_NAME_LEN];

	kp_object_name(&file->object, name);
	kp_session_refuse(session, "the content of '%s' %s: %s/%s: %s", file->path, what,
			  KP_OBJECT_FOLDER, name, why);
}

static int read_object(struct kp_session *session, struct kp_archived *file, struct kp_err *err)
{
	const char *why;
	int rc;

	if (session->objects_fd < 0) {
		kp_session_refuse(session,
				  "the folder '%s', which stands beside the log's boots and holds "
				  "the contents of mapped files, is not there ('%s' is the first "
				  "that is missing): copy it with the log",
				  KP_OBJECT_FOLDER, file->path);
		return 0;
	}
	rc = kp_object_read(session->objects_fd, &file->object, file->len, hold_page, file, &why);
	if (rc == -ENOENT)
		refuse_object(session, file, "is missing (copy the log with all its objects)", why);
	else if (rc == -EBADMSG)
		refuse_object(session, file, "is damaged", why);
	else if (rc < 0)
		return kp_err_sys(err, rc, "cannot read the content of '%s'", file->path);
	return 0;
}

/* Reads each object once; another file with the same content has a copy. */
static int read_file(struct kp_session *session, struct kp_archived *file, void *arg,
		     struct kp_err *err)
{
	struct objects *objects = arg;
	const uint64_t *index = kp_map_get(&objects->read, kp_object_key(&file->object));
	const struct kp_archived *same = index ? &session->files.at[*index] : NULL;
	int rc;

	if (file->fd >= 0 || session->refusal[0] || !kp_session_take(session, PAGE) ||
	    !kp_session_take(session, file->object.len))
		return 0;
	rc = make_memory(file, err);
	if (rc < 0)
		return rc;
	kp_session_add_masked(session, file->masked, 0);
	if (same && same->len == file->len &&
	    !memcmp(same->object.hash, file->object.hash, KP_OBJECT_HASH_LEN)) {
		rc = kp_content_copy(same->fd, file->fd);
		return rc < 0 ? kp_err_sys(err, rc, "cannot hold '%s' in memory", file->path) : 0;
	}
	rc = read_object(session, file, err);
	if (rc == 0 && kp_map_put(&objects->read, kp_object_key(&file->object),
				  (uint64_t)(file - session->files.at)) < 0)
		rc = kp_err_set(err, -ENOMEM, "out of memory");
	return rc;
}

int kp_session_read_files(struct kp_session *session, uint64_t held_max, struct kp_err *err)
{
	struct objects objects = {.disk_len = 0};
	int rc = each_mapped(session, session, count_length, &objects, err);

	if (session->log_len) {
		session->log_len += objects.disk_len;
		if (!held_max)
			session->held_max = kp_limit_get(KP_LIMIT_HELD, session->log_len);
	}
	if (rc == 0)
		rc = each_mapped(session, session, read_file, &objects, err);
	kp_map_done(&objects.lens);
	kp_map_done(&objects.read);
	return rc;
}
