/* SPDX-License-Identifier: MIT
 *
 * Which spans of a file of traces an incident means.
 */
#ifndef KP_ANALYZE_FIND_H
#define KP_ANALYZE_FIND_H

#include "analyze/incident.h"
#include "analyze/traces.h"
#include "base/map.h"

struct kp_found {
	KP_VEC(uint32_t) spans; /* indexes into traces->spans, the longest first */
	uint32_t copies;        /* of them were left out: the same span again */
};

/*
 * By --trace (and --span), else by --attribute, else by the incident's id: a trace's id, the value
 * of an attribute, or the first digits of a trace's id. Errors: -ENOENT (err says what else is in
 * the file, and what was left out of it), -ENOMEM. ret_found is to be ended in any case.
 */
int kp_find_spans(const struct kp_incident *what, const struct kp_traces *traces,
		  struct kp_found *ret_found, struct kp_err *err);
void kp_found_done(struct kp_found *found);

/* Whether a copy of the span was asked for before; remembers it. *ret_code: -ENOMEM. */
bool kp_span_seen(struct kp_map *seen, const struct kp_span *span, int *ret_code);

#endif
