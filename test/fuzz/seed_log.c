/* SPDX-License-Identifier: MIT
 * Writes first inputs for fuzz_log to a folder: a small segment of each codec, in each of its
 * modes.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "../log/synth.h"
#include "log/codec.h"
#include "log/segment.h"

static void write_seed(const char *dir, enum kp_codec codec, char mode)
{
	struct kp_seg_hdr seg = {.len = sizeof(seg)};
	struct kp_buf text = {0}, events = {0};
	struct kp_encoder *encoder;
	struct kp_block_hdr block;
	struct kp_encoded enc;
	uint64_t rnd = codec + 1;
	/* What fuzz_log changes in the index: nothing; its seal tells of one block. */
	static const unsigned char wish[16] = {255, 255, 0,   255, 255, 0, 255,
					       255, 0,   255, 255, 0,   1, 3};
	struct iovec iov[6];
	char path[512];
	int fd;

	kp_buf_puts(&text, "{\"run\":\"1\",\"groups\":");
	kp_event_print_groups(&text);
	kp_buf_puts(&text, ",\"schema\":");
	kp_event_print_schema(&text);
	kp_buf_putc(&text, '}');
	for (unsigned kind = 1; kind < KP_EV_END; kind++)
		synth_event(&events, kind, 10 * kind, 10, &rnd);
	if (kp_encoder_new(codec, &encoder, NULL) < 0 ||
	    kp_encode(encoder, events.data, events.len, &enc, NULL) < 0)
		exit(1);
	seg.text_len = (uint32_t)text.len;
	block = (struct kp_block_hdr){.codec = (kp_u8)enc.codec,
				      .first_ns = enc.first_ns,
				      .last_ns = enc.last_ns,
				      .event_cnt = enc.event_cnt,
				      .raw_len = (uint32_t)events.len,
				      .stored_len = enc.len,
				      .kinds = enc.kinds};
	iov[0] = (struct iovec){&mode, 1};
	iov[1] = (struct iovec){&seg, sizeof(seg)};
	iov[2] = (struct iovec){text.data, text.len};
	iov[3] = (struct iovec){&block, sizeof(block)};
	iov[4] = (struct iovec){(void *)enc.data, enc.len};
	iov[5] = (struct iovec){(void *)wish, sizeof(wish)};
	snprintf(path, sizeof(path), "%s/codec%d-mode%d", dir, codec, mode);
	fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0 || kp_seg_write(fd, iov, 6, 0) < 0) {
		perror(path);
		exit(1);
	}
	close(fd);
	kp_encoder_free(encoder);
	kp_buf_done(&text);
	kp_buf_done(&events);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: seed_log FOLDER\n");
		return 2;
	}
	for (enum kp_codec codec = KP_CODEC_RAW; codec <= KP_CODEC_DELTA_ZSTD; codec++)
		for (char mode = 0; mode < 8; mode++)
			write_seed(argv[1], codec, mode);
	return 0;
}
