/* SPDX-License-Identifier: MIT
 *
 * Rebuilds the memory and registers of an exec; see image.h.
 *
 * Files are mapped privately from their archived content, anonymous memory is made anew, and the
 * recorded bytes are written over both. The stub's page goes last: nothing of the replayer stays in
 * the process.
 */
#include "replay/image.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define PAGE 4096ULL
#define STUB_FIRST 0x10000ULL
#define REGION_MAX 64

uint64_t kp_image_stub_address(const struct kp_image *image)
{
	uint64_t address = STUB_FIRST;

	/* They are sorted. Also clear of where a program at a low address keeps its heap. */
	for (uint32_t i = 0; i < image->maps.cnt && image->maps.at[i].start <= address; i++)
		if (address < image->maps.at[i].end)
			address = image->maps.at[i].end;
	return address;
}

/* The kernel's own pages; a recorded process was kept from knowing them. */
static bool is_kernels(const char *name)
{
	return !strncmp(name, "[vdso", 5) || !strncmp(name, "[vvar", 5) ||
	       !strncmp(name, "[vsyscall", 9);
}

struct regions {
	struct kp_region at[REGION_MAX];
	size_t cnt;
};

static int collect(const struct kp_region *region, void *arg)
{
	struct regions *regions = arg;

	if (regions->cnt == REGION_MAX)
		return -E2BIG;
	regions->at[regions->cnt++] = *region;
	return 0;
}

static bool image_overlaps(const struct kp_image *image, const struct kp_region *region)
{
	for (uint32_t i = 0; i < image->maps.cnt; i++)
		if (image->maps.at[i].start < region->end &&
		    region->start < image->maps.at[i].end && !is_kernels(image->maps.at[i].path))
			return true;
	return false;
}

static int clear_memory(struct kp_tracee *tracee, const struct kp_image *image, struct kp_err *err)
{
	struct regions regions = {.cnt = 0};
	int64_t value;
	int rc = kp_tracee_each_region(tracee, collect, &regions);

	if (rc < 0)
		return kp_err_sys(err, rc, "cannot list the stub's mappings");
	for (size_t i = 0; i < regions.cnt; i++) {
		const struct kp_region *region = &regions.at[i];
		uint64_t args[6] = {region->start, region->end - region->start};

		if (tracee->stub >= region->start && tracee->stub < region->end)
			continue;
		if (region->start >> 63)
			continue; /* the vsyscall page */
		rc = kp_tracee_inject(tracee, SYS_munmap, args, &value, err);
		if (rc < 0)
			return rc;
		/* A kernel may seal its own pages; they are only in the way if they overlap. */
		if (value && image_overlaps(image, region))
			return kp_err_set(err, -EAGAIN, "'%s' cannot be unmapped", region->name);
	}
	return 0;
}

static int map_one(struct kp_tracee *tracee, const struct kp_session *session,
		   const struct kp_image_map *map, struct kp_err *err)
{
	const struct kp_archived *file = NULL;
	uint64_t flags = MAP_PRIVATE | MAP_FIXED;
	uint64_t args[6] = {map->start, map->end - map->start, map->prot & 7};
	int64_t value;
	int rc;

	if (map->file_id) {
		file = kp_session_file(session, map->file_id);
		if (!file)
			return kp_err_set(err, -ENODATA, "the content of '%s' is not in the log",
					  map->path);
		args[4] = file->fd;
		args[5] = map->offset;
	} else {
		flags |= MAP_ANONYMOUS;
		args[4] = -1;
		if (!strcmp(map->path, "[stack]"))
			flags |= MAP_GROWSDOWN | MAP_NORESERVE;
	}
	args[3] = flags;
	rc = kp_tracee_inject(tracee, SYS_mmap, args, &value, err);
	if (rc == 0 && value != (int64_t)map->start)
		rc = kp_err_sys(err, value < 0 ? (int)value : -EIO, "cannot map '%s' at 0x%llx",
				map->path, (unsigned long long)map->start);
	return rc;
}

static int fill_memory(struct kp_tracee *tracee, const struct kp_image *image, struct kp_err *err)
{
	for (uint32_t i = 0; i < image->memory.cnt; i++) {
		const struct kp_image_memory *memory = &image->memory.at[i];

		if (kp_tracee_poke(tracee, memory->addr, memory->data, memory->len) < 0)
			return kp_err_set(err, -ENODATA,
					  "the image has bytes at 0x%llx, but no mapping there",
					  (unsigned long long)memory->addr);
	}
	return 0;
}

int kp_image_build(struct kp_tracee *tracee, const struct kp_session *session,
		   const struct kp_image *image, struct kp_err *err)
{
	uint64_t page = kp_image_stub_address(image);
	uint64_t unmap_stub[6] = {page, PAGE};
	int64_t value;
	int rc;

	tracee->stub = page + KP_STUB_CODE;
	rc = clear_memory(tracee, image, err);
	for (uint32_t i = 0; rc == 0 && i < image->maps.cnt; i++)
		if (!is_kernels(image->maps.at[i].path))
			rc = map_one(tracee, session, &image->maps.at[i], err);
	if (rc == 0)
		rc = fill_memory(tracee, image, err);
	if (rc == 0)
		rc = kp_tracee_inject(tracee, SYS_munmap, unmap_stub, &value, err);
	if (rc < 0)
		return rc;
	tracee->stub = 0;
	tracee->regs = image->regs;
	tracee->regs.orig_rax = -1;
	tracee->regs.rax = 0; /* exec's result; where the image was taken it was not there yet */
	tracee->dirty = true;
	return 0;
}
