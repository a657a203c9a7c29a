/* SPDX-License-Identifier: MIT
 *
 * Payment card numbers in bytes of any kind, and how they are masked: all digits but the first six
 * and the last four become '*' (PCI DSS 4.0, 3.4.1), so that the length stays.
 *
 * A number is 13 to 19 digits (ISO/IEC 7812-1) that begin as an issuer's numbers do and have the
 * length of that issuer's (card.c has the table), and whose last digit is the check digit (Luhn).
 * It stands in one piece, or in groups as cards show them, with the same separator between all: a
 * space, '-', '+' or "%20" (both a space in URLs). No digit stands before or behind it, but for
 * that of a URL's escape ("%22"). Digits within 32 or more hexadecimal ones are a hash, no number.
 * One byte for each character, or two of which one is zero (UTF-16, either order).
 *
 * The time is bounded by the length of the bytes, whatever they are, and no memory is taken.
 */
#ifndef KP_BASE_CARD_H
#define KP_BASE_CARD_H

#include <stddef.h>
#include <stdint.h>

#define KP_CARD_MASK '*'
#define KP_CARD_LEN_MAX 19 /* digits */

/* Which numbers issuers give: those whose first six digits lie between two, with some lengths. */
struct kp_card_issuer {
	uint32_t from, to;
	uint32_t lens; /* bit n: n digits */
	const char *names;
};
extern const struct kp_card_issuer kp_card_issuers[];
extern const size_t kp_card_issuer_cnt;

/* Nothing farther away than so many bytes decides whether a byte is masked. */
#define KP_CARD_REACH 80u

/*
 * Bytes that are a part of more: what stands at that end may go on where it is not seen. There,
 * what may be the begin of a number is masked from its seventh digit on; of what may be the end of
 * one, if it has five digits or more, all but the last four.
 */
enum { KP_CARD_CUT_BEGIN = 1, KP_CARD_CUT_END = 2 };

/* Masks in place; cut: KP_CARD_CUT_ bits. Returns how many bytes are masked that were not. */
size_t kp_card_mask(unsigned char *data, size_t len, unsigned cut);

/* The same where only the bytes from `from` up to `to` are to be changed. */
size_t kp_card_mask_part(unsigned char *data, size_t len, size_t from, size_t to, unsigned cut);

/* The end of what went before of bytes that come in pieces; zeros: nothing did. */
struct kp_card_stream {
	uint8_t len;
	unsigned char tail[KP_CARD_REACH]; /* as it was, not as it was masked */
};

/*
 * Masks the next piece, of which earlier ones are out of reach: a number that began in those is
 * masked here, one that may end in a later piece as at KP_CARD_CUT_END (in cut). A number is found
 * too if it would stand alone without what went before, since that may belong to something else.
 */
size_t kp_card_mask_next(struct kp_card_stream *stream, unsigned char *data, size_t len,
			 unsigned cut);

#endif
