/* SPDX-License-Identifier: MIT
 *
 * Fuzzes what analyze makes of events: the input becomes a stream of valid events, from which the
 * model is built, windows of its tasks are walked, and reports are made and printed. The walk and
 * the report assert their own sums. Configure with -DKP_FUZZ=ON and clang, then fuzz_model CORPUS.
 *
 * An event is its kind, the time since the one before (0, or 2 to the power of a nibble), and its
 * fields as they stand; those that name tasks, CPUs, sockets and the like are taken modulo a few,
 * so that events meet one another.
 */
#include <stdlib.h>
#include <string.h>

#include "analyze/report.h"
#include "event/event.h"

#define TASKS 6
#define CPUS 3
#define OBJECTS 4
#define EVENTS_MAX 2000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct input {
	const uint8_t *at;
	size_t len;
};

static uint64_t take(struct input *in, size_t len)
{
	uint64_t value = 0;

	if (len > in->len)
		len = in->len;
	memcpy(&value, in->at, len);
	in->at += len;
	in->len -= len;
	return value;
}

/* How many different values a field may have; 0: any. */
static uint64_t values_of(const struct kp_field *field)
{
	switch (field->ref) {
	case KP_REF_TASK:
	case KP_REF_NEXT:
	case KP_REF_PROC:
		return TASKS;
	case KP_REF_CPU:
		return CPUS;
	case KP_REF_SOCK:
	case KP_REF_RQ:
	case KP_REF_FILE:
		return OBJECTS;
	default:
		return 0;
	}
}

static void take_field(struct input *in, const struct kp_field *field, uint64_t now_ns, void *event)
{
	uint64_t value, values = values_of(field);

	if (field->format == KP_F_COMM) {
		memset((char *)event + field->offset, 0, field->len);
		*((char *)event + field->offset) = (char)('a' + take(in, 1) % 26);
		return;
	}
	if (strncmp(field->name, "pad", 3) == 0 || strcmp(field->name, "data_len") == 0)
		return;
	value = take(in, field->format == KP_F_TIME ? 2 : field->len > 4 ? 4 : field->len);
	if (values)
		value %= values;
	if (field->type == KP_T_addr) {
		*((char *)event + field->offset) = (char)value;
		return;
	}
	if (field->format == KP_F_TIME) /* around the event's own, where it means something */
		value = now_ns + 1000 - value % 3000;
	memcpy((char *)event + field->offset, &value, field->len);
}

/* The next event in room; its size, or 0. */
static uint32_t take_event(struct input *in, uint64_t *now_ns, void *room)
{
	const struct kp_event_desc *desc = kp_event_get((unsigned)(take(in, 1) % KP_EV_END));
	uint8_t where = (uint8_t)take(in, 1);
	struct kp_hdr *hdr = room;

	if (!desc)
		return 0;
	memset(room, 0, desc->struct_len);
	*now_ns += where & 15 ? 1ull << (where & 15) : 0;
	hdr->time_ns = *now_ns;
	hdr->size = desc->struct_len;
	hdr->kind = desc->kind;
	hdr->cpu = (uint16_t)((where >> 4) % CPUS);
	hdr->tid = (uint32_t)(take(in, 1) % TASKS);
	hdr->pid = hdr->tid & ~1u;
	for (unsigned i = 0; i < desc->field_cnt; i++)
		take_field(in, &desc->fields[i], *now_ns, room);
	return kp_event_validate(room, hdr->size, NULL) < 0 ? 0 : hdr->size;
}

static void check(const struct kp_model *m, uint32_t task, uint64_t t0_ns, uint64_t t1_ns)
{
	struct kp_report report = {.id = "fuzz",
				   .run = "",
				   .host = "",
				   .boot_id = "",
				   .clock_note = "",
				   .t0_ns = t0_ns,
				   .t1_ns = t1_ns,
				   .deadline_realtime_ns = t1_ns,
				   .deadline_ns = t0_ns + (t1_ns - t0_ns) / 2};
	struct kp_buf out = {0};
	struct kp_walk walk;
	int code = kp_walk_run(m, task, t0_ns, t1_ns, &walk);

	report.task = kp_report_who(&report, m, task, t1_ns);
	if (code == 0 && kp_report_build(&report, &walk) == 0) {
		kp_report_compare(&report, &report, 1);
		kp_report_text(&report, false, &out);
		kp_report_json(&report, true, &out);
	}
	kp_walk_done(&walk);
	kp_buf_done(&out);
	kp_report_done(&report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct input in = {data, len};
	uint64_t now_ns = 1000000, room[64];
	struct kp_model m;

	if (kp_model_init(&m) < 0)
		return 0;
	m.keep_from_ns = take(&in, 1) & 1 ? 1001000 : 0;
	for (int n = 0; in.len && n < EVENTS_MAX; n++)
		if (take_event(&in, &now_ns, room) && kp_model_add(&m, (void *)room) < 0)
			abort();
	if (kp_model_finish(&m) == 0)
		for (uint32_t task = 1; task < m.tasks.cnt && task < 2 * TASKS; task++) {
			check(&m, task, m.first_ns, m.last_ns);
			check(&m, task, 999000, now_ns + 5000);
		}
	kp_model_done(&m);
	return 0;
}
