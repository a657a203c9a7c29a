/* SPDX-License-Identifier: MIT
 *
 * The image of a process at the end of exec; see image.h. Contents: pages that are present in
 * writable private mappings. All others are still what the file behind the mapping has, or zero.
 */
#include "record/image.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/user.h>
#include <unistd.h>

#include "record/proc.h"

#define PAGE 4096ull
#define RUN_MAX (15 * PAGE) /* pages of one memory event, below KP_DATA_MAX */
#define PAGEMAP_PRESENT (1ull << 63)
#define PAGEMAP_SWAPPED (1ull << 62)
#define PAGEMAP_CNT 512 /* entries read at once */
/* Words of argv, envp and auxv that are looked through; the kernel's own limit on arguments is 6
 * MiB. */
#define STACK_WORD_MAX (1u << 20)

struct image {
	const struct kp_sink *sink;
	struct kp_archive *archive;
	pid_t pid;
	uint32_t number;
	int mem;     /* /proc/PID/mem, which is written where the process itself could not */
	int pagemap; /* /proc/PID/pagemap */
};

static int open_proc(pid_t pid, const char *name, int flags, struct kp_err *err)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? kp_err_sys(err, -errno, "cannot open %s", path) : fd;
}

/* The process's stack in pieces: a read for each word would take longer than all else. */
struct window {
	uint64_t at; /* address of the first byte */
	size_t len;
	unsigned char data[PAGE];
};

static bool read_word(const struct image *image, struct window *window, uint64_t addr,
		      uint64_t *ret_word)
{
	ssize_t n;

	if (addr < window->at || addr - window->at + 8 > window->len) {
		n = pread(image->mem, window->data, sizeof(window->data), (off_t)addr);
		if (n < 8)
			return false;
		window->at = addr;
		window->len = (size_t)n;
	}
	memcpy(ret_word, window->data + (addr - window->at), 8);
	return true;
}

/*
 * Finds the auxiliary vector above argc, argv and envp at sp, and turns AT_SYSINFO_EHDR into
 * AT_IGNORE. Layout: System V ABI, AMD64 supplement, "Process Initialization".
 */
static int hide_vdso(const struct image *image, uint64_t sp, uint64_t *ret_auxv)
{
	uint64_t at = sp, word, ignore = AT_IGNORE;
	struct window window = {0};
	int nulls = 0;

	for (unsigned i = 0; nulls < 2 && i < STACK_WORD_MAX; i++) {
		at += 8;
		if (!read_word(image, &window, at, &word))
			return -EFAULT;
		nulls += word == 0;
	}
	at += 8;
	*ret_auxv = at;
	for (unsigned i = 0; i < 64; i++, at += 16) {
		if (!read_word(image, &window, at, &word))
			return -EFAULT;
		if (word == AT_NULL)
			return 0;
		if (word == AT_SYSINFO_EHDR && pwrite(image->mem, &ignore, 8, (off_t)at) != 8)
			return -errno;
	}
	return -EFAULT;
}

static int put_pages(const struct image *image, uint64_t from, uint64_t to)
{
	struct kp_ev_memory ev = {.hdr = {.pid = (uint32_t)image->pid, .tid = (uint32_t)image->pid},
				  .image = image->number};
	unsigned char data[RUN_MAX];
	ssize_t n;

	while (from < to) {
		n = pread(image->mem, data, to - from < RUN_MAX ? to - from : RUN_MAX, (off_t)from);
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		ev.hdr.time_ns = 0;
		ev.addr = from;
		kp_sink_put(image->sink, KP_EV_memory, &ev, sizeof(ev), data, (size_t)n);
		from += (uint64_t)n;
	}
	return 0;
}

/* Which of the next pages from `page` on, at most `want`, are present; returns how many are told.
 */
static uint64_t read_pagemap(const struct image *image, uint64_t page, uint64_t want,
			     uint64_t entries[PAGEMAP_CNT])
{
	size_t cnt = want < PAGEMAP_CNT ? want : PAGEMAP_CNT;
	ssize_t n = pread(image->pagemap, entries, cnt * 8, (off_t)(page / PAGE * 8));

	if (n >= 8)
		return (uint64_t)n / 8;
	entries[0] = PAGEMAP_PRESENT; /* not told: take it */
	return 1;
}

/* Puts the runs of present pages of one mapping. */
static int put_contents(const struct image *image, uint64_t start, uint64_t end)
{
	uint64_t entries[PAGEMAP_CNT], cnt, run = 0, page = start;
	int r = 0;

	while (page < end && r >= 0) {
		cnt = read_pagemap(image, page, (end - page) / PAGE, entries);
		for (uint64_t i = 0; i < cnt && r >= 0; i++, page += PAGE) {
			if (entries[i] & (PAGEMAP_PRESENT | PAGEMAP_SWAPPED)) {
				run = run ? run : page;
			} else if (run) {
				r = put_pages(image, run, page);
				run = 0;
			}
		}
	}
	return run ? put_pages(image, run, end) : r;
}

/* One line of /proc/PID/maps; ret_id: device and inode, 64 bytes. False if it is not understood. */
static bool parse_map(char *line, struct kp_ev_exec_map *map, char *ret_id, const char **ret_path)
{
	char perms[5], dev[24], ino[24];
	int used = 0;

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %23s %23s %n", &map->start,
		   &map->end, perms, &map->offset, dev, ino, &used) < 6)
		return false;
	snprintf(ret_id, 64, "%s %s", dev, ino);
	line[strcspn(line, "\n")] = '\0';
	*ret_path = used ? line + used : "";
	map->prot = (perms[0] == 'r' ? PROT_READ : 0) | (perms[1] == 'w' ? PROT_WRITE : 0) |
		    (perms[2] == 'x' ? PROT_EXEC : 0);
	map->shared = perms[3] == 's';
	return true;
}

/* The file of the mapping before, which the next one has as a rule. */
struct last_file {
	char id[64]; /* device and inode, as maps tells them */
	uint32_t file_id;
};

/* Whether an open file is the one that maps tells, which a file system of several devices may not
 * let be seen. */
static bool is_file(int fd, const char *id)
{
	char own_id[64];
	struct stat st;

	if (fstat(fd, &st) < 0)
		return false;
	snprintf(own_id, sizeof(own_id), "%02x:%02x %ju", major(st.st_dev), minor(st.st_dev),
		 (uintmax_t)st.st_ino);
	return !strcmp(own_id, id);
}

/* Without CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE map_files may not be followed: by its name. */
static uint32_t pin_by_name(const struct image *image, const char *name, const char *id,
			    bool is_shared)
{
	char path[PATH_MAX + 32], link[64];
	uint32_t file_id = 0;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/root%s", image->pid, name);
	fd = open(path, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return 0;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (is_file(fd, id))
		file_id = kp_archive_pin(image->archive, link, is_shared);
	close(fd);
	return file_id;
}

static uint32_t pin_map(const struct image *image, const struct kp_ev_exec_map *map,
			const char *name, const char *id, struct last_file *last)
{
	char link[96];

	if (!strcmp(id, last->id))
		return last->file_id;
	snprintf(link, sizeof(link), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, image->pid,
		 (uint64_t)map->start, (uint64_t)map->end);
	last->file_id = kp_archive_pin(image->archive, link, map->shared);
	if (!last->file_id)
		last->file_id = pin_by_name(image, name, id, map->shared);
	snprintf(last->id, sizeof(last->id), "%s", id);
	return last->file_id;
}

static int put_maps(const struct image *image, struct kp_err *err)
{
	struct last_file last = {"", 0};
	struct kp_ev_exec_map ev;
	char *line = NULL, path[64], id[64];
	const char *name;
	size_t cap = 0;
	FILE *maps;
	int r = 0, missing = 0;

	snprintf(path, sizeof(path), "/proc/%d/maps", image->pid);
	maps = fopen(path, "re");
	if (!maps)
		return kp_err_sys(err, -errno, "cannot open %s", path);
	while (r >= 0 && getline(&line, &cap, maps) > 0) {
		ev = (struct kp_ev_exec_map){.image = image->number};
		if (!parse_map(line, &ev, id, &name))
			continue;
		ev.hdr.pid = ev.hdr.tid = (uint32_t)image->pid;
		if (*name == '/')
			ev.file_id = pin_map(image, &ev, name, id, &last);
		missing |= *name == '/' && !ev.file_id;
		kp_sink_put(image->sink, KP_EV_exec_map, &ev, sizeof(ev), name, strlen(name));
		if ((ev.prot & PROT_WRITE) && !ev.shared)
			r = put_contents(image, ev.start, ev.end);
	}
	free(line);
	fclose(maps);
	if (r < 0)
		return kp_err_sys(err, r, "cannot read the memory of process %d at 0x%" PRIx64,
				  image->pid, (uint64_t)ev.start);
	return missing;
}

static int put_image(const struct image *image, struct kp_err *err)
{
	struct kp_ev_exec_image ev = {
		.hdr = {.pid = (uint32_t)image->pid, .tid = (uint32_t)image->pid},
		.image = image->number};
	struct user_regs_struct regs;
	struct kp_proc_stat stat;
	struct rlimit limit;
	uint64_t auxv = 0;
	char path[64];
	int r;

	if (ptrace(PTRACE_GETREGS, image->pid, NULL, &regs) < 0)
		return kp_err_sys(err, -errno, "cannot read the registers of process %d",
				  image->pid);
	r = hide_vdso(image, regs.rsp, &auxv);
	if (r < 0)
		return kp_err_sys(err, r, "cannot read the stack of process %d", image->pid);
	snprintf(path, sizeof(path), "/proc/%d/stat", image->pid);
	ev.brk = kp_proc_stat(path, &stat) ? stat.start_brk : 0;
	if (!prlimit(image->pid, RLIMIT_STACK, NULL, &limit))
		ev.stack_limit = limit.rlim_cur;
	ev.sp = regs.rsp;
	ev.auxv = auxv;
	kp_sink_put(image->sink, KP_EV_exec_image, &ev, sizeof(ev), &regs, sizeof(regs));
	return put_maps(image, err);
}

int kp_image_write(const struct kp_sink *sink, struct kp_archive *archive, pid_t pid,
		   uint32_t image, struct kp_err *err)
{
	struct image self = {sink, archive, pid, image, -1, -1};
	int r;

	self.mem = open_proc(pid, "mem", O_RDWR, err);
	if (self.mem < 0)
		return self.mem;
	r = self.pagemap = open_proc(pid, "pagemap", O_RDONLY, err);
	if (r >= 0) {
		r = put_image(&self, err);
		close(self.pagemap);
	}
	close(self.mem);
	return r;
}
