/* SPDX-License-Identifier: MIT
 *
 * Fuzzes the reader, the verification, and what dump prints, with one segment in memory. Configure
 * with -DKP_FUZZ=ON and clang, then
 *
 *   seed_log CORPUS && fuzz_log -max_len=65536 CORPUS
 *
 * The first byte of the input says what is made of the rest:
 *   bit 0  the checksums, lengths, magics and the salt are put right, so that what lies behind
 *          them is reached
 *   bit 1  the header text is this program's schema instead of the input's
 *   bit 2  with bit 0: an index and a seal stand behind, whose hashes are right; the index is the
 *          blocks' headers, of which the input's last 16 bytes say what is changed
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "event/names.h"
#include "log/reader.h"
#include "log/segment.h"
#include "log/verify.h"

#define FIX_SUMS 1
#define OWN_TEXT 2
#define WITH_SEAL 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void own_text(struct kp_buf *out)
{
	kp_buf_puts(out, "{\"run\":\"1\",\"groups\":");
	kp_event_print_groups(out);
	kp_buf_puts(out, ",\"schema\":");
	kp_event_print_schema(out);
	kp_buf_putc(out, '}');
}

/* Copies the blocks of the input with all that guards them put right. */
static struct kp_hash fix_blocks(const uint8_t *data, size_t len, struct kp_hash prev,
				 struct kp_buf *out, struct kp_buf *heads)
{
	union kp_block_head head;
	struct kp_block_hdr *hdr = &head.hdr;

	for (uint64_t number = 0; len >= sizeof(*hdr); number++) {
		memcpy(hdr, data, sizeof(*hdr));
		hdr->len = (kp_u16)(sizeof(*hdr) + 8u * (hdr->lost_cnt + hdr->reserved % 4));
		if (hdr->len > len)
			hdr->len = sizeof(*hdr), hdr->lost_cnt = 0;
		memcpy(hdr + 1, data + sizeof(*hdr), hdr->len - sizeof(*hdr));
		data += hdr->len;
		len -= hdr->len;
		hdr->magic = KP_BLOCK_MAGIC;
		hdr->salt = 1;
		hdr->sequence = number;
		if (hdr->stored_len > len)
			hdr->stored_len = (uint32_t)len;
		hdr->prev = prev;
		hdr->payload = kp_seg_hash(data, hdr->stored_len);
		kp_block_head_seal(&head);
		prev = kp_seg_hash(&head, hdr->len);
		kp_buf_append(out, &head, hdr->len);
		kp_buf_append(heads, &head, hdr->len);
		kp_buf_append(out, data, hdr->stored_len);
		data += hdr->stored_len;
		len -= hdr->stored_len;
	}
	return prev;
}

/* Appends the index, with up to four of its bytes changed, and the seal. */
static void put_seal(const uint8_t *wish, struct kp_hash prev, struct kp_buf *heads,
		     struct kp_buf *out)
{
	struct kp_seg_seal seal = {.salt = 1,
				   .last_ns = UINT64_MAX,
				   .prev = prev,
				   .len = sizeof(seal),
				   .magic = KP_END_MAGIC};
	size_t at;

	for (int i = 0; i < 4; i++) {
		at = (size_t)(wish[3 * i] << 8 | wish[3 * i + 1]);
		if (at < heads->len)
			heads->data[at] ^= (char)wish[3 * i + 2];
	}
	seal.block_cnt = wish[12];
	seal.reason = wish[13] % 8;
	seal.index_len = (kp_u32)heads->len;
	seal.headers_len = (kp_u32)heads->len + wish[14] % 4;
	seal.index = kp_seg_hash(heads->data, heads->len);
	memset(&seal.kinds, 0xff, sizeof(seal.kinds));
	kp_seg_seal_seal(&seal);
	kp_buf_append(out, heads->data, heads->len);
	kp_buf_append(out, &seal, sizeof(seal));
}

static void fix_segment(const uint8_t *data, size_t len, unsigned mode, struct kp_buf *out)
{
	const uint8_t *wish = data + len - 16; /* a header is longer */
	struct kp_buf text = {0}, heads = {0};
	struct kp_hash prev;
	union kp_seg_head head;
	struct kp_seg_hdr *hdr = &head.hdr;

	memcpy(hdr, data, sizeof(*hdr));
	data += sizeof(*hdr);
	len -= sizeof(*hdr);
	if (hdr->text_len > len)
		hdr->text_len = (uint32_t)len;
	if (mode & OWN_TEXT)
		own_text(&text);
	else
		kp_buf_append(&text, data, hdr->text_len);
	data += hdr->text_len;
	len -= hdr->text_len;
	hdr->magic = KP_SEG_MAGIC;
	hdr->version = KP_LOG_VERSION;
	hdr->len = sizeof(*hdr);
	hdr->salt = 1;
	hdr->text_len = (uint32_t)text.len;
	hdr->text = kp_seg_hash(text.data, text.len);
	kp_seg_head_seal(&head);
	kp_buf_append(out, hdr, sizeof(*hdr));
	kp_buf_append(out, text.data, text.len);
	prev = fix_blocks(data, len, kp_seg_hash(hdr, sizeof(*hdr)), out, &heads);
	if (mode & WITH_SEAL && heads.len)
		put_seal(wish, prev, &heads, out);
	kp_buf_done(&heads);
	kp_buf_done(&text);
}

/* Prints as dump does, with names and texts; nothing that a terminal would obey may come of it. */
static void print(const struct kp_hdr *event, const struct kp_names *names, struct kp_buf *text)
{
	struct kp_print how = {.base_ns = 1,
			       .comm = kp_names_get(names, event->tid),
			       .sock = kp_names_sock(names, event)};

	if (event->kind == KP_EV_syscall)
		how.texts = kp_names_texts(names, (const struct kp_ev_syscall *)event);
	kp_buf_reset(text);
	kp_event_print_text(event, &how, text);
	kp_event_print_json(event, &how, text);
	for (size_t i = 0, n; i < text->len; i += n) {
		n = kp_text_plain(text->data + i, text->len - i);
		if (!n)
			abort();
	}
}

/* Reads all twice, and prints all: what is delivered must be valid. */
static void read_all(const char *path)
{
	struct kp_log_reader *reader;
	struct kp_names names = {0};
	const struct kp_hdr *event;
	struct kp_buf text = {0};

	if (kp_log_open(path, NULL, &reader, NULL) < 0)
		return;
	for (int pass = 0; pass < 2; pass++) {
		while (kp_log_next(reader, &event, NULL) == 1) {
			if (kp_event_validate(event, event->size, NULL) < 0)
				abort();
			print(event, &names, &text);
			if (kp_names_add(&names, event) < 0)
				abort();
		}
		kp_log_rewind(reader, NULL);
	}
	kp_names_done(&names);
	kp_buf_done(&text);
	kp_log_reader_free(reader);
}

static void tell(void *arg, enum kp_verify_grade grade, const char *where, const char *what)
{
	(void)arg;
	(void)grade;
	if (!*where || !*what)
		abort();
}

static void verify(const char *path)
{
	struct kp_verify_options options = {.tell = tell};
	struct kp_verified verified;

	kp_verify(path, &options, &verified, NULL);
}

/* A file in memory that has a name: a log is opened by its folder's. */
static char path[32];

static void remove_path(void)
{
	unlink(path);
}

static void make_path(void)
{
	int fd;

	strcpy(path, "/dev/shm/fuzz-log-XXXXXX");
	fd = mkstemp(path);
	if (fd < 0)
		abort();
	close(fd);
	atexit(remove_path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct kp_buf file = {0};
	struct iovec iov;
	int fd;

	if (len < 1 + sizeof(struct kp_seg_hdr))
		return 0;
	if (data[0] & FIX_SUMS)
		fix_segment(data + 1, len - 1, data[0], &file);
	else
		kp_buf_append(&file, data + 1, len - 1);
	if (!path[0])
		make_path();
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	iov = (struct iovec){file.data, file.len};
	if (fd < 0 || kp_seg_write(fd, &iov, 1, 0) < 0)
		abort();
	close(fd);
	read_all(path);
	verify(path);
	kp_buf_done(&file);
	return 0;
}
