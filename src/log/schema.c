/* SPDX-License-Identifier: MIT
 * A log's schema from its header text; see schema.h.
 */
#include "log/schema.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "event/event.h"
#include "event/kinds.h"
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
	[KP_T_addr] = {"addr", KP_ADDR_LEN},
};
#define FIELDS_MAX 4096 /* of all kinds together */
#define HDR_WORDS (sizeof(struct kp_hdr) / 8)
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

/* One [name, type] or [name, type, meaning]; names the field in *ret_name. */
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
	if (own && own->type != type &&
	    (kp_type_is_bytes(own->type) || kp_type_is_bytes((uint8_t)type)))
		own = NULL;
	*ret_field = (struct kp_schema_field){
		.type = (uint8_t)type,
		.to_type = own ? own->type : 0,
		.len = types[type].len,
		.is_time = format && !strcmp(format, "TIME") && type == KP_T_u64,
		.is_group = format && !strcmp(format, "GROUP") && !kp_type_is_bytes((uint8_t)type),
		.is_proc = format && !strcmp(format, "PROC") && type == KP_T_u32,
		.is_task = format && type == KP_T_u32 &&
			   (!strcmp(format, "TASK") || !strcmp(format, "NEXT")),
		.offset = (uint16_t)offset,
		.to_offset = own ? own->offset : KP_NO_PLACE,
	};
	*ret_name = name;
	return 0;
}

static bool means(const cJSON *row, const char *what)
{
	const char *meaning = cJSON_GetStringValue(cJSON_GetArrayItem(row, 2));

	return meaning && !strcmp(meaning, what);
}

/* Takes what a field says of its kind. */
static void note_meaning(const cJSON *row, const struct kp_schema_field *f,
			 struct kp_schema_kind *kind)
{
	uint8_t bit = (uint8_t)(KP_SCHEMA_HDR_BITS + kind->field_cnt);

	if (means(row, "KEY") && (f->type == KP_T_u16 || f->type == KP_T_u32) && !kind->key_bit)
		kind->key_bit = bit;
	if (means(row, "NEXT") && f->is_task && !kind->next_bit)
		kind->next_bit = bit;
}

/* Completes a kind whose fields are known: which are coded how, and what lies in which word. */
static void index_fields(struct kp_schema *schema, struct kp_schema_kind *kind)
{
	struct kp_schema_field *f = schema->fields + kind->first_field;
	unsigned bit = KP_SCHEMA_HDR_BITS, word;

	for (unsigned i = 0; i < kind->field_cnt; i++, f++, bit++) {
		f->is_proc = f->is_proc && i + 1u < kind->field_cnt && f[1].is_task;
		kind->times |= (uint64_t)f->is_time << bit;
		kind->procs |= (uint64_t)f->is_proc << bit;
		word = f->offset / 8;
		for (; word <= (f->offset + f->len - 1u) / 8; word++)
			schema->word_bits[kind->first_word + word - HDR_WORDS] |= 1ull << bit;
	}
}

static int parse_fields(const cJSON *rows, const struct kp_event_desc *desc,
			struct kp_schema *schema, struct kp_schema_kind *kind, unsigned *field_cnt)
{
	struct kp_schema_field *f = NULL;
	uint32_t offset = sizeof(struct kp_hdr), len;
	const char *name = "";
	const cJSON *row;
	int r;

	kind->first_field = (uint16_t)*field_cnt;
	kind->first_word = schema->word_cnt;
	cJSON_ArrayForEach(row, rows)
	{
		if (kind->field_cnt == KP_SCHEMA_FIELDS || *field_cnt == FIELDS_MAX)
			return -EBADMSG;
		f = &schema->fields[(*field_cnt)++];
		r = parse_field(row, desc, offset, f, &name);
		if (r < 0)
			return r;
		offset += f->len;
		note_meaning(row, f, kind);
		kind->field_cnt++;
	}
	if (offset % 8 || (kind->has_tail && (strcmp(name, "data_len") || f->type != KP_T_u32)))
		return -EBADMSG;
	len = (offset - (uint32_t)sizeof(struct kp_hdr)) / 8;
	if (schema->word_cnt + len > KP_SCHEMA_WORDS)
		return -EBADMSG;
	kind->word_cnt = (uint8_t)len;
	schema->word_cnt = (uint16_t)(schema->word_cnt + len);
	kind->struct_len = (uint16_t)offset;
	index_fields(schema, kind);
	return 0;
}

static bool has_group(const struct kp_schema *schema, const struct kp_schema_kind *kind)
{
	for (unsigned i = 0; i < kind->field_cnt; i++)
		if (schema->fields[kind->first_field + i].is_group)
			return true;
	return false;
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

/* Few logs have unknown names, and some have thousands of segments with a schema each. */
static int set_name(char ***names, unsigned number, const char *name)
{
	if (!*names)
		*names = calloc(KP_LOG_KINDS, sizeof(**names));
	if (!*names)
		return -ENOMEM;
	(*names)[number] = strdup(name);
	return (*names)[number] ? 0 : -ENOMEM;
}

static void free_names(char **names)
{
	for (unsigned i = 0; names && i < KP_LOG_KINDS; i++)
		free(names[i]);
	free(names);
}

static int parse_kind(const cJSON *row, struct kp_schema *schema, unsigned *field_cnt)
{
	const cJSON *number = cJSON_GetObjectItemCaseSensitive(row, "kind");
	const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(row, "name"));
	const char *tail = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(row, "tail"));
	const struct kp_event_desc *desc;
	struct kp_schema_kind *kind;
	bool is_alike;
	int n, r;

	if (!cJSON_IsNumber(number) || !name || !tail)
		return -EBADMSG;
	n = number->valueint;
	if (n < 1 || n >= (int)KP_LOG_KINDS || schema->kinds[n].known)
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
	} else {
		r = set_name(&schema->kind_names, (unsigned)n, name);
	}
	is_alike = is_same(schema, kind, n, desc);
	kind->is_same = is_alike && !has_group(schema, kind);
	schema->is_own = schema->is_own && is_alike;
	return r;
}

/* A group that the text does not name is none of ours either. */
static int parse_groups(const cJSON *names, struct kp_schema *schema)
{
	const char *name;
	const cJSON *row;
	unsigned i = 0;
	int group;

	memset(schema->to_group, KP_NO_GROUP, sizeof(schema->to_group));
	cJSON_ArrayForEach(row, names)
	{
		name = cJSON_GetStringValue(row);
		if (!name || i == KP_LOG_GROUPS)
			return -EBADMSG;
		group = kp_group_find(name);
		if (group >= 0)
			schema->to_group[i] = (uint8_t)group;
		else if (set_name(&schema->group_names, i, name) < 0)
			return -ENOMEM;
		schema->is_own = schema->is_own && group == (int)i;
		i++;
	}
	return 0;
}

static int parse_kinds(const cJSON *rows, struct kp_schema *schema, unsigned *field_cnt)
{
	const cJSON *row;
	int r = cJSON_IsArray(rows) ? 0 : -EBADMSG;

	cJSON_ArrayForEach(row, rows)
	{
		if (r >= 0)
			r = parse_kind(row, schema, field_cnt);
	}
	return r;
}

/* What is used of an allocation, in an allocation of its own: shrunk in place, it would leave a
 * hole beside it that nothing fits. */
static void *trim(void *all, size_t used_len)
{
	void *used = malloc(used_len);

	if (!used)
		return all;
	memcpy(used, all, used_len);
	free(all);
	return used;
}

/* Each segment has a schema, and a log may have thousands of segments. */
static void trim_fields(struct kp_schema *schema, unsigned field_cnt)
{
	schema->field_cnt = (uint16_t)field_cnt;
	schema->fields = trim(schema->fields, (field_cnt + 1) * sizeof(*schema->fields));
	schema->word_bits = trim(schema->word_bits, schema->word_cnt * sizeof(*schema->word_bits));
}

/* Of what was all zeros before it was filled; padding that differs would only keep two apart. */
static bool same(const void *a, const void *b, size_t len)
{
	return !memcmp(a, b, len);
}

/* With names of their own, which only a later version's schemas have, they count as different. */
static bool are_alike(const struct kp_schema *a, const struct kp_schema *b)
{
	return !a->kind_names && !b->kind_names && !a->group_names && !b->group_names &&
	       a->word_cnt == b->word_cnt && a->field_cnt == b->field_cnt &&
	       a->growth_max == b->growth_max && a->is_own == b->is_own &&
	       same(a->kinds, b->kinds, sizeof(a->kinds)) &&
	       same(a->to_group, b->to_group, sizeof(a->to_group)) &&
	       same(a->fields, b->fields, a->field_cnt * sizeof(*a->fields)) &&
	       same(a->word_bits, b->word_bits, a->word_cnt * sizeof(*a->word_bits));
}

struct kp_schema *kp_schema_share(struct kp_schema *before, struct kp_schema *next)
{
	if (!before || !next || !are_alike(before, next))
		return next;
	kp_schema_free(next);
	before->owner_cnt++;
	return before;
}

int kp_schema_parse(const char *text, size_t len, struct kp_schema **ret_schema, struct kp_err *err)
{
	struct kp_schema *schema = calloc(1, sizeof(*schema));
	unsigned field_cnt = 0;
	cJSON *root = NULL;
	int r = -ENOMEM;

	if (!schema)
		goto out;
	schema->fields = calloc(FIELDS_MAX, sizeof(*schema->fields));
	schema->word_bits = calloc(KP_SCHEMA_WORDS, sizeof(*schema->word_bits));
	schema->word_cnt = 1;
	schema->owner_cnt = 1;
	if (!schema->fields || !schema->word_bits)
		goto out;
	r = kp_log_json_read(text, len, &root);
	schema->is_own = true;
	if (r >= 0)
		r = parse_groups(cJSON_GetObjectItemCaseSensitive(root, "groups"), schema);
	if (r >= 0)
		r = parse_kinds(cJSON_GetObjectItemCaseSensitive(root, "schema"), schema,
				&field_cnt);
out:
	cJSON_Delete(root);
	if (r < 0) {
		kp_schema_free(schema);
		return kp_err_set(err, r,
				  r == -ENOMEM ? "out of memory"
					       : "the header's text holds no usable schema");
	}
	trim_fields(schema, field_cnt);
	*ret_schema = schema;
	return 0;
}

int kp_schema_own(struct kp_schema **ret_schema, struct kp_err *err)
{
	struct kp_buf text = {0};
	int r;

	kp_buf_puts(&text, "{\"groups\":");
	kp_event_print_groups(&text);
	kp_buf_puts(&text, ",\"schema\":");
	kp_event_print_schema(&text);
	kp_buf_putc(&text, '}');
	r = text.failed ? kp_err_set(err, -ENOMEM, "out of memory")
			: kp_schema_parse(text.data, text.len, ret_schema, err);
	kp_buf_done(&text);
	return r;
}

const char *kp_schema_kind_name(const struct kp_schema *schema, unsigned kind)
{
	return schema->kind_names ? schema->kind_names[kind] : NULL;
}

const char *kp_schema_group_name(const struct kp_schema *schema, unsigned group)
{
	return schema->group_names ? schema->group_names[group] : NULL;
}

uint32_t kp_schema_group(const struct kp_schema *schema, uint64_t group)
{
	if (group >= KP_LOG_GROUPS || schema->to_group[group] == KP_NO_GROUP)
		return KP_GROUP_UNKNOWN;
	return schema->to_group[group];
}

struct kp_set kp_schema_kinds(const struct kp_schema *schema, const struct kp_set *kinds,
			      bool *ret_has_others)
{
	struct kp_set own = {{0}};

	*ret_has_others = false;
	for (unsigned i = 0; i < KP_LOG_KINDS; i++) {
		if (!kp_set_has(kinds, i))
			continue;
		if (schema->kinds[i].to_kind)
			kp_set_add(&own, schema->kinds[i].to_kind);
		else
			*ret_has_others = true;
	}
	return own;
}

void kp_schema_free(struct kp_schema *schema)
{
	if (!schema || --schema->owner_cnt)
		return;
	free_names(schema->kind_names);
	free_names(schema->group_names);
	free(schema->fields);
	free(schema->word_bits);
	free(schema);
}
