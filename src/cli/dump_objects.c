/* SPDX-License-Identifier: MIT
 * The contents of mapped files that stand beside a log: whether those that it names are there.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/limit.h"
#include "cli/cli.h"
#include "cli/dump.h"

int dump_objects_add(struct dump_result *result, const struct kp_ev_file_object *event)
{
	struct kp_object object = {.len = event->len};
	const uint64_t *known;

	if (event->state != KP_FILE_WHOLE || event->data_len != KP_OBJECT_HASH_LEN)
		return 0;
	memcpy(object.hash, KP_TAIL(event), KP_OBJECT_HASH_LEN);
	known = kp_map_get(&result->object_index, kp_object_key(&object));
	if (known && !memcmp(result->objects.at[*known].hash, object.hash, sizeof(object.hash)))
		return 0;
	if (KP_VEC_PUSH(&result->objects, object) < 0)
		return -ENOMEM;
	return kp_map_put(&result->object_index, kp_object_key(&object), result->objects.cnt - 1);
}

static int check_one(int fd, const struct kp_object *object, bool verify, uint64_t *ret_len,
		     const char **ret_why)
{
	int r = kp_object_disk_len(fd, object, ret_len, ret_why);

	if (r < 0 || !verify)
		return r;
	if (object->len / KP_MAX_UNPACKED <= *ret_len)
		return kp_object_read(fd, object, KP_OBJECT_ANY_LEN, NULL, NULL, ret_why);
	*ret_why = "it would unpack to more than a recorder writes";
	return -EBADMSG;
}

static void count_one(struct dump_result *result, const struct kp_object *object, int r,
		      uint64_t len, const char *why)
{
	if (r >= 0) {
		result->object_cnt++;
		result->objects_len += len;
		return;
	}
	if (!result->missing_cnt && !result->damaged_cnt) {
		kp_object_name(object, result->object_name);
		result->object_why = why;
	}
	result->missing_cnt += r == -ENOENT;
	result->damaged_cnt += r != -ENOENT;
}

int dump_objects_check(const char *log, bool verify, struct dump_result *result, struct kp_err *err)
{
	const char *why = "the folder is not there";
	int fd = -ENOENT, r = 0;
	uint64_t len = 0;

	if (result->objects.cnt)
		fd = kp_objects_open(log);
	for (uint32_t i = 0; i < result->objects.cnt; i++) {
		const struct kp_object *object = &result->objects.at[i];

		r = fd < 0 ? -ENOENT : check_one(fd, object, verify, &len, &why);
		if (r < 0 && r != -ENOENT && r != -EBADMSG)
			break;
		count_one(result, object, r, len, why);
		r = 0;
	}
	if (fd >= 0)
		close(fd);
	return r < 0 ? kp_err_sys(err, r, "cannot read the contents of mapped files of %s", log)
		     : 0;
}

int dump_objects_report(const char *log, const struct dump_result *result)
{
	uint32_t cnt = result->missing_cnt + result->damaged_cnt;

	if (!cnt)
		return KP_EXIT_OK;
	kp_cli_say("damage: of %u contents of mapped files %u are missing and %u are damaged; the "
		   "first is %s/%s: %s",
		   result->objects.cnt, result->missing_cnt, result->damaged_cnt, KP_OBJECT_FOLDER,
		   result->object_name, result->object_why);
	if (result->missing_cnt)
		kp_cli_say("copy the folder '%s' that stands beside the log's boots with it: "
			   "without it %s is read, but not replayed",
			   KP_OBJECT_FOLDER, log);
	return KP_EXIT_CORRUPT;
}

void dump_objects_done(struct dump_result *result)
{
	KP_VEC_DONE(&result->objects);
	kp_map_done(&result->object_index);
}
