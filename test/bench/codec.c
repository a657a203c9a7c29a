/* SPDX-License-Identifier: MIT
 *
 * Bytes and nanoseconds per event of each codec, over synthetic blocks of scheduler events, of
 * system calls, and of both mixed; or, with a log as argument, over its events of these kinds,
 * whose repetitions no generator has. Medians over blocks, time of the CPU. "zstd alone" is the raw
 * structs through zstd level 1, what the delta coding has to beat; "columns" is where the delta
 * coding's bytes are, of each column before zstd and packed by itself.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <zstd.h>

#include "../log/synth.h"
#include "log/codec.h"
#include "log/delta.h"
#include "log/reader.h"

#define BLOCKS 60

enum load { LOAD_SCHED, LOAD_SYSCALL, LOAD_MIXED };
static const char *const load_names[] = {"scheduler", "system calls", "mixed"};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void fail(const char *what)
{
	fprintf(stderr, "codec: %s\n", what);
	exit(1);
}

/* Eight busy tasks in four processes. */
static uint32_t tid_of(uint64_t n)
{
	return 4000 + (uint32_t)(n % 8) * 3;
}

static uint32_t pid_of(uint32_t tid)
{
	return 4000 + (tid - 4000) / 6 * 6;
}

static struct kp_hdr make_hdr(uint64_t time_ns, unsigned kind, uint32_t size, uint32_t tid)
{
	return (struct kp_hdr){.time_ns = time_ns,
			       .size = size,
			       .kind = (kp_u16)kind,
			       .cpu = 1,
			       .pid = pid_of(tid),
			       .tid = tid};
}

static void add_sched(struct kp_buf *out, uint64_t *time_ns, uint64_t *rnd)
{
	uint32_t from = tid_of(synth_random(rnd)), to = tid_of(synth_random(rnd));
	struct kp_ev_sched_waking wake = {
		.hdr = make_hdr(*time_ns += 300 + synth_random(rnd) % 2000, KP_EV_sched_waking,
				sizeof(wake), from),
		.target_pid = pid_of(to),
		.target_tid = to,
		.target_cpu = synth_random(rnd) % 4,
	};
	struct kp_ev_sched_switch change = {
		.hdr = make_hdr(*time_ns += 200 + synth_random(rnd) % 5000, KP_EV_sched_switch,
				sizeof(change), from),
		.prev_state = synth_random(rnd) % 4 ? KP_TASK_INTERRUPTIBLE : 0,
		.next_pid = pid_of(to),
		.next_tid = to,
		.prev_prio = 120,
		.next_prio = 120,
	};

	kp_buf_append(out, &wake, sizeof(wake));
	kp_buf_append(out, &change, sizeof(change));
}

static void add_syscall(struct kp_buf *out, uint64_t *time_ns, uint64_t *rnd)
{
	static const uint16_t calls[] = {0, 1, 45, 44, 232, 202, 257, 3};
	uint32_t tid = tid_of(synth_random(rnd) % 16 / 4);
	uint64_t fd = 3 + synth_random(rnd) % 6, begin = *time_ns + 100 + synth_random(rnd) % 1000;
	struct kp_ev_syscall call = {
		.hdr = make_hdr(*time_ns = begin + 200 + synth_random(rnd) % 3000, KP_EV_syscall,
				sizeof(call), tid),
		.entry_ns = begin,
		.nr = calls[synth_random(rnd) % 8],
		.arg0 = fd,
		.arg1 = 0x7f0000000000 + tid * 0x10000ull + fd * 0x1000,
		.arg2 = 4096,
		.ret = synth_random(rnd) % 4 ? (kp_s64)(synth_random(rnd) % 4096) : -11,
		.ino = 90000 + fd * 17,
		.dev = 0x800001,
		.obj = KP_OBJ_file,
	};

	kp_buf_append(out, &call, sizeof(call));
}

/* Where the events of blocks come from. */
struct source {
	enum load load;
	struct kp_log_reader *reader; /* NULL: they are made up */
	uint64_t time_ns;
	uint64_t rnd;
};

static struct source open_source(enum load load, const char *path)
{
	struct kp_log_filter filter = {0};
	struct source source = {.load = load, .time_ns = 5000000000000, .rnd = 7};

	if (load != LOAD_SYSCALL)
		filter.kinds = KP_KINDS(KP_EV_sched_switch, KP_EV_sched_waking);
	if (load != LOAD_SCHED)
		kp_set_add(&filter.kinds, KP_EV_syscall);
	if (path && kp_log_open(path, &filter, &source.reader, NULL) < 0)
		fail("cannot read the log");
	return source;
}

/* The next block's events, of one CPU; false at the log's end. */
static bool fill(struct kp_buf *out, struct source *source)
{
	const struct kp_hdr *event;

	kp_buf_reset(out);
	while (out->len + 600 < KP_BLOCK_RAW_MAX) {
		if (source->reader) {
			if (kp_log_next(source->reader, &event, NULL) != 1)
				return false;
			if (event->cpu == 0)
				kp_buf_append(out, event, event->size);
			continue;
		}
		if (source->load != LOAD_SYSCALL)
			add_sched(out, &source->time_ns, &source->rnd);
		if (source->load != LOAD_SCHED)
			add_syscall(out, &source->time_ns, &source->rnd);
	}
	return true;
}

static int compare_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static double median(double *values, int cnt)
{
	qsort(values, (size_t)cnt, sizeof(*values), compare_double);
	return cnt ? values[cnt / 2] : 0;
}

static void run_codec(enum load load, const char *path, enum kp_codec codec, const char *name)
{
	double bytes[BLOCKS], encode_ns[BLOCKS], decode_ns[BLOCKS];
	struct source source = open_source(load, path);
	uint64_t begin;
	int cnt;
	struct kp_buf events = {0}, back = {0};
	struct kp_encoder *encoder;
	struct kp_decoder *decoder;
	struct kp_schema *schema;
	struct kp_encoded enc;
	struct kp_decode dec;

	if (kp_encoder_new(codec, &encoder, NULL) < 0 || kp_decoder_new(&decoder, NULL) < 0 ||
	    kp_schema_own(&schema, NULL) < 0)
		fail("out of memory");
	for (cnt = 0; cnt < BLOCKS && fill(&events, &source); cnt++) {
		begin = now_ns();
		if (kp_encode(encoder, events.data, events.len, &enc, NULL) < 0)
			fail("cannot encode");
		encode_ns[cnt] = (double)(now_ns() - begin) / enc.event_cnt;
		bytes[cnt] = (double)enc.len / enc.event_cnt;
		dec = (struct kp_decode){.codec = enc.codec,
					 .raw_len = (uint32_t)events.len,
					 .event_cnt = enc.event_cnt,
					 .kinds = enc.kinds,
					 .first_ns = enc.first_ns,
					 .last_ns = enc.last_ns};
		begin = now_ns();
		if (kp_decode(decoder, schema, &dec, enc.data, enc.len, &back, NULL) < 0)
			fail("cannot decode");
		decode_ns[cnt] = (double)(now_ns() - begin) / enc.event_cnt;
		if (back.len != events.len || memcmp(back.data, events.data, back.len))
			fail("decoded events differ");
	}
	printf("%-12s  %-12s  %6.2f B/event  encode %6.1f ns  decode %6.1f ns\n", load_names[load],
	       name, median(bytes, cnt), median(encode_ns, cnt), median(decode_ns, cnt));
	kp_log_reader_free(source.reader);
	kp_encoder_free(encoder);
	kp_decoder_free(decoder);
	kp_schema_free(schema);
	kp_buf_done(&events);
	kp_buf_done(&back);
}

static void run_zstd(enum load load, const char *path)
{
	double bytes[BLOCKS], encode_ns[BLOCKS];
	struct source source = open_source(load, path);
	struct kp_buf events = {0};
	unsigned event_cnt;
	uint64_t begin;
	int cnt;
	size_t max = ZSTD_compressBound(KP_BLOCK_RAW_MAX), len;
	unsigned char *packed = malloc(max);
	ZSTD_CCtx *zstd = ZSTD_createCCtx();

	for (cnt = 0; cnt < BLOCKS && fill(&events, &source); cnt++) {
		event_cnt = 0;
		for (size_t at = 0; at < events.len; event_cnt++)
			at += ((const struct kp_hdr *)(events.data + at))->size;
		begin = now_ns();
		len = ZSTD_compressCCtx(zstd, packed, max, events.data, events.len, 1);
		if (ZSTD_isError(len))
			fail("zstd failed");
		encode_ns[cnt] = (double)(now_ns() - begin) / event_cnt;
		bytes[cnt] = (double)len / event_cnt;
	}
	printf("%-12s  %-12s  %6.2f B/event  encode %6.1f ns\n", load_names[load], "zstd alone",
	       median(bytes, cnt), median(encode_ns, cnt));
	kp_log_reader_free(source.reader);
	kp_buf_done(&events);
	ZSTD_freeCCtx(zstd);
	free(packed);
}

/* Bytes of each column for an event, before zstd and behind it. */
static void run_columns(enum load load, const char *path)
{
	static const char *const names[KP_DELTA_PARTS] = {"lengths", "shapes", "times",  "instants",
							  "bits",    "ids",    "values", "bytes"};
	double plain[KP_DELTA_PARTS] = {0}, packed[KP_DELTA_PARTS] = {0};
	struct source source = open_source(load, path);
	size_t max = ZSTD_compressBound(KP_DELTA_MAX(KP_BLOCK_RAW_MAX)), len, event_cnt = 0;
	unsigned char *to = malloc(max);
	struct kp_buf events = {0};
	struct kp_schema *schema;
	struct kp_delta *delta;
	const void *part;

	if (!to || kp_schema_own(&schema, NULL) < 0 || kp_delta_new(true, &delta) < 0)
		fail("out of memory");
	for (int i = 0; i < BLOCKS && fill(&events, &source); i++) {
		kp_delta_begin(delta, schema);
		for (size_t at = 0; at < events.len; event_cnt++) {
			kp_delta_put(delta, (const struct kp_hdr *)(events.data + at));
			at += ((const struct kp_hdr *)(events.data + at))->size;
		}
		kp_delta_len(delta);
		for (unsigned k = 0; k < KP_DELTA_PARTS; k++) {
			part = kp_delta_part(delta, k, &len);
			plain[k] += (double)len;
			packed[k] += (double)(len ? ZSTD_compress(to, max, part, len, 1) : 0);
		}
	}
	printf("%-12s  columns     ", load_names[load]);
	for (unsigned k = 0; k < KP_DELTA_PARTS && event_cnt; k++)
		printf("  %s %.2f>%.2f", names[k], plain[k] / (double)event_cnt,
		       packed[k] / (double)event_cnt);
	putchar('\n');
	kp_log_reader_free(source.reader);
	kp_buf_done(&events);
	kp_schema_free(schema);
	kp_delta_free(delta);
	free(to);
}

int main(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : NULL;

	for (enum load load = LOAD_SCHED; load <= LOAD_MIXED; load++) {
		run_codec(load, path, KP_CODEC_RAW, "raw");
		run_zstd(load, path);
		run_codec(load, path, KP_CODEC_DELTA, "delta");
		run_codec(load, path, KP_CODEC_DELTA_ZSTD, "delta+zstd");
		run_columns(load, path);
	}
	return 0;
}
