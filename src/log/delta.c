/* SPDX-License-Identifier: MIT
 * The state of a block that is delta coded, and its predictions; see delta_in.h.
 */
#include <errno.h>
#include <stdlib.h>

#include "log/delta_in.h"

int kp_delta_new(bool is_encoder, struct kp_delta **ret_delta)
{
	struct kp_delta *d = calloc(1, sizeof(*d));

	for (int i = 0; d && is_encoder && i < KP_DELTA_COLUMNS; i++) {
		d->columns[i].data = malloc(KP_DELTA_MAX(KP_BLOCK_RAW_MAX));
		if (!d->columns[i].data) {
			kp_delta_free(d);
			d = NULL;
		}
	}
	if (!d)
		return -ENOMEM;
	*ret_delta = d;
	return 0;
}

void kp_delta_free(struct kp_delta *d)
{
	for (int i = 0; d && i < KP_DELTA_COLUMNS; i++)
		free(d->columns[i].data);
	free(d);
}

void kp_delta_reset(struct kp_delta *d, const struct kp_schema *schema)
{
	d->schema = schema;
	memset(&d->hdr, 0, sizeof(d->hdr));
	d->next_tid = 0;
	d->bits = d->bit_cnt = 0;
	d->shape_cnt = 0;
	memset(d->buckets, KP_DELTA_SHAPE_ALONE, sizeof(d->buckets));
	memset(d->procs, 0, sizeof(d->procs));
	memset(d->contexts, 0, sizeof(d->contexts));
	memset(d->words, 0, schema->word_cnt * sizeof(d->words[0]));
	d->context_cnt = 0;
	d->word_cnt = schema->word_cnt;
}

/* The context's place, or the free one where it would be. */
static struct kp_delta_context *find_context(struct kp_delta *d, unsigned kind, uint32_t key,
					     uint32_t tid, bool is_any)
{
	uint64_t hash = ((uint64_t)tid << 32 ^ (uint64_t)key << 16 ^ kind << 1 ^ is_any) *
			0x9e3779b97f4a7c15u;
	unsigned i = hash >> 53;
	struct kp_delta_context *c;

	for (;; i = (i + 1) % KP_DELTA_CONTEXT_BUCKETS) {
		c = &d->contexts[i];
		if (!c->is_used ||
		    (c->key == key && c->tid == tid && c->kind == kind && c->is_any == is_any))
			return c;
	}
}

/* Begins a context as a copy of the last of its kind and key. */
static uint64_t *add_context(struct kp_delta *d, struct kp_delta_context *c, unsigned kind,
			     uint32_t key, uint32_t tid)
{
	unsigned word_cnt = d->schema->kinds[kind].word_cnt;
	uint64_t *words = d->words + d->word_cnt;
	struct kp_delta_context *last;

	*c = (struct kp_delta_context){.kind = (uint8_t)kind,
				       .key = key,
				       .tid = tid,
				       .word = (uint16_t)d->word_cnt,
				       .is_used = true};
	last = find_context(d, kind, key, 0, true);
	if (last->is_used)
		memcpy(words, d->words + last->word, word_cnt * sizeof(*words));
	else
		memset(words, 0, word_cnt * sizeof(*words));
	*last = *c;
	last->tid = 0;
	last->is_any = true;
	d->context_cnt++;
	d->word_cnt += word_cnt;
	return words;
}

uint64_t *kp_delta_words(struct kp_delta *d, unsigned number, uint32_t key, uint32_t tid)
{
	const struct kp_schema_kind *kind = &d->schema->kinds[number];
	struct kp_delta_context *c;

	if (!kind->word_cnt)
		return d->words;
	c = find_context(d, number, key, tid, false);
	if (c->is_used)
		return d->words + c->word;
	if (d->context_cnt == KP_DELTA_CONTEXTS ||
	    d->word_cnt + kind->word_cnt > KP_SCHEMA_WORDS + KP_DELTA_CONTEXT_WORDS)
		return d->words + kind->first_word;
	return add_context(d, c, number, key, tid);
}
