/* SPDX-License-Identifier: MIT
 *
 * What stays in the kernel when a recorder is killed: programs, links, rings, the programs' memory
 * and the ledger; see probes_in.h and pins.h. Only a recorder that would make the very same takes
 * it over: the ledger has a hash of the object, of all that was written into it before it was
 * loaded, and of what was chosen of it.
 */
#include "record/probes_in.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/blake2b.h"
#include "bpf/kprobe.skel.h"
#include "record/pins.h"

#define NAME_MAX_LEN 64

static size_t in_pages(size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return (len + page - 1) / page * page;
}

size_t kp_probes_bss_len(void)
{
	return in_pages(sizeof(struct kprobe_bpf__bss));
}

static size_t ledger_map_len(const struct kp_probes *probes)
{
	return in_pages(kp_ledger_len(probes->cpu_cnt));
}

static void identify(const struct kp_probes *probes, unsigned char hash[16])
{
	uint32_t plain[] = {probes->cpu_cnt, probes->groups, probes->rings.plan.cnt,
			    kp_rings_piece_cnt(&probes->rings)};
	struct kp_blake2b state;
	size_t len;
	const void *object = kprobe_bpf__elf_bytes(&len);

	kp_blake2b_init(&state, 16);
	kp_blake2b_add(&state, object, len);
	kp_blake2b_add(&state, probes->skel->rodata, sizeof(*probes->skel->rodata));
	kp_blake2b_add(&state, probes->states, sizeof(probes->states));
	kp_blake2b_add(&state, plain, sizeof(plain));
	kp_blake2b_end(&state, hash);
}

/* --- taking over --- */

static void *map_memory(int fd, size_t len)
{
	struct bpf_map_info info = {0};
	uint32_t info_len = sizeof(info);
	void *at;

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &info_len) < 0 ||
	    info.type != BPF_MAP_TYPE_ARRAY ||
	    in_pages((size_t)info.value_size * info.max_entries) != len)
		return NULL;
	at = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return NULL;
	madvise(at, len, MADV_DONTFORK);
	return at;
}

static const char *name_of(const char *what, size_t i, char *name)
{
	snprintf(name, NAME_MAX_LEN, "%s_%s", what, kp_probes_program(i));
	return name;
}

static bool get_ledger(struct kp_probes *p, uint64_t run)
{
	unsigned char identity[16];
	void *memory;

	p->ledger_fd = kp_pins_get(p->pins_fd, "ledger");
	memory = map_memory(p->ledger_fd, ledger_map_len(p));
	if (!memory)
		return false;
	kp_ledger_init(&p->ledger, memory, p->cpu_cnt);
	identify(p, identity);
	return p->ledger.memory->is_ready && p->ledger.memory->run == run &&
	       !memcmp(p->ledger.memory->identity, identity, sizeof(identity));
}

static bool get_programs(struct kp_probes *p)
{
	char name[NAME_MAX_LEN];

	for (size_t i = 0; kp_probes_program(i); i++) {
		if (p->states[i] != KP_PROBE_ON)
			continue;
		p->programs[i] = kp_pins_get(p->pins_fd, name_of("prog", i, name));
		if (p->programs[i] < 0)
			return false;
		p->links[i] = kp_pins_get(p->pins_fd, name_of("link", i, name));
	}
	for (size_t i = 0; i < KP_ITER_CNT; i++) {
		p->iterators[i] = kp_pins_get(p->pins_fd, name_of("iter", i, name));
		if (p->iterators[i] < 0)
			return false;
	}
	return true;
}

static bool get_rings(struct kp_probes *p)
{
	char name[NAME_MAX_LEN];

	p->pieces_fd = kp_pins_get(p->pins_fd, "pieces");
	if (p->pieces_fd < 0)
		return false;
	p->life_fds = malloc(p->rings.plan.cnt * sizeof(*p->life_fds));
	for (unsigned i = 0; p->life_fds && i < p->rings.plan.cnt; i++)
		p->life_fds[i] = -1;
	for (unsigned i = 0; p->life_fds && i < p->rings.plan.cnt; i++) {
		snprintf(name, sizeof(name), "life_%u", i);
		p->life_fds[i] = kp_pins_get(p->pins_fd, name);
		if (p->life_fds[i] < 0)
			return false;
	}
	return p->life_fds;
}

static bool get_memory(struct kp_probes *p)
{
	p->bss_fd = kp_pins_get(p->pins_fd, "bss");
	p->bss = map_memory(p->bss_fd, kp_probes_bss_len());
	return p->bss;
}

bool kp_probes_take_over(struct kp_probes *p, uint64_t run)
{
	if (get_ledger(p, run) && get_programs(p) && get_rings(p) && get_memory(p)) {
		p->origin = KP_PROBES_TAKEN_OVER;
		p->is_pinned = true;
		return true;
	}
	kp_probes_release_pins(p);
	if (kp_pins_clear(p->pins_fd) > 0)
		p->origin = KP_PROBES_REPLACED;
	return false;
}

/* --- leaving --- */

int kp_probes_make_ledger(struct kp_probes *p, struct kp_err *err)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	void *memory;

	p->ledger_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "kp_ledger", sizeof(uint32_t),
				      (uint32_t)kp_ledger_len(p->cpu_cnt), 1, &opts);
	memory = map_memory(p->ledger_fd, ledger_map_len(p));
	if (!memory)
		return kp_err_sys(err, p->ledger_fd < 0 ? -errno : -ENOMEM,
				  "cannot make the ledger");
	kp_ledger_init(&p->ledger, memory, p->cpu_cnt);
	return 0;
}

int kp_probes_pin_link(struct kp_probes *p, size_t i)
{
	char name[NAME_MAX_LEN];

	return p->is_pinned ? kp_pins_put(p->pins_fd, p->links[i], name_of("link", i, name)) : 0;
}

void kp_probes_unpin_link(struct kp_probes *p, size_t i)
{
	char name[NAME_MAX_LEN];

	if (p->is_pinned)
		kp_pins_remove(p->pins_fd, name_of("link", i, name));
}

static int pin_programs(struct kp_probes *p)
{
	char name[NAME_MAX_LEN];
	int r = 0;

	for (size_t i = 0; i < KP_ITER_CNT && r >= 0; i++)
		r = kp_pins_put(p->pins_fd, p->iterators[i], name_of("iter", i, name));
	for (size_t i = 0; kp_probes_program(i) && r >= 0; i++) {
		if (p->programs[i] >= 0)
			r = kp_pins_put(p->pins_fd, p->programs[i], name_of("prog", i, name));
		if (r >= 0 && p->links[i] >= 0)
			r = kp_probes_pin_link(p, i);
	}
	return r;
}

static int pin_rings(struct kp_probes *p)
{
	char name[NAME_MAX_LEN];
	int r = kp_pins_put(p->pins_fd, bpf_map__fd(p->skel->maps.event_pieces), "pieces");

	for (unsigned i = 0; i < p->rings.plan.cnt && r >= 0; i++) {
		snprintf(name, sizeof(name), "life_%u", i);
		r = kp_pins_put(p->pins_fd, p->rings.at[i][KP_RING_LIFE].map_fd, name);
	}
	return r;
}

int kp_probes_pin(struct kp_probes *p, uint64_t run, struct kp_err *err)
{
	int r;

	if (p->pins_fd < 0 || p->is_pinned)
		return 0;
	p->is_pinned = true;
	p->ledger.memory->run = run;
	identify(p, p->ledger.memory->identity);
	r = kp_pins_put(p->pins_fd, p->ledger_fd, "ledger");
	if (r >= 0)
		r = kp_pins_put(p->pins_fd, bpf_map__fd(p->skel->maps.bss), "bss");
	if (r >= 0)
		r = pin_rings(p);
	if (r >= 0)
		r = pin_programs(p);
	if (r < 0) {
		kp_probes_unpin(p);
		return kp_err_sys(err, r, "cannot pin what is in the kernel");
	}
	__atomic_store_n(&p->ledger.memory->is_ready, 1, __ATOMIC_SEQ_CST);
	return 0;
}

void kp_probes_unpin(struct kp_probes *p)
{
	if (!p->is_pinned)
		return;
	__atomic_store_n(&p->ledger.memory->is_ready, 0, __ATOMIC_SEQ_CST);
	kp_pins_clear(p->pins_fd);
	p->is_pinned = false;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void kp_probes_release_pins(struct kp_probes *p)
{
	for (size_t i = 0; kp_probes_program(i); i++) {
		close_fd(&p->links[i]);
		close_fd(&p->programs[i]);
	}
	for (int i = 0; i < KP_ITER_CNT; i++)
		close_fd(&p->iterators[i]);
	if (p->bss_fd >= 0 && p->bss)
		munmap(p->bss, kp_probes_bss_len());
	p->bss = NULL;
	close_fd(&p->bss_fd);
	close_fd(&p->pieces_fd);
	close_fd(&p->ledger_fd);
	for (unsigned i = 0; p->life_fds && i < p->rings.plan.cnt; i++)
		close_fd(&p->life_fds[i]);
	free(p->life_fds);
	p->life_fds = NULL;
	if (p->ledger.memory)
		munmap(p->ledger.memory, ledger_map_len(p));
	p->ledger.memory = NULL;
}
