/* SPDX-License-Identifier: MIT
 * Files that are mapped and written; see mapped.h.
 */
#include "record/mapped.h"

#include <stddef.h>

static struct kp_mapped_file *slot_of(struct kp_mapped *mapped, uint32_t dev, uint64_t ino)
{
	uint64_t hash = (ino ^ (uint64_t)dev << 32) * 0x9e3779b97f4a7c15ULL;

	return &mapped->files[(hash >> 32) % KP_MAPPED_MAX];
}

static bool is(const struct kp_mapped_file *file, uint32_t dev, uint64_t ino)
{
	return file->ino == ino && file->dev == dev;
}

/* The file's own place, taken from another one. */
static struct kp_mapped_file *take(struct kp_mapped *mapped, uint32_t dev, uint64_t ino)
{
	struct kp_mapped_file *file = slot_of(mapped, dev, ino);

	if (!is(file, dev, ino))
		*file = (struct kp_mapped_file){.ino = ino, .dev = dev};
	return file;
}

int kp_mapped_map(struct kp_mapped *mapped, uint32_t dev, uint64_t ino, struct kp_file_use by,
		  struct kp_mapped_hit hits[KP_MAPPERS_MAX])
{
	struct kp_mapped_file *file = take(mapped, dev, ino);
	struct kp_file_use *free = &file->mappers[KP_MAPPERS_MAX - 1];

	for (int i = KP_MAPPERS_MAX; i-- > 0;) {
		if (file->mappers[i].pid == by.pid)
			return 0;
		if (!file->mappers[i].pid)
			free = &file->mappers[i];
	}
	*free = by;
	if (!file->writer.pid || file->writer.pid == by.pid || file->writer.time_ns < by.time_ns)
		return 0;
	hits[0] = (struct kp_mapped_hit){by.pid, file->writer.pid};
	return 1;
}

int kp_mapped_write(struct kp_mapped *mapped, uint32_t dev, uint64_t ino, struct kp_file_use by,
		    struct kp_mapped_hit hits[KP_MAPPERS_MAX])
{
	struct kp_mapped_file *file = slot_of(mapped, dev, ino);
	int cnt = 0;

	/* A file that is only written does not displace one that somebody has mapped. */
	if (!is(file, dev, ino) && (file->mappers[0].pid || file->mappers[1].pid))
		return 0;
	file = take(mapped, dev, ino);
	for (int i = 0; i < KP_MAPPERS_MAX; i++) {
		const struct kp_file_use *mapper = &file->mappers[i];

		if (mapper->pid && mapper->pid != by.pid && mapper->time_ns <= by.time_ns)
			hits[cnt++] = (struct kp_mapped_hit){mapper->pid, by.pid};
	}
	if (file->writer.time_ns <= by.time_ns)
		file->writer = by;
	return cnt;
}

bool kp_mapped_by(const struct kp_mapped *mapped, uint32_t dev, uint64_t ino, uint32_t pid)
{
	const struct kp_mapped_file *file = slot_of((struct kp_mapped *)mapped, dev, ino);

	if (!is(file, dev, ino))
		return false;
	for (int i = 0; i < KP_MAPPERS_MAX; i++)
		if (file->mappers[i].pid == pid)
			return true;
	return false;
}

void kp_mapped_forget(struct kp_mapped *mapped, struct kp_file_use end)
{
	for (uint32_t i = 0; i < KP_MAPPED_MAX * KP_MAPPERS_MAX; i++) {
		struct kp_file_use *mapper =
			&mapped->files[i / KP_MAPPERS_MAX].mappers[i % KP_MAPPERS_MAX];

		if (mapper->pid == end.pid && mapper->time_ns <= end.time_ns)
			*mapper = (struct kp_file_use){0};
	}
}
