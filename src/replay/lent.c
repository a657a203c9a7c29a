/* SPDX-License-Identifier: MIT
 * Writes to a file from a mapping of it; see lent.h.
 */
#include "replay/lent.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "replay/content.h"

#define PAGE 4096u

struct search {
	uint64_t addr, len;
	struct stat st;
	uint64_t from;
};

static int is_place(const struct kp_region *region, void *arg)
{
	struct search *search = arg;

	if (region->ino != search->st.st_ino || region->dev != search->st.st_dev ||
	    search->addr < region->start || search->addr + search->len > region->end)
		return 0;
	search->from = region->offset + (search->addr - region->start);
	return 1;
}

bool kp_lent_note(struct kp_lent *lent, const struct kp_tracee *tracee, int fd,
		  const struct kp_ev_payload *payload, uint64_t begin, uint64_t end)
{
	struct search search = {.addr = payload->addr, .len = payload->data_len};

	if (fstat(fd, &search.st) < 0 || kp_tracee_each_region(tracee, is_place, &search) != 1)
		return false;
	return search.from < end && begin < search.from + search.len &&
	       KP_VEC_PUSH(&lent->bytes, ((struct kp_lent_bytes){payload, search.from})) == 0;
}

static const struct kp_lent_bytes *find(const struct kp_lent *lent,
					const struct kp_ev_payload *payload)
{
	for (uint32_t i = 0; i < lent->bytes.cnt; i++)
		if (lent->bytes.at[i].payload == payload)
			return &lent->bytes.at[i];
	return NULL;
}

/* What comes of parts that overlap is the kernel's way of copying. */
int kp_lent_write(const struct kp_lent *lent, int fd, uint64_t at,
		  const struct kp_ev_payload *payload)
{
	static unsigned char got[KP_DATA_MAX];
	const struct kp_lent_bytes *bytes = find(lent, payload);
	size_t len = payload->data_len, before = bytes ? bytes->from & (PAGE - 1) : 0;
	char *mapped;
	int rc;

	if (!bytes)
		return 0;
	mapped = mmap(NULL, before + len, PROT_READ, MAP_SHARED, fd, (off_t)(bytes->from - before));
	if (mapped == MAP_FAILED)
		return -errno;
	rc = kp_content_write(fd, at, mapped + before, len);
	munmap(mapped, before + len);
	if (rc < 0)
		return rc;
	/* A read does not fault behind the file's end. */
	return pread(fd, got, len, (off_t)bytes->from) == (ssize_t)len &&
			       !memcmp(got, KP_TAIL(payload), len)
		       ? 1
		       : -EBADMSG;
}
