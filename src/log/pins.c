/* SPDX-License-Identifier: MIT
 * Pins as files; see pins.h.
 */
#include "log/pins.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/vec.h"
#include "log/boots.h"
#include "log/folder.h"
#include "log/index.h"
#include "log/segment.h"

#define TEMPORARY ".new"
/* More than that nobody makes: 10,000 segments of 64 MiB, a thousand incidents. */
#define TEXT_MAX (1u << 20)
#define PINS_MAX 1024u
/* An event may stand in a segment that was begun so much later: it waited for its block to fill,
 * and that for the disk. */
#define LATE_NS 1000000000ull

/* --- reading --- */

static int read_pin(int pins_fd, const char *name, struct kp_pin *ret_pin)
{
	int fd = kp_folder_open_file(pins_fd, name, O_RDONLY);
	char *text = fd < 0 ? NULL : malloc(TEXT_MAX + 1);
	int64_t n = text ? kp_seg_read(fd, text, TEXT_MAX, 0) : -ENOMEM;
	struct stat st;

	if (fd < 0)
		return fd;
	if (n >= 0 && fstat(fd, &st) < 0)
		n = -errno;
	close(fd);
	if (n < 0) {
		free(text);
		return (int)n;
	}
	text[n] = '\0';
	*ret_pin = (struct kp_pin){.time_ns = (uint64_t)st.st_mtim.tv_sec * 1000000000u +
					      (uint64_t)st.st_mtim.tv_nsec,
				   .text = realloc(text, (size_t)n + 1)};
	snprintf(ret_pin->name, sizeof(ret_pin->name), "%s", name);
	return 0;
}

static int compare_pins(const void *a, const void *b)
{
	const struct kp_pin *x = a, *y = b;

	return x->time_ns > y->time_ns ? -1 : x->time_ns < y->time_ns;
}

int kp_pins_read(int log_fd, struct kp_pin **ret_pins, size_t *ret_cnt)
{
	int fd = kp_folder_open(log_fd, KP_PIN_FOLDER), r = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	KP_VEC(struct kp_pin) pins = {0};
	struct dirent *entry;
	struct kp_pin pin;

	while (dir && r >= 0 && pins.cnt < PINS_MAX && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		r = read_pin(fd, entry->d_name, &pin);
		if (r >= 0)
			r = KP_VEC_PUSH(&pins, pin);
		else if (!kp_folder_is_fault(r))
			r = 0; /* no pin of ours */
	}
	if (dir)
		closedir(dir);
	else if (fd >= 0)
		close(fd);
	if (pins.cnt)
		qsort(pins.at, pins.cnt, sizeof(*pins.at), compare_pins);
	*ret_pins = pins.at;
	*ret_cnt = pins.cnt;
	return r;
}

void kp_pins_free(struct kp_pin *pins, size_t cnt)
{
	while (cnt > 0)
		free(pins[--cnt].text);
	free(pins);
}

bool kp_pin_next(const char **text, const char **ret_boot, size_t *ret_boot_len,
		 uint64_t *ret_segment)
{
	char name[KP_SEG_NAME_MAX];
	const char *line, *slash;
	size_t len, name_len;

	while (**text) {
		line = *text;
		len = strcspn(line, "\n");
		*text = line + len + (line[len] == '\n');
		slash = memchr(line, '/', len);
		name_len = slash ? (size_t)(line + len - slash) - 1 : 0;
		if (!slash || name_len >= sizeof(name))
			continue;
		memcpy(name, slash + 1, name_len);
		name[name_len] = '\0';
		*ret_boot = line;
		*ret_boot_len = (size_t)(slash - line);
		if (kp_seg_parse_name(name, ret_segment))
			return true;
	}
	return false;
}

/* --- writing --- */

/* Letters, digits and what else does no harm in a file's name stay as they are. */
static void file_name(const char *name, char file[KP_PIN_NAME_MAX])
{
	char *at = file;

	for (; *name && at + 4 < file + KP_PIN_NAME_MAX; name++)
		if (isalnum((unsigned char)*name) || strchr("-_", *name) ||
		    (*name == '.' && at != file))
			*at++ = *name;
		else
			at += sprintf(at, "%%%02X", (unsigned char)*name);
	*at = '\0';
}

static int write_text(int pins_fd, const char *name, const struct kp_buf *text)
{
	struct iovec iov = {text->data, text->len};
	int fd, r;

	unlinkat(pins_fd, TEMPORARY, 0);
	fd = openat(pins_fd, TEMPORARY, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = kp_seg_write(fd, &iov, 1, 0);
	if (r >= 0 && fsync(fd) < 0)
		r = -errno;
	close(fd);
	if (r >= 0 && renameat(pins_fd, TEMPORARY, pins_fd, name) < 0)
		r = -errno;
	if (r < 0)
		unlinkat(pins_fd, TEMPORARY, 0);
	return r;
}

int kp_pin_write(int log_fd, const char *log, const char *name, const char *boot,
		 const uint64_t *segments, size_t cnt, struct kp_err *err)
{
	char file[KP_PIN_NAME_MAX], segment[KP_SEG_NAME_MAX];
	struct kp_buf text = {0};
	int fd, r = kp_folder_make(log_fd, KP_PIN_FOLDER, log, &fd, err);

	if (r < 0)
		return r;
	file_name(name, file);
	for (size_t i = 0; i < cnt; i++) {
		kp_seg_name(segments[i], segment);
		kp_buf_printf(&text, "%s/%s\n", boot, segment);
	}
	r = text.failed ? -ENOMEM : write_text(fd, file, &text);
	kp_buf_done(&text);
	close(fd);
	return r < 0 ? kp_err_sys(err, r, "cannot write the pin %s/" KP_PIN_FOLDER "/%s", log, file)
		     : 0;
}

/* Whether the folder is the user's own, who can write there: root too leaves alone what is not to
 * be written to. */
static bool is_own(int log_fd)
{
	struct stat st;

	return fstat(log_fd, &st) == 0 && st.st_uid == geteuid() && (st.st_mode & S_IWUSR) &&
	       faccessat(log_fd, ".", W_OK, AT_EACCESS) == 0;
}

/* The first segment that a time needs: the one before that in which it begins. */
static size_t first_segment(const struct kp_index *index, uint64_t from_ns)
{
	size_t first = 0;

	for (size_t i = 1; i < index->segment_cnt; i++)
		if (index->segments[i].schema && index->segments[i].start.hdr.time_ns <= from_ns)
			first = i;
	return first ? first - 1 : 0;
}

static int pin_segments(const struct kp_index *index, const char *name, uint64_t from_ns,
			uint64_t to_ns, int log_fd, struct kp_err *err)
{
	uint64_t *numbers = calloc(index->segment_cnt + 1, sizeof(*numbers));
	char *boot = realpath(index->dir, NULL);
	const struct kp_index_segment *s;
	size_t cnt = 0;
	int r;

	if (!numbers || !boot) {
		r = kp_err_sys(err, -errno, "cannot pin a part of %s", index->dir);
		goto out;
	}
	for (size_t i = first_segment(index, from_ns); i < index->segment_cnt; i++) {
		s = &index->segments[i];
		if (s->schema && s->start.hdr.time_ns > to_ns &&
		    s->start.hdr.time_ns - to_ns > LATE_NS)
			break;
		numbers[cnt++] = s->number;
	}
	r = kp_pin_write(log_fd, index->dir, name, strrchr(boot, '/') + 1, numbers, cnt, err);
out:
	free(numbers);
	free(boot);
	return r;
}

int kp_pin_time(const char *path, const char *name, uint64_t from_ns, uint64_t to_ns,
		struct kp_err *err)
{
	struct kp_index *index = NULL;
	int log_fd, r = kp_index_open_headers(path, &index, err);

	if (r < 0)
		return r;
	log_fd = index->is_single ? -1 : kp_boots_open_log(path);
	if (log_fd >= 0 && is_own(log_fd))
		r = pin_segments(index, name, from_ns, to_ns, log_fd, err);
	if (log_fd >= 0)
		close(log_fd);
	kp_index_free(index);
	return r;
}

void kp_pin_remove(int log_fd, const char *name)
{
	int fd = kp_folder_open(log_fd, KP_PIN_FOLDER);

	if (fd < 0)
		return;
	unlinkat(fd, name, 0);
	close(fd);
}
