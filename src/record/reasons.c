/* SPDX-License-Identifier: MIT
 * Names of reasons from the kernel's BTF; see reasons.h.
 */
#include "record/reasons.h"

#include <bpf/btf.h>
#include <errno.h>
#include <string.h>

#define NUMBER_MAX 1024 /* beyond are those of subsystems, and masks */

static const struct {
	const char *type;
	const char *prefix; /* of its names */
} enumerations[KP_REASON_CNT] = {
	[KP_REASON_DROP] = {"skb_drop_reason", "SKB_DROP_REASON_"},
	[KP_REASON_RESET] = {"sk_rst_reason", "SK_RST_REASON_"},
};

/* The names by their numbers; the last one of a number counts. Returns how many numbers there are.
 */
static unsigned sort(const struct btf *btf, const struct btf_type *type,
		     const char *names[NUMBER_MAX])
{
	const struct btf_enum *value = btf_enum(type);
	unsigned cnt = 0;

	for (unsigned i = 0; i < btf_vlen(type); i++, value++) {
		if (value->val < 0 || value->val >= NUMBER_MAX)
			continue;
		names[value->val] = btf__name_by_offset(btf, value->name_off);
		if ((unsigned)value->val >= cnt)
			cnt = (unsigned)value->val + 1;
	}
	return cnt;
}

static void read_names(const struct btf *btf, enum kp_reason_of what, struct kp_buf *out)
{
	int id = btf__find_by_name_kind(btf, enumerations[what].type, BTF_KIND_ENUM);
	const char *prefix = enumerations[what].prefix, *names[NUMBER_MAX] = {NULL}, *name;
	unsigned cnt = id > 0 ? sort(btf, btf__type_by_id(btf, (unsigned)id), names) : 0;

	for (unsigned i = 0; i < cnt; i++) {
		name = names[i] ? names[i] : "";
		if (!strncmp(name, prefix, strlen(prefix)))
			name += strlen(prefix);
		kp_buf_append(out, name, strlen(name) + 1);
	}
}

int kp_reasons_read(struct kp_reasons *reasons)
{
	struct btf *btf = btf__load_vmlinux_btf();
	bool failed = false;

	if (!btf)
		return errno == ENOMEM ? -ENOMEM : 0;
	for (int what = 0; what < KP_REASON_CNT; what++) {
		read_names(btf, (enum kp_reason_of)what, &reasons->names[what]);
		failed |= reasons->names[what].failed;
	}
	btf__free(btf);
	return failed ? -ENOMEM : 0;
}

void kp_reasons_put(const struct kp_reasons *reasons, const struct kp_sink *sink)
{
	struct kp_ev_reason_names ev = {.what = 0};

	for (; ev.what < KP_REASON_CNT; ev.what++) {
		const struct kp_buf *names = &reasons->names[ev.what];

		if (names->len)
			kp_sink_put(sink, KP_EV_reason_names, &ev, sizeof(ev), names->data,
				    names->len);
	}
}

void kp_reasons_done(struct kp_reasons *reasons)
{
	for (int what = 0; what < KP_REASON_CNT; what++)
		kp_buf_done(&reasons->names[what]);
}
