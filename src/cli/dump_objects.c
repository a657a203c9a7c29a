/* SPDX-License-Identifier: MIT
 * The contents of mapped files that stand beside a log: whether those that it names are there.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/dump.h"

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

	if (result->objects.all.cnt)
		fd = kp_objects_open(log);
	for (uint32_t i = 0; i < result->objects.all.cnt; i++) {
		const struct kp_object *object = &result->objects.all.at[i];

		r = fd < 0   ? -ENOENT
		    : verify ? kp_object_check(fd, object, &len, &why)
			     : kp_object_disk_len(fd, object, &len, &why);
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
		   result->objects.all.cnt, result->missing_cnt, result->damaged_cnt,
		   KP_OBJECT_FOLDER, result->object_name, result->object_why);
	if (result->missing_cnt)
		kp_cli_say("copy the folder '%s' that stands beside the log's boots with it: "
			   "without it %s is read, but not replayed",
			   KP_OBJECT_FOLDER, log);
	return KP_EXIT_CORRUPT;
}
