/* SPDX-License-Identifier: MIT
 *
 * Descriptors of the kinds and fields of events.def, and validation by them. Everything here is
 * generated from the table by including it: a new row needs no change.
 */
#include "event/event.h"

#include <errno.h>
#include <string.h>

#define EVENT(number, name, group, tail, doc) static const struct kp_field fields_##name[] = {
#define FIELD(event, type, name, ref, format, doc) \
	{#name,                                    \
	 doc,                                      \
	 offsetof(struct kp_ev_##event, name),     \
	 KP_T_##type,                              \
	 sizeof(KP_TYPE_##type),                   \
	 KP_REF_##ref,                             \
	 KP_F_##format},
#define END(event) \
	}          \
	;
#include "kprobe/events.def"
#undef EVENT
#undef FIELD
#undef END

static const struct kp_event_desc descs[KP_EV_END] = {
#define EVENT(number, name, group, tail, doc)                                          \
	[number] = {#name, doc, number, sizeof(struct kp_ev_##name), KP_GROUP_##group, \
		    KP_TAIL_##tail, sizeof(fields_##name) / sizeof(fields_##name[0]),  \
		    fields_##name, 0
#define FIELD(event, type, name, ref, format, doc) +(KP_T_##type == KP_T_comm)
#define END(event) \
	}          \
	,
#include "kprobe/events.def"
#undef EVENT
#undef FIELD
#undef END
};

static const char *const groups[KP_GROUP_CNT] = {
#define X(name, number, shared, when) [number] = #name,
	KP_GROUPS(X)
#undef X
};

static const char *const tiers[KP_TIER_CNT] = {
#define X(name, number, text) [number] = #name,
	KP_TIERS(X)
#undef X
};

static const char *const tier_texts[KP_TIER_CNT] = {
#define X(name, number, text) [number] = text,
	KP_TIERS(X)
#undef X
};

const struct kp_event_desc *kp_event_get(unsigned kind)
{
	return kind < KP_EV_END && descs[kind].name ? &descs[kind] : NULL;
}

const struct kp_event_desc *kp_event_find(const char *name)
{
	for (unsigned i = 0; i < KP_EV_END; i++)
		if (descs[i].name && !strcmp(descs[i].name, name))
			return &descs[i];
	return NULL;
}

const char *kp_group_name(unsigned group)
{
	return group < KP_GROUP_CNT ? groups[group] : NULL;
}

const char *kp_tier_name(unsigned tier)
{
	return tier < KP_TIER_CNT ? tiers[tier] : NULL;
}

const char *kp_tier_text(unsigned tier)
{
	return tier < KP_TIER_CNT ? tier_texts[tier] : NULL;
}

int kp_group_find(const char *name)
{
	for (int i = 0; i < KP_GROUP_CNT; i++)
		if (!strcmp(groups[i], name))
			return i;
	return -ENOENT;
}

uint64_t kp_event_value(const struct kp_hdr *event, const struct kp_field *field)
{
	const char *at = (const char *)event + field->offset;

	switch (field->type) {
	case KP_T_u8:
		return *(const kp_u8 *)at;
	case KP_T_u16:
		return *(const kp_u16 *)at;
	case KP_T_u32:
		return *(const kp_u32 *)at;
	case KP_T_s32:
		return (uint64_t)(int64_t) * (const kp_s32 *)at;
	case KP_T_u64:
	case KP_T_s64:
		return *(const kp_u64 *)at;
	}
	return 0;
}

uint64_t kp_event_sock(const struct kp_hdr *event)
{
	const struct kp_event_desc *desc = kp_event_get(event->kind);

	for (unsigned i = 0; desc && i < desc->field_cnt; i++)
		if (desc->fields[i].format == KP_F_SOCK)
			return kp_event_value(event, &desc->fields[i]);
	return 0;
}

bool kp_event_reason(const struct kp_hdr *event, unsigned *ret_what, uint32_t *ret_number)
{
	const struct kp_event_desc *desc = kp_event_get(event->kind);
	const struct kp_field *f = desc ? desc->fields : NULL;

	for (unsigned i = 0; desc && i < desc->field_cnt; i++, f++) {
		if (f->format != KP_F_DROP && f->format != KP_F_RESET)
			continue;
		*ret_what = f->format == KP_F_DROP ? KP_REASON_DROP : KP_REASON_RESET;
		*ret_number = (uint32_t)kp_event_value(event, f);
		return *ret_number != KP_REASON_UNTOLD;
	}
	return false;
}

uint32_t kp_event_data_len(const struct kp_hdr *event)
{
	const struct kp_event_desc *desc = kp_event_get(event->kind);

	if (!desc || desc->tail == KP_TAIL_NONE)
		return 0;
	return (uint32_t)kp_event_value(event, &desc->fields[desc->field_cnt - 1]);
}

static int check_tail(const struct kp_hdr *event, const struct kp_event_desc *desc,
		      struct kp_err *err)
{
	uint32_t len = kp_event_data_len(event), end;

	if (len > KP_DATA_MAX)
		return kp_err_set(err, -EBADMSG, "%s event: data_len %u is above %u", desc->name,
				  len, KP_DATA_MAX);
	end = desc->struct_len + len;
	if (event->size != KP_ALIGN8(end))
		return kp_err_set(err, -EBADMSG, "%s event: size %u does not fit data_len %u",
				  desc->name, event->size, len);
	for (; end < event->size; end++)
		if (((const unsigned char *)event)[end])
			return kp_err_set(err, -EBADMSG, "%s event: padding is not zero",
					  desc->name);
	return 0;
}

int kp_event_validate(const void *event, size_t avail, struct kp_err *err)
{
	const struct kp_hdr *hdr = event;
	const struct kp_event_desc *desc;
	const struct kp_field *f;
	int r;

	if (avail < sizeof(*hdr))
		return kp_err_set(err, -EBADMSG, "event header needs %zu bytes, %zu are there",
				  sizeof(*hdr), avail);
	desc = kp_event_get(hdr->kind);
	if (!desc)
		return kp_err_set(err, -EBADMSG, "event kind %u is unknown", hdr->kind);
	if (hdr->size > avail || hdr->size < desc->struct_len)
		return kp_err_set(err, -EBADMSG, "%s event: size %u, struct %u, available %zu",
				  desc->name, hdr->size, desc->struct_len, avail);
	if (desc->tail == KP_TAIL_NONE && hdr->size != desc->struct_len)
		return kp_err_set(err, -EBADMSG, "%s event: size %u instead of %u", desc->name,
				  hdr->size, desc->struct_len);
	r = desc->tail == KP_TAIL_NONE ? 0 : check_tail(hdr, desc, err);
	for (f = desc->fields; desc->comm_cnt && r >= 0 && f < desc->fields + desc->field_cnt; f++)
		if (f->type == KP_T_comm && ((const char *)event)[f->offset + KP_COMM_LEN - 1])
			r = kp_err_set(err, -EBADMSG, "%s event: %s is not ended by NUL",
				       desc->name, f->name);
	return r;
}
