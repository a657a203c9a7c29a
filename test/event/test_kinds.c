/* SPDX-License-Identifier: MIT
 *
 * One round trip per kind of event, made from events.def by including it: a new row has its test at
 * once. Each event is validated, encoded and decoded by each codec, and printed as text and JSON.
 */
#include <cJSON.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "../log/synth.h"
#include "event/event.h"
#include "event/syscall.h"
#include "log/codec.h"

static void check_codecs(const struct kp_buf *events)
{
	struct kp_encoder *encoder;
	struct kp_decoder *decoder;
	struct kp_schema *schema;
	struct kp_encoded enc;
	struct kp_decode dec;
	struct kp_buf back = {0};
	struct kp_err err = {""};

	cr_assert_eq(kp_decoder_new(&decoder, &err), 0);
	cr_assert_eq(kp_schema_own(&schema, &err), 0);
	cr_assert(schema->is_own);
	for (enum kp_codec codec = KP_CODEC_RAW; codec <= KP_CODEC_DELTA_ZSTD; codec++) {
		cr_assert_eq(kp_encoder_new(codec, &encoder, &err), 0);
		cr_assert_eq(kp_encode(encoder, events->data, events->len, &enc, &err), 0, "%s",
			     err.text);
		dec = (struct kp_decode){.codec = enc.codec,
					 .raw_len = (uint32_t)events->len,
					 .event_cnt = enc.event_cnt,
					 .kinds = enc.kinds,
					 .first_ns = enc.first_ns,
					 .last_ns = enc.last_ns};
		cr_assert_eq(kp_decode(decoder, schema, &dec, enc.data, enc.len, &back, &err), 0,
			     "%s", err.text);
		cr_assert_eq(back.len, events->len);
		cr_assert_eq(memcmp(back.data, events->data, back.len), 0);
		kp_encoder_free(encoder);
	}
	kp_schema_free(schema);
	kp_decoder_free(decoder);
	kp_buf_done(&back);
}

static void check_json_field(const cJSON *json, const struct kp_hdr *event,
			     const struct kp_field *f)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, f->name);
	uint64_t value = kp_event_value(event, f);
	double number;

	cr_assert_not_null(item, "%s", f->name);
	if (f->type == KP_T_comm) {
		cr_expect_str_eq(item->valuestring, (const char *)event + f->offset);
	} else if (f->type == KP_T_addr) {
		cr_expect(cJSON_IsString(item));
	} else {
		number = f->type == KP_T_s32 || f->type == KP_T_s64 ? (double)(int64_t)value
								    : (double)value;
		cr_expect_eq(item->valuedouble, number, "%s", f->name);
	}
}

static void check_json(const struct kp_hdr *event, const struct kp_event_desc *desc)
{
	struct kp_buf text = {0};
	const cJSON *data;
	cJSON *json;

	kp_event_print_json(event, &(struct kp_print){0}, &text);
	cr_assert_null(memchr(text.data, '\n', text.len));
	json = cJSON_Parse(text.data);
	cr_assert_not_null(json, "%s", text.data);
	cr_expect_str_eq(cJSON_GetObjectItem(json, "kind")->valuestring, desc->name);
	cr_expect_eq(cJSON_GetObjectItem(json, "time_ns")->valuedouble, (double)event->time_ns);
	cr_expect_eq(cJSON_GetObjectItem(json, "tid")->valuedouble, event->tid);
	for (unsigned i = 0; i < desc->field_cnt; i++) {
		const char *name = desc->fields[i].name;

		/* Registers that are no arguments of the call are left out. */
		if (event->kind == KP_EV_syscall && !strncmp(name, "arg", 3) &&
		    (unsigned)(name[3] - '0') >=
			    kp_syscall_arg_cnt(((const struct kp_ev_syscall *)event)->nr))
			cr_expect_null(cJSON_GetObjectItem(json, name), "%s", name);
		else
			check_json_field(json, event, &desc->fields[i]);
	}
	data = cJSON_GetObjectItem(json, "data");
	cr_expect_eq(data != NULL, desc->tail != KP_TAIL_NONE);
	if (desc->tail == KP_TAIL_BYTES)
		cr_expect_eq(strlen(data->valuestring), (kp_event_data_len(event) + 2) / 3 * 4);
	cJSON_Delete(json);
	kp_buf_done(&text);
}

static void check_text(const struct kp_hdr *event, const struct kp_event_desc *desc)
{
	struct kp_buf text = {0};

	kp_event_print_text(event, &(struct kp_print){.base_ns = 1}, &text);
	for (size_t i = 0; i < text.len; i++)
		cr_assert((unsigned char)text.data[i] >= 0x20 && text.data[i] != 0x7f);
	cr_assert_not_null(strstr(text.data, desc->name), "%s", text.data);
	kp_buf_done(&text);
}

/* Every length of event but the right one, and every damage that the header can show. */
static void check_refusals(const struct kp_hdr *event, const struct kp_event_desc *desc)
{
	struct kp_hdr *copy = malloc(event->size + 64);
	uint32_t end = desc->struct_len + kp_event_data_len(event);

	memcpy(copy, event, event->size);
	memset((char *)copy + event->size, 0, 64);
	for (uint32_t avail = 0; avail < event->size; avail++)
		cr_expect_eq(kp_event_validate(copy, avail, NULL), -EBADMSG);
	for (uint32_t size = 0; size <= event->size + 64; size++) {
		copy->size = size;
		cr_expect_eq(kp_event_validate(copy, event->size + 64, NULL),
			     size == event->size ? 0 : -EBADMSG, "size %u", size);
	}
	copy->size = event->size;
	for (; end < event->size; end++) {
		((char *)copy)[end] = 1;
		cr_expect_eq(kp_event_validate(copy, event->size, NULL), -EBADMSG);
		((char *)copy)[end] = 0;
	}
	for (const struct kp_field *f = desc->fields; f < desc->fields + desc->field_cnt; f++)
		if (f->type == KP_T_comm) {
			((char *)copy)[f->offset + KP_COMM_LEN - 1] = 'x';
			cr_expect_eq(kp_event_validate(copy, event->size, NULL), -EBADMSG);
			((char *)copy)[f->offset + KP_COMM_LEN - 1] = '\0';
		}
	copy->kind = KP_EV_END;
	cr_expect_eq(kp_event_validate(copy, event->size, NULL), -EBADMSG);
	free(copy);
}

static void check_kind(unsigned kind)
{
	const struct kp_event_desc *desc = kp_event_get(kind);
	const struct kp_hdr *event;
	struct kp_buf events = {0};
	struct kp_err err = {""};
	uint64_t rnd = kind + 1;

	cr_assert_not_null(desc);
	cr_assert_eq(kp_event_find(desc->name), desc);
	cr_assert_not_null(kp_group_name(desc->group));
	cr_assert_eq(kp_group_find(kp_group_name(desc->group)), desc->group);
	for (int i = 0; i < 300; i++)
		synth_event(&events, kind, 1000 + synth_random(&rnd) % 5000, 40, &rnd);
	for (size_t at = 0; at < events.len; at += event->size) {
		event = (const struct kp_hdr *)(events.data + at);
		cr_assert_eq(kp_event_validate(event, events.len - at, &err), 0, "%s", err.text);
		check_text(event, desc);
		check_json(event, desc);
	}
	check_refusals((const struct kp_hdr *)events.data, desc);
	check_codecs(&events);
	kp_buf_done(&events);
}

#define EVENT(number, name, group, tail, doc) \
	Test(kind, name)                      \
	{                                     \
		check_kind(KP_EV_##name);     \
	}
#define FIELD(event, type, name, ref, format, doc)
#define END(event)
#include "kprobe/events.def"
#undef EVENT
#undef FIELD
#undef END

Test(kinds, largest_tail)
{
	struct kp_ev_memory *ev = calloc(1, sizeof(*ev) + KP_DATA_MAX + 8);
	struct kp_buf events = {0};

	ev->hdr = (struct kp_hdr){.kind = KP_EV_memory, .size = sizeof(*ev) + KP_DATA_MAX};
	ev->data_len = KP_DATA_MAX;
	memset(ev + 1, 0xa5, KP_DATA_MAX);
	cr_assert_eq(kp_event_validate(ev, ev->hdr.size, NULL), 0);
	kp_buf_append(&events, ev, ev->hdr.size);
	check_codecs(&events);
	ev->data_len++;
	ev->hdr.size += 8;
	cr_assert_eq(kp_event_validate(ev, ev->hdr.size, NULL), -EBADMSG);
	kp_buf_done(&events);
	free(ev);
}
