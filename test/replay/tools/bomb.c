/* SPDX-License-Identifier: MIT
 *
 * Writes logs of less than a megabyte that ask for as much memory or time as they can of whoever
 * opens them: blocks are packed as tight as a reader takes them.
 *
 * usage: bomb NAME LOG
 *        bomb --list
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zstd.h>

#include "../../log/forge.h"
#include "../../log/synth.h"
#include "../synth.h"
#include "base/blake2b.h"
#include "base/limit.h"
#include "log/codec.h"
#include "log/object.h"
#include "log/segment.h"

#define LOG_MAX 990000u
#define BATCH (200u * 1024)
#define MANY 20000000u /* ends with the log */
#define HUGE_START 0x100000000000ull
#define HUGE_LEN (8ull << 30)
/* The log begins a second after the boot, at this time of the wall clock. */
#define BEGIN_NS 1000000000ull
#define BEGIN_REALTIME_NS 1700000000000000000ull

/* Text for the assembler: machine code between two labels. */
#define CODE(name, text)                                                                  \
	extern const unsigned char name##_code[], name##_code_end[];                      \
	__asm__(".pushsection .rodata\n" #name "_code:\n" text "\n" #name "_code_end:\n." \
		"popsection")

CODE(spin, "1: jmp 1b\n");
/* Writes, or reads, each page from HUGE_START on. */
CODE(fill, "mov $0x100000000000, %rdi\n1: mov %rdi, (%rdi)\nadd $4096, %rdi\njmp 1b\n");
CODE(look, "mov $0x100000000000, %rdi\n1: mov (%rdi), %rax\nadd $4096, %rdi\njmp 1b\n");
/* getpid, for ever */
CODE(ask, "1: mov $39, %eax\nsyscall\njmp 1b\n");
/* read(0, RDI = HUGE_START + n pages, 1), for ever */
CODE(take, "mov $0x100000000000, %rsi\n1: xor %eax, %eax\nxor %edi, %edi\nmov $1, %edx\nsyscall\n"
	   "add $4096, %rsi\njmp 1b\n");
/* vfork, for ever, without a child */
CODE(split, "1: mov $58, %eax\nsyscall\njmp 1b\n");

/* Begins a segment of a log in dir. */
static int begin_segment(struct forge *f, const char *dir, uint64_t number, const char *text,
			 size_t len)
{
	char path[512], name[KP_SEG_NAME_MAX];
	int fd;

	kp_seg_name(number, name);
	snprintf(path, sizeof path, "%s/boot", dir);
	mkdir(dir, 0700);
	mkdir(path, 0700);
	snprintf(path, sizeof path, "%s/boot/%s", dir, name);
	fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	return forge_begin(f, fd,
			   (struct kp_seg_hdr){.sequence = number,
					       .realtime_ns = BEGIN_REALTIME_NS,
					       .time_ns = BEGIN_NS},
			   text, len);
}

struct bomb {
	struct synth s;
	struct forge segment;
	struct kp_encoder *encoder;
	struct kp_buf batch;
	const char *dir;
	uint32_t stream;
	bool stop; /* the log is as long as it may be */
};

static void flush(struct bomb *b)
{
	struct kp_encoded enc;
	uint32_t least = (uint32_t)b->batch.len / KP_MAX_UNPACKED + 1, frame;

	if (!b->batch.len ||
	    kp_encode(b->encoder, b->batch.data, b->batch.len, &enc, &b->s.err) < 0)
		return;
	/* Without the zeros that an honest writer pads with. */
	if (enc.codec == KP_CODEC_DELTA_ZSTD) {
		frame = (uint32_t)ZSTD_findFrameCompressedSize(enc.data, enc.len);
		enc.len = frame > least ? frame : least;
	}
	forge_block(&b->segment,
		    (struct kp_block_hdr){.codec = (kp_u8)enc.codec,
					  .first_ns = enc.first_ns,
					  .last_ns = enc.last_ns,
					  .event_cnt = enc.event_cnt,
					  .raw_len = (uint32_t)b->batch.len,
					  .stored_len = enc.len,
					  .stream = b->stream},
		    enc.data);
	kp_buf_reset(&b->batch);
	b->stop = b->segment.pos > LOG_MAX - 30000;
}

static void to_log(struct synth *s, const struct kp_hdr *event)
{
	struct bomb *b = (struct bomb *)s;

	if (b->batch.len + event->size > BATCH)
		flush(b);
	kp_buf_append(&b->batch, event, event->size);
}

static void image(struct bomb *b, const unsigned char *code, const unsigned char *end)
{
	synth_image(&b->s, code, (size_t)(end - code), NULL, 0);
	synth_map(&b->s, HUGE_START, HUGE_LEN, 3, "");
}
#define IMAGE(b, name) image(b, name##_code, name##_code_end)

/* --- what every command reads --- */

static void streams(struct bomb *b)
{
	while (!b->stop) {
		synth_call(&b->s, SYS_getpid, 1, 0, 0, 0);
		b->stream = (b->stream + 1) % 16000;
		flush(b);
	}
}

static void fat_streams(struct bomb *b)
{
	static const char zeros[60000];

	while (!b->stop) {
		synth_payload(&b->s, SYS_write, 1, KP_DIR_IN, 0, zeros, sizeof zeros);
		synth_payload(&b->s, SYS_write, 1, KP_DIR_IN, 0, zeros, sizeof zeros);
		synth_payload(&b->s, SYS_write, 1, KP_DIR_IN, 0, zeros, sizeof zeros);
		b->stream = (b->stream + 1) % 16000;
		flush(b);
	}
}

static void zeros(struct bomb *b)
{
	static const char none[60000];

	while (!b->stop)
		synth_payload(&b->s, SYS_write, 1, KP_DIR_IN, 0, none, sizeof none);
}

static void clocks(struct bomb *b)
{
	for (uint64_t i = 0; !b->stop && i < 9900; i++) {
		struct kp_ev_clock clock = {.realtime_ns = 1000000000000000000ull +
							   (i * 7919 % 9900) * 1000000000000ull};

		SYNTH_PUT(&b->s, clock, &clock, NULL, 0);
	}
}

static void all_kinds(struct bomb *b)
{
	uint64_t rnd = 5;

	while (!b->stop) {
		synth_event(&b->batch, 1 + (unsigned)(synth_random(&rnd) % (KP_EV_END - 1)),
			    b->s.time_ns += 1000, 2000, &rnd);
		if (b->batch.len > BATCH)
			flush(b);
	}
}

static void commands(struct bomb *b)
{
	while (!b->stop) {
		struct kp_ev_command command = {.data_len = 60000};
		static const char argv[60000];

		SYNTH_PUT(&b->s, command, &command, argv, sizeof argv);
	}
}

/* --- what analyze reads --- */

/* A switch each 1000 ns between two tasks of many, each waking another. */
static void switches(struct bomb *b)
{
	for (uint32_t i = 0; !b->stop; i++) {
		struct kp_ev_sched_switch sw = {.prev_state = 1,
						.next_pid = SYNTH_PID + i % 7,
						.next_tid = SYNTH_PID + i % 7};
		struct kp_ev_sched_waking wake = {.target_pid = SYNTH_PID, .target_tid = SYNTH_PID};

		SYNTH_PUT(&b->s, sched_waking, &wake, NULL, 0);
		SYNTH_PUT(&b->s, sched_switch, &sw, NULL, 0);
	}
}

static void tasks(struct bomb *b)
{
	for (uint32_t i = 0; !b->stop; i++) {
		struct kp_ev_sched_switch sw = {.prev_state = 1, .next_pid = i, .next_tid = i + 1};

		SYNTH_PUT(&b->s, sched_switch, &sw, NULL, 0);
	}
}

static void forks(struct bomb *b)
{
	for (uint32_t i = 1; !b->stop; i++) {
		struct kp_ev_task_fork fork = {.child_pid = i, .child_tid = i};

		SYNTH_PUT(&b->s, task_fork, &fork, NULL, 0);
	}
}

/* Each is a hole of its own. */
static void losses(struct bomb *b)
{
	while (!b->stop) {
		struct kp_ev_lost lost = {.from_ns = b->s.time_ns,
					  .to_ns = b->s.time_ns + 10,
					  .count = 1,
					  .lost_group = KP_GROUP_sched,
					  .lost_cpu = 1};
		struct kp_ev_sched_switch sw = {.next_pid = SYNTH_PID, .next_tid = SYNTH_PID};

		SYNTH_PUT(&b->s, lost, &lost, NULL, 0);
		SYNTH_PUT(&b->s, sched_switch, &sw, NULL, 0);
	}
}

/* Losses on a CPU that is not known, with as many CPUs as there can be. */
static void cpus(struct bomb *b)
{
	struct kp_ev_sched_switch sw = {.hdr.cpu = 65000, .next_pid = 1, .next_tid = 1};

	SYNTH_PUT(&b->s, sched_switch, &sw, NULL, 0);
	while (!b->stop) {
		struct kp_ev_lost lost = {.from_ns = b->s.time_ns,
					  .to_ns = b->s.time_ns + 10,
					  .count = 1,
					  .lost_group = KP_GROUP_sched,
					  .lost_cpu = 65500};

		SYNTH_PUT(&b->s, lost, &lost, NULL, 0);
	}
}

/* Every process woke this one, and each woke the other before. */
static void chains(struct bomb *b)
{
	for (uint32_t i = 0; !b->stop; i++) {
		struct kp_ev_sched_waking wake = {.target_pid = SYNTH_PID,
						  .target_tid = i % 40 + 1};
		struct kp_ev_sched_switch away = {
			.prev_state = 1, .next_pid = SYNTH_PID, .next_tid = i % 40 + 1};

		SYNTH_PUT(&b->s, sched_waking, &wake, NULL, 0);
		SYNTH_PUT(&b->s, sched_switch, &away, NULL, 0);
		synth_call(&b->s, SYS_read, 1, 0, 0, 0);
	}
}

/* --- objects --- */

/* Names an object, of a file that the image maps. */
static void name_object(struct bomb *b, uint32_t id, const struct kp_object *object)
{
	struct kp_ev_file_info info = {.file_id = id, .len = 15ull << 30, .data_len = 2};
	struct kp_ev_file_object end = {
		.file_id = id, .len = object->len, .data_len = KP_OBJECT_HASH_LEN};
	struct kp_ev_exec_map map = {.start = HUGE_START + HUGE_LEN + id * 4096ull,
				     .end = HUGE_START + HUGE_LEN + id * 4096ull + 4096,
				     .image = 1,
				     .prot = 1,
				     .file_id = id,
				     .data_len = 2};

	SYNTH_PUT(&b->s, file_info, &info, "/f", 2);
	SYNTH_PUT(&b->s, file_object, &end, object->hash, KP_OBJECT_HASH_LEN);
	SYNTH_PUT(&b->s, exec_map, &map, "/f", 2);
}

/* Opens the file of an object whose unpacked bytes begin with the length of a file of 15 GiB. */
static int open_object(const struct bomb *b, const struct kp_object *object)
{
	char name[KP_OBJECT_NAME_LEN], path[512];

	kp_object_name(object, name);
	snprintf(path, sizeof path, "%s/" KP_OBJECT_FOLDER, b->dir);
	mkdir(path, 0700);
	snprintf(path, sizeof path, "%s/" KP_OBJECT_FOLDER "/%.2s", b->dir, name);
	mkdir(path, 0700);
	snprintf(path, sizeof path, "%s/" KP_OBJECT_FOLDER "/%s", b->dir, name);
	return open(path, O_CREAT | O_TRUNC | O_RDWR | O_CLOEXEC, 0600);
}

/* So many pieces of pages that are one byte each, packed as well as they can be. */
static struct kp_object pack_pieces(const struct bomb *b, uint32_t cnt, uint64_t seed)
{
	size_t len = 8 + cnt * (8 + 65536ull), n;
	unsigned char *plain = calloc(1, len), *at = plain + 8, *packed = malloc(LOG_MAX);
	struct kp_object object = {.len = len};
	uint64_t head = 15ull << 30;
	int fd;

	memcpy(plain, &head, 8);
	for (uint32_t i = 0; i < cnt; i++) {
		head = (uint64_t)i << 16 | 0xffff;
		memcpy(at, &head, 8);
		memset(at + 8, 1 + (int)(seed % 255), 65536);
		at += 8 + 65536;
	}
	if (cnt) /* different for each */
		memcpy(plain + 16, &seed, 8);
	kp_blake2b(plain, len, object.hash, sizeof object.hash);
	n = ZSTD_compress(packed, LOG_MAX, plain, len, 1);
	fd = open_object(b, &object);
	if (ZSTD_isError(n) || write(fd, packed, n) != (ssize_t)n)
		object.len = 0;
	close(fd);
	free(plain);
	free(packed);
	return object;
}

/* 4 GiB of which only the length is known, and some that can be had. */
static void object_pages(struct bomb *b)
{
	struct kp_object object = pack_pieces(b, 1000, 0);

	IMAGE(b, spin);
	name_object(b, 1, &object);
	object.len = 4ull << 30;
	name_object(b, 2, &object);
}

static void object_half(struct bomb *b)
{
	struct kp_object object = pack_pieces(b, 900, 0);

	IMAGE(b, spin);
	name_object(b, 1, &object);
}

/* Each for a little: all of them for much. */
static void objects_many(struct bomb *b)
{
	IMAGE(b, spin);
	for (uint32_t i = 1; i < 120; i++) {
		struct kp_object object = pack_pieces(b, 100, i);

		name_object(b, i, &object);
	}
}

/* One that many files have. */
static void object_shared(struct bomb *b)
{
	struct kp_object object = pack_pieces(b, 12, 0);

	IMAGE(b, spin);
	for (uint32_t i = 1; !b->stop && i < 20000; i++)
		name_object(b, i, &object);
}

/* Frames that are left out, over a hole in the file. */
static void object_hole(struct bomb *b)
{
	const uint32_t skip[2] = {0x184d2a50, 0xfffffff0};
	struct kp_object object = {.hash = {7}, .len = 1ull << 40};
	int fd = open_object(b, &object);

	for (off_t at = 0; at < 200 * (0xfffffff0ll + 8); at += 0xfffffff0ll + 8)
		if (pwrite(fd, skip, sizeof skip, at) != sizeof skip)
			break;
	close(fd);
	IMAGE(b, spin);
	name_object(b, 1, &object);
}

/* --- what replay reads --- */

static void loop(struct bomb *b)
{
	IMAGE(b, spin);
	b->s.time_ns += 3600000000000ull;
	synth_call(&b->s, SYS_getpid, 1, 0, 0, 0);
}

static void memory(struct bomb *b)
{
	IMAGE(b, fill);
	b->s.time_ns += 3600000000000ull;
	synth_call(&b->s, SYS_getpid, 1, 0, 0, 0);
}

static void hole(struct bomb *b)
{
	struct kp_ev_file_info info = {.file_id = 7, .len = 15ull << 30, .data_len = 2};
	struct kp_object object = pack_pieces(b, 0, 0);
	struct kp_ev_file_object end = {
		.file_id = 7, .len = object.len, .data_len = KP_OBJECT_HASH_LEN};
	struct kp_ev_exec_map map = {.start = HUGE_START,
				     .end = HUGE_START + info.len,
				     .image = 1,
				     .prot = 1,
				     .file_id = 7,
				     .data_len = 2};

	SYNTH_PUT(&b->s, file_info, &info, "/f", 2);
	SYNTH_PUT(&b->s, file_object, &end, object.hash, KP_OBJECT_HASH_LEN);
	synth_image(&b->s, look_code, (size_t)(look_code_end - look_code), NULL, 0);
	SYNTH_PUT(&b->s, exec_map, &map, "/f", 2);
	b->s.time_ns += 3600000000000ull;
	synth_call(&b->s, SYS_getpid, 1, 0, 0, 0);
}

static void calls(struct bomb *b)
{
	IMAGE(b, ask);
	while (!b->stop)
		synth_call(&b->s, SYS_getpid, 1, 0, 0, 0);
}

static void payloads(struct bomb *b)
{
	IMAGE(b, ask);
	zeros(b);
	synth_call(&b->s, SYS_write, 60000, 1, 0, 60000);
}

/* A byte for each page. */
static void pages(struct bomb *b)
{
	IMAGE(b, take);
	for (uint64_t at = HUGE_START; !b->stop; at += 4096) {
		synth_payload(&b->s, SYS_read, 1, KP_DIR_OUT, at, "x", 1);
		synth_call(&b->s, SYS_read, 1, 0, at, 1);
	}
}

static void image_pages(struct bomb *b)
{
	IMAGE(b, spin);
	for (uint64_t at = HUGE_START; !b->stop; at += 4096)
		synth_memory(&b->s, at, "x", 1);
}

static void put_maps(struct bomb *b, uint32_t cnt)
{
	IMAGE(b, spin);
	for (uint64_t i = 0; i < cnt && !b->stop; i++)
		synth_map(&b->s, 0x10000000 + 8192 * i, 4096, i & 1 ? 1 : 3, "");
}

static void maps(struct bomb *b)
{
	put_maps(b, MANY);
}

static void maps_allowed(struct bomb *b)
{
	put_maps(b, 65000);
}

/* Each begins where the last try for a free place ended. */
static void maps_backwards(struct bomb *b)
{
	IMAGE(b, spin);
	for (uint64_t i = 65000; i > 0 && !b->stop; i--)
		synth_map(&b->s, 0x10000 + 4096 * (i - 1), 4096, 1, "");
}

static void images(struct bomb *b)
{
	IMAGE(b, spin);
	for (uint32_t i = 2; !b->stop; i++) {
		struct user_regs_struct regs = {.rip = SYNTH_CODE, .cs = 0x33, .ss = 0x2b};
		struct kp_ev_exec_image event = {.image = i, .data_len = sizeof regs};

		SYNTH_PUT(&b->s, exec_image, &event, &regs, sizeof regs);
	}
}

static void files(struct bomb *b)
{
	IMAGE(b, spin);
	for (uint32_t i = 1; !b->stop; i++) {
		struct kp_ev_file_info info = {.file_id = i, .len = 4096, .data_len = 2};

		SYNTH_PUT(&b->s, file_info, &info, "/f", 2);
	}
}

static void children(struct bomb *b)
{
	IMAGE(b, split);
	for (uint32_t i = 1; !b->stop; i++)
		synth_call(&b->s, SYS_vfork, i, 0, 0, 0);
}

/* Calls that map files, and maps of files of which none fits. */
static void unpaired(struct bomb *b)
{
	IMAGE(b, ask);
	for (uint32_t i = 0; !b->stop; i++) {
		struct kp_ev_file_map map = {.len = 1, .fd = 9};

		SYNTH_PUT(&b->s, file_map, &map, NULL, 0);
		synth_call(&b->s, SYS_mmap, -1, 0, 4096, 1);
	}
}

static void signals(struct bomb *b)
{
	struct kp_pt_regs regs = {.ip = SYNTH_CODE, .sp = SYNTH_STACK_END - 256, .flags = 0x202};
	unsigned char data[sizeof regs + 48] = {0};

	memcpy(data, &regs, sizeof regs);
	IMAGE(b, spin);
	for (uint32_t i = 0; !b->stop; i++) {
		struct kp_ev_signal_deliver deliver = {
			.handler = SYNTH_CODE, .sig = 10, .seq = b->s.seq, .data_len = sizeof data};

		SYNTH_PUT(&b->s, signal_deliver, &deliver, data, sizeof data);
	}
}

/* --- segments that no recorder writes --- */

/* Blocks of events of a kind without fields, a byte each, packed to the least that is taken. */
static int bare_events(const char *dir, const char *text, uint32_t least)
{
	unsigned char plain[7 + 10916], stored[KP_BLOCK_RAW_MAX] = {0};
	struct kp_block_hdr block = {.codec = KP_CODEC_DELTA_ZSTD, .last_ns = UINT64_MAX};
	struct forge seg;
	size_t len;

	memset(plain, 0, sizeof plain);
	/* Columns: 10916 bytes of shapes, else nothing; shape 0: kind 1, nothing differs. */
	memcpy(plain, "\xa4\x55\0\0\0\0\0\0\1\0", 10);
	block.event_cnt = 10916 - 2;
	block.raw_len = block.event_cnt * 24;
	len = ZSTD_compress(stored, sizeof stored, plain, sizeof plain, 19);
	block.stored_len = len > least ? (uint32_t)len : least;
	if (begin_segment(&seg, dir, 1, text, strlen(text)) < 0)
		return 1;
	for (uint32_t i = 0; seg.pos + block.stored_len + 1000 < LOG_MAX; i++) {
		block.stream = i % 16000;
		forge_block(&seg, block, stored);
	}
	return forge_end(&seg);
}

#define BARE                                                                                       \
	"{\"run\":\"1\",\"schema\":[{\"kind\":1,\"name\":\"%s\",\"tail\":\"NONE\",\"fields\":[]}]" \
	"}"

static int packed(const char *dir)
{
	char text[256];

	snprintf(text, sizeof text, BARE, "x");
	return bare_events(dir, text, 0);
}

static int events(const char *dir)
{
	char text[256];

	snprintf(text, sizeof text, BARE, "x");
	return bare_events(dir, text, 10920 * 24 / 64 + 1);
}

static int grown_events(const char *dir)
{
	char text[256];

	snprintf(text, sizeof text, BARE, "syscall");
	return bare_events(dir, text, 10920 * 24 * 6 / 64 + 1);
}

static int segments(const char *dir)
{
	static const char text[] = "{\"schema\":[]}";
	struct forge seg;

	for (uint32_t i = 1; i < 13000; i++) {
		if (begin_segment(&seg, dir, i, text, sizeof text - 1) < 0)
			return 1;
		close(seg.fd);
	}
	return 0;
}

static int header(const char *dir, const char *unit, const char *behind)
{
	struct kp_buf text = {0};
	struct forge seg;

	kp_buf_puts(&text, "{\"schema\":[],\"options\":[");
	while (text.len < LOG_MAX - 100)
		kp_buf_puts(&text, unit);
	kp_buf_puts(&text, behind);
	return begin_segment(&seg, dir, 1, text.data, text.len);
}

static int header_deep(const char *dir)
{
	return header(dir, "[", "");
}

static int header_wide(const char *dir)
{
	return header(dir, "0,", "0]}");
}

static int header_objects(const char *dir)
{
	return header(dir, "{\"\":\"\"},", "0]}");
}

static int header_name(const char *dir)
{
	struct kp_buf text = {0};
	struct forge seg;

	kp_buf_puts(&text, "{\"schema\":[],\"node\":\"");
	while (text.len < LOG_MAX - 100)
		kp_buf_puts(&text, "\\u0001");
	kp_buf_puts(&text, "\"}");
	return begin_segment(&seg, dir, 1, text.data, text.len);
}

static int sparse(const char *dir)
{
	static const char text[] = "{\"schema\":[]}";
	struct forge seg;

	if (begin_segment(&seg, dir, 1, text, sizeof text - 1) < 0)
		return 1;
	return ftruncate(seg.fd, 1ll << 40);
}

static int islands(const char *dir)
{
	static const char text[] = "{\"schema\":[]}";
	struct forge seg;

	if (begin_segment(&seg, dir, 1, text, sizeof text - 1) < 0)
		return 1;
	for (off_t at = 1 << 20; at < 200ll << 32; at += 1ll << 32)
		if (pwrite(seg.fd, "BLK2BLK2", 8, at) != 8)
			return 1;
	return 0;
}

static const struct {
	const char *name;
	void (*put)(struct bomb *b);
	int (*make)(const char *dir);
} bombs[] = {
#define PUT(id)               \
	{                     \
#id, id, NULL \
	}
#define MAKE(id)              \
	{                     \
#id, NULL, id \
	}
	PUT(streams),      PUT(fat_streams),   PUT(zeros),
	PUT(clocks),       PUT(all_kinds),     PUT(commands),
	PUT(switches),     PUT(tasks),         PUT(forks),
	PUT(losses),       PUT(cpus),          PUT(chains),
	PUT(loop),         PUT(memory),        PUT(hole),
	PUT(calls),        PUT(payloads),      PUT(pages),
	PUT(image_pages),  PUT(object_pages),  PUT(object_half),
	PUT(objects_many), PUT(object_shared), PUT(object_hole),
	PUT(maps),         PUT(maps_allowed),  PUT(maps_backwards),
	PUT(images),       PUT(files),         PUT(children),
	PUT(unpaired),     PUT(signals),       MAKE(packed),
	MAKE(events),      MAKE(grown_events), MAKE(segments),
	MAKE(header_deep), MAKE(header_wide),  MAKE(header_objects),
	MAKE(header_name), MAKE(sparse),       MAKE(islands),
};

static int write_log(void (*put)(struct bomb *b), const char *dir)
{
	struct bomb b = {.stream = KP_CPU_USER, .dir = dir};
	struct kp_ev_command command = {.data_len = 5};
	struct kp_ev_record_stats stats = {0};
	struct kp_buf text = {0};

	kp_buf_puts(&text, "{\"node\":\"attacker\",\"run\":\"1\",\"groups\":");
	kp_event_print_groups(&text);
	kp_buf_puts(&text, ",\"schema\":");
	kp_event_print_schema(&text);
	kp_buf_putc(&text, '}');
	if (begin_segment(&b.segment, dir, 1, text.data, text.len) < 0 ||
	    kp_encoder_new(KP_CODEC_DELTA_ZSTD, &b.encoder, &b.s.err) < 0)
		return 1;
	b.s.put = to_log;
	b.s.time_ns = BEGIN_NS;
	SYNTH_PUT(&b.s, command, &command, "bomb", 5);
	put(&b);
	SYNTH_PUT(&b.s, record_stats, &stats, NULL, 0);
	flush(&b);
	if (b.s.err.text[0])
		fprintf(stderr, "%s\n", b.s.err.text);
	kp_encoder_free(b.encoder);
	kp_buf_done(&b.batch);
	kp_buf_done(&text);
	return forge_end(&b.segment) || b.s.err.text[0];
}

int main(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof bombs / sizeof *bombs; i++) {
		if (argc == 2 && !strcmp(argv[1], "--list"))
			puts(bombs[i].name);
		else if (argc == 3 && !strcmp(argv[1], bombs[i].name))
			return bombs[i].put ? write_log(bombs[i].put, argv[2])
					    : bombs[i].make(argv[2]);
	}
	return argc == 2 ? 0 : 2;
}
