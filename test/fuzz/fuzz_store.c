/* SPDX-License-Identifier: MIT
 *
 * Fuzzes the reader of the database of incidents with a stranger's file. Configure with
 * -DKP_FUZZ=ON and clang, then fuzz_store CORPUS.
 *
 * The first byte of the input says what is made of the rest:
 *   even   it is the file
 *   odd    it changes a database that has one incident: pairs of an offset (3 bytes) and a byte, so
 *          that what lies behind the marks and the schema is reached; with the next bit it is one
 * of an earlier edition, which is then brought to the present one
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analyze/store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static char dir[] = "/tmp/kprobe-fuzz-db.XXXXXX", path[64];

/* A database as it is written now, and one as it was. */
struct whole {
	char bytes[256 * 1024];
	size_t len;
};
static struct whole now, then;

static void clean_up(void)
{
	unlink(path);
	rmdir(dir);
}

static void write_file(const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, data, len) != (ssize_t)len)
		abort();
	close(fd);
}

/* One incident with a row in each table. */
static void make_whole(void)
{
	const struct kp_who who = {1, 2, "comm", "cpu", "3", "/bin/exe", "default/web-0"};
	struct kp_report r = {.id = "x",
			      .run = "run",
			      .host = "host",
			      .boot_id = "boot",
			      .clock_note = "",
			      .recorded = "waits",
			      .task = who,
			      .t0_ns = 1000,
			      .t1_ns = 2000};
	struct kp_bucket bucket = {1, 0, 'A', "pipe", 1000, who, who};
	struct kp_cause cause = {.kind = 1,
				 .confidence = 'A',
				 .via = "pipe",
				 .text = "text",
				 .ns = 1000,
				 .excess_ns = 900,
				 .end_min_ns = 1000,
				 .end_max_ns = 2000,
				 .cause = who,
				 .task = who};
	struct kp_step step = {1000, 2000, 1, 0, 'A', "pipe", "pipe", 1, who, who};
	struct kp_report_span span = {"t", "s", "p", "n", "svc", 5, 6, 1, 2, 'B', "why", true};
	struct kp_loss loss = {1000, 1100, 3, 0, 1};
	struct kp_node window = {1000, 2000, "window", who, who};
	struct kp_node node = {1000, 2000, "wait", who, who};
	struct kp_edge edge = {1, 0, "pipe", 'A', 1000};
	struct kp_proof told = {.node = 1, .object = "lines\nof 1.000000001", .name = ""};
	struct kp_proof waited = {.node = 1,
				  .cpu = 1,
				  .role = KP_ROLE_waited,
				  .kind = KP_EV_syscall,
				  .t_ns = 1500,
				  .name = "read",
				  .object = "inode 7"};
	struct kp_store *store;
	struct kp_err err;

	if (KP_VEC_PUSH(&r.buckets, bucket) < 0 || KP_VEC_PUSH(&r.causes, cause) < 0 ||
	    KP_VEC_PUSH(&r.path, step) < 0 || KP_VEC_PUSH(&r.spans, span) < 0 ||
	    KP_VEC_PUSH(&r.lost, loss) < 0 || KP_VEC_PUSH(&r.nodes, window) < 0 ||
	    KP_VEC_PUSH(&r.nodes, node) < 0 || KP_VEC_PUSH(&r.events, told) < 0 ||
	    KP_VEC_PUSH(&r.events, waited) < 0 || KP_VEC_PUSH(&r.edges, edge) < 0 ||
	    kp_store_open(path, true, &store, &err) < 0 || kp_store_save(store, &r, &err) < 0)
		abort();
	kp_store_free(store);
	kp_report_done(&r);
}

static void read_file(const char *name, struct whole *whole)
{
	FILE *file = fopen(name, "re");

	whole->len = file ? fread(whole->bytes, 1, sizeof(whole->bytes), file) : 0;
	if (!whole->len || fclose(file) != 0)
		abort();
}

static void start(void)
{
	if (!mkdtemp(dir))
		abort();
	snprintf(path, sizeof(path), "%s/db", dir);
	atexit(clean_up);
	make_whole();
	read_file(path, &now);
	read_file(KP_SOURCE_DIR "/test/analyze/golden/edition2.db", &then);
}

static void write_changed(const struct whole *whole, const uint8_t *data, size_t len)
{
	static char changed[sizeof(whole->bytes)];
	size_t at;

	memcpy(changed, whole->bytes, whole->len);
	for (; len >= 4; data += 4, len -= 4) {
		at = (data[0] | (size_t)data[1] << 8 | (size_t)data[2] << 16) % whole->len;
		changed[at] = (char)data[3];
	}
	write_file(changed, whole->len);
}

static void read_all(void)
{
	const struct kp_log_run run = {.id = "run"};
	struct kp_buf out = {0};
	struct kp_store *store;
	struct kp_report r;
	struct kp_err err;

	if (kp_store_open(path, false, &store, &err) < 0)
		return;
	kp_store_list(store, NULL, 0, false, &out, &err);
	kp_store_list(store, &run, 1, true, &out, &err);
	for (size_t n = 0; n < 3; n++) {
		if (kp_store_load(store, n < 2 ? "x" : "4007", &run, n & 1, &r, &err) == 0) {
			kp_report_text(&r, true, &out);
			kp_report_json(&r, false, &out);
		}
		kp_report_done(&r);
	}
	kp_store_free(store);
	kp_buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (!now.len)
		start();
	if (!len)
		return 0;
	if (data[0] & 1)
		write_changed(data[0] & 2 ? &then : &now, data + 1, len - 1);
	else
		write_file(data + 1, len - 1);
	read_all();
	return 0;
}
