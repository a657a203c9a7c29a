/* SPDX-License-Identifier: MIT
 *
 * From a run of events to the stored bytes of a block and back. codec.c describes the encoding.
 */
#ifndef KP_LOG_CODEC_H
#define KP_LOG_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "kprobe/log_format.h"
#include "log/schema.h"

struct kp_encoder;
struct kp_decoder;

/* What kp_encode found out; data is valid until the encoder's next use. */
struct kp_encoded {
	const void *data;
	uint32_t len;
	enum kp_codec codec; /* plainer than asked for when that is shorter */
	uint32_t event_cnt;
	uint64_t first_ns; /* smallest and largest time */
	uint64_t last_ns;
	struct kp_set kinds;
	struct kp_set tids; /* as kp_block_hdr has them */
};

int kp_encoder_new(enum kp_codec codec, struct kp_encoder **ret_encoder, struct kp_err *err);
void kp_encoder_free(struct kp_encoder *encoder);

/* -EINVAL when the len bytes are not a run of whole events, or none; -E2BIG above the maximum. */
int kp_encode(struct kp_encoder *encoder, const void *events, size_t len,
	      struct kp_encoded *ret_encoded, struct kp_err *err);

int kp_decoder_new(struct kp_decoder **ret_decoder, struct kp_err *err);
void kp_decoder_free(struct kp_decoder *decoder);

/* What kp_decode is told by the block's header, and tells. */
struct kp_decode {
	enum kp_codec codec;
	uint32_t raw_len;
	uint32_t event_cnt;
	uint64_t first_ns;
	uint64_t last_ns;
	struct kp_set kinds;  /* no other may occur */
	uint32_t unknown_cnt; /* result: events of kinds that this program does not have, … */
	uint32_t *unknown; /* … added to these KP_LOG_KINDS counts, by the log's number; or NULL
			    */
};

/*
 * Decodes stored bytes, which are not trusted, into out (which is emptied first): events in this
 * program's layout, each valid, those of unknown kinds left out. 0; -EBADMSG with err set when the
 * bytes are not what the header says; -ENOMEM. Memory is bounded by the header's raw_len, which
 * must not exceed KP_BLOCK_RAW_MAX, and the schema's growth.
 */
int kp_decode(struct kp_decoder *decoder, const struct kp_schema *schema, struct kp_decode *block,
	      const void *stored, size_t stored_len, struct kp_buf *out, struct kp_err *err);

#endif
