/* SPDX-License-Identifier: MIT
 * A log's schema from its header text; see schema.h.
 */
#include "log/schema.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "event/event.h"
#include "log/json.h"

static const struct {
	const char *name;
	uint8_t len;
} types[] = {
	[KP_T_u8] = {"u8", 1},
	[KP_T_u16] = {"u16", 2},
	[KP_T_u32] = {"u32", 4},
	[KP_T_u64] = {"u64", 8},
	[KP_T_s32] = {"s32", 4},
	[KP_T_s64] = {"s64", 8},
	[KP_T_comm] = {"comm", KP_COMM_LEN},
};
#define TYPE_CNT ((int)(sizeof(types) / sizeof(types[0])))

static int type_find(const char *name)
{
	for (int i = 0; i < TYPE_CNT; i++)
		if (name && !strcmp(types[i].name, name))
			return i;
	return -1;
}

static const struct kp_field *own_field(const struct kp_event_desc *desc, const char *name)
{
	for (unsigned i = 0; desc && i < desc->field_cnt; i++)
		if (!strcmp(desc->fields[i].name, name))
			return &desc->fields[i];
	return NULL;
}

/* One [name, type] or [name, type, "TIME"]; names the field in *ret_name. */
static int parse_field(const cJSON *row, const struct kp_event_desc *desc, uint32_t offset,
		       struct kp_schema_field *ret_field, const char **ret_name)
{
	const char *name = cJSON_GetStringValue(cJSON_GetArrayItem(row, 0));
	const char *format = cJSON_GetStringValue(cJSON_GetArrayItem(row, 2));
	int type = type_find(cJSON_GetStringValue(cJSON_GetArrayItem(row, 1)));
	const struct kp_field *own;

	if (!name || type < 0)
		return -EBADMSG;
	own = own_field(desc, name);
	if (own && (own->type == KP_T_comm) != (type == KP_T_comm))
		own = NULL;
	*ret_field = (struct kp_schema_field){
		.type = (uint8_t)type,
		.to_type = own ? own->type : 0,
		.is_time = format && !strcmp(format, "TIME") && type == KP_T_u64,
		.offset = (uint16_t)offset,
		.to_offset = own ? own->offset : KP_NO_PLACE,
	};
	*ret_name = name;
	return 0;
}

static int parse_fields(const cJSON *rows, const struct kp_event_desc *desc,
			struct kp_schema *schema, struct kp_schema_kind *kind, unsigned *field_cnt)
{
	struct kp_schema_field *f = NULL;
	uint32_t offset = sizeof(struct kp_hdr), slots = schema->slot_cnt;
	const char *name = "";
	const cJSON *row;
	int r;

	kind->first_field = (uint16_t)*field_cnt;
	kind->first_slot = schema->slot_cnt;
	cJSON_ArrayForEach(row, rows)
	{
		if (kind->field_cnt == KP_SCHEMA_FIELDS || slots + 2 > KP_SCHEMA_SLOTS)
			return -EBADMSG;
		f = &schema->fields[(*field_cnt)++];
		r = parse_field(row, desc, offset, f, &name);
		if (r < 0)
			return r;
		offset += types[f->type].len;
		slots += f->type == KP_T_comm ? 2 : 1;
		kind->field_cnt++;
	}
	if (offset % 8 || (kind->has_tail && (strcmp(name, "data_len") || f->type != KP_T_u32)))
		return -EBADMSG;
	schema->slot_cnt = (uint16_t)slots;
	kind->struct_len = (uint16_t)offset;
	return 0;
}

/* Whether the kind lies in the log exactly as in this program. */
static bool is_same(const struct kp_schema *schema, const struct kp_schema_kind *kind, int number,
		    const struct kp_event_desc *desc)
{
	const struct kp_schema_field *f = schema->fields + kind->first_field;

	if (!desc || kind->to_kind != number || kind->struct_len != desc->struct_len ||
	    kind->field_cnt != desc->field_cnt)
		return false;
	for (unsigned i = 0; i < kind->field_cnt; i++)
		if (f[i].offset != f[i].to_offset || f[i].type != f[i].to_type)
			return false;
	return true;
}

static int parse_kind(const cJSON *row, struct kp_schema *schema, unsigned *field_cnt)
{
	const cJSON *number = cJSON_GetObjectItemCaseSensitive(row, "kind");
	const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(row, "name"));
	const char *tail = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(row, "tail"));
	const struct kp_event_desc *desc;
	struct kp_schema_kind *kind;
	int n, r;

	if (!cJSON_IsNumber(number) || !name || !tail)
		return -EBADMSG;
	n = number->valueint;
	if (n < 1 || n >= KP_SCHEMA_KINDS || schema->kinds[n].known)
		return -EBADMSG;
	desc = kp_event_find(name);
	kind = &schema->kinds[n];
	kind->known = true;
	kind->has_tail = strcmp(tail, "NONE");
	if (desc && (desc->tail != KP_TAIL_NONE) != kind->has_tail)
		desc = NULL; /* another thing of the same name */
	r = parse_fields(cJSON_GetObjectItemCaseSensitive(row, "fields"), desc, schema, kind,
			 field_cnt);
	if (r < 0)
		return r;
	if (desc) {
		kind->to_kind = desc->kind;
		kind->to_struct_len = desc->struct_len;
		if (desc->struct_len > kind->struct_len + schema->growth_max)
			schema->growth_max = desc->struct_len - kind->struct_len;
	}
	schema->is_own = schema->is_own && is_same(schema, kind, n, desc);
	return 0;
}

/* Each segment has a schema, and a log may have thousands of segments. */
static void shrink_fields(struct kp_schema *schema, unsigned field_cnt)
{
	struct kp_schema_field *fields;

	fields = realloc(schema->fields, (field_cnt + 1) * sizeof(*fields));
	if (fields)
		schema->fields = fields;
}

int kp_schema_parse(const char *text, size_t len, struct kp_schema **ret_schema, struct kp_err *err)
{
	struct kp_schema *schema = calloc(1, sizeof(*schema));
	const cJSON *rows, *row;
	unsigned field_cnt = 0;
	cJSON *root = NULL;
	int r = -ENOMEM;

	if (!schema)
		goto out;
	schema->fields = calloc(KP_SCHEMA_SLOTS, sizeof(*schema->fields));
	if (!schema->fields)
		goto out;
	r = kp_log_json_read(text, len, &root);
	rows = cJSON_GetObjectItemCaseSensitive(root, "schema");
	if (r >= 0 && !cJSON_IsArray(rows))
		r = -EBADMSG;
	if (r < 0)
		goto out;
	schema->is_own = true;
	cJSON_ArrayForEach(row, rows)
	{
		r = parse_kind(row, schema, &field_cnt);
		if (r < 0)
			break;
	}
out:
	cJSON_Delete(root);
	if (r < 0) {
		kp_schema_free(schema);
		return kp_err_set(err, r,
				  r == -ENOMEM ? "out of memory"
					       : "the header's text holds no usable schema");
	}
	shrink_fields(schema, field_cnt);
	*ret_schema = schema;
	return 0;
}

int kp_schema_own(struct kp_schema **ret_schema, struct kp_err *err)
{
	struct kp_buf text = {0};
	int r;

	kp_buf_puts(&text, "{\"schema\":");
	kp_event_print_schema(&text);
	kp_buf_putc(&text, '}');
	r = text.failed ? kp_err_set(err, -ENOMEM, "out of memory")
			: kp_schema_parse(text.data, text.len, ret_schema, err);
	kp_buf_done(&text);
	return r;
}

void kp_schema_free(struct kp_schema *schema)
{
	if (!schema)
		return;
	free(schema->fields);
	free(schema);
}
