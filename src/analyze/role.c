/* SPDX-License-Identifier: MIT
 * Names without their numbers; see role.h.
 */
#include "analyze/role.h"

#include <ctype.h>

/* The next character of a role, in which a number is one '0'; moves *at behind it. */
static char next_char(const char **at)
{
	char c = **at;

	if (!c)
		return c;
	(*at)++;
	if (!isdigit((unsigned char)c))
		return c;
	while (isdigit((unsigned char)**at))
		(*at)++;
	return '0';
}

bool kp_role_same(const char *a, const char *b)
{
	char c;

	do {
		c = next_char(&a);
		if (c != next_char(&b))
			return false;
	} while (c);
	return true;
}

/* FNV-1a, http://www.isthe.com/chongo/tech/comp/fnv/ */
static uint64_t role_hash(uint32_t pid, const char *comm)
{
	uint64_t hash = 0xcbf29ce484222325ull ^ pid;
	char c;

	while ((c = next_char(&comm)))
		hash = (hash ^ (unsigned char)c) * 0x100000001b3ull;
	return hash;
}

static const char *name_of(const struct kp_model *model, uint32_t task, uint64_t t_ns)
{
	const char *comm = kp_model_comm(model, task, t_ns);

	return comm ? comm : "";
}

uint32_t kp_role_first(const struct kp_model *model, struct kp_map *roles, uint32_t task,
		       uint64_t t_ns)
{
	const char *comm;
	uint64_t *first;
	uint32_t found;

	if (task >= model->tasks.cnt)
		return task;
	comm = name_of(model, task, t_ns);
	first = kp_map_upsert(roles, role_hash(model->tasks.at[task].pid, comm), task);
	found = first ? (uint32_t)*first : task;
	return model->tasks.at[found].pid == model->tasks.at[task].pid &&
			       kp_role_same(name_of(model, found, t_ns), comm)
		       ? found
		       : task;
}
