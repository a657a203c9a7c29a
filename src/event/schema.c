/* SPDX-License-Identifier: MIT
 * The descriptors as SQLite tables, and as the schema in a log's header.
 */
#include "event/event.h"

static const char *const type_names[] = {
	[KP_T_u8] = "u8",   [KP_T_u16] = "u16", [KP_T_u32] = "u32",   [KP_T_u64] = "u64",
	[KP_T_s32] = "s32", [KP_T_s64] = "s64", [KP_T_comm] = "comm", [KP_T_addr] = "addr",
};

static const char *const tail_names[] = {
	[KP_TAIL_NONE] = "NONE",
	[KP_TAIL_STR] = "STR",
	[KP_TAIL_ARGV] = "ARGV",
	[KP_TAIL_BYTES] = "BYTES",
};

/* Names are quoted: some are words of SQL. */
void kp_event_print_ddl(struct kp_buf *out)
{
	const struct kp_event_desc *desc;

	for (unsigned kind = 0; kind < KP_EV_END; kind++) {
		desc = kp_event_get(kind);
		if (!desc)
			continue;
		kp_buf_printf(out,
			      "CREATE TABLE ev_%s (\n\ttime_ns INTEGER NOT NULL,\n"
			      "\tcpu INTEGER NOT NULL,\n\tpid INTEGER NOT NULL,\n"
			      "\ttid INTEGER NOT NULL",
			      desc->name);
		for (unsigned i = 0; i < desc->field_cnt; i++)
			kp_buf_printf(out, ",\n\t\"%s\" %s NOT NULL", desc->fields[i].name,
				      kp_type_is_bytes(desc->fields[i].type) ? "TEXT" : "INTEGER");
		if (desc->tail != KP_TAIL_NONE)
			kp_buf_printf(out, ",\n\tdata %s NOT NULL",
				      desc->tail == KP_TAIL_STR ? "TEXT" : "BLOB");
		kp_buf_puts(out, "\n);\n");
	}
}

void kp_event_print_groups(struct kp_buf *out)
{
	for (unsigned i = 0; i < KP_GROUP_CNT; i++)
		kp_buf_printf(out, "%s\"%s\"", i ? "," : "[", kp_group_name(i));
	kp_buf_putc(out, ']');
}

/* What a reader must know of a field's numbers. */
static const char *meaning(const struct kp_field *field)
{
	switch (field->format) {
	case KP_F_TIME:
		return ",\"TIME\"";
	case KP_F_GROUP:
		return ",\"GROUP\"";
	case KP_F_SYSNR:
		return ",\"KEY\"";
	default:
		break;
	}
	switch (field->ref) {
	case KP_REF_PROC:
		return ",\"PROC\"";
	case KP_REF_TASK:
		return ",\"TASK\"";
	case KP_REF_NEXT:
		return ",\"NEXT\"";
	default:
		return "";
	}
}

void kp_event_print_schema(struct kp_buf *out)
{
	const struct kp_event_desc *desc;
	const char *sep = "[";

	for (unsigned kind = 0; kind < KP_EV_END; kind++) {
		desc = kp_event_get(kind);
		if (!desc)
			continue;
		kp_buf_printf(out, "%s\n{\"kind\":%u,\"name\":\"%s\",\"tail\":\"%s\",\"fields\":[",
			      sep, kind, desc->name, tail_names[desc->tail]);
		for (unsigned i = 0; i < desc->field_cnt; i++)
			kp_buf_printf(out, "%s[\"%s\",\"%s\"%s]", i ? "," : "",
				      desc->fields[i].name, type_names[desc->fields[i].type],
				      meaning(&desc->fields[i]));
		kp_buf_puts(out, "]}");
		sep = ",";
	}
	kp_buf_puts(out, "\n]");
}
