/* SPDX-License-Identifier: MIT
 *
 * Ingest of sockets. Events name them by a number, and what that means is told by an event of its
 * own, which may come later, or be lost. Invariants kept here:
 *  - what is told of a socket holds for all its life: an end that was not known becomes known;
 *  - a number that is told with other ends (a datagram socket that was connected anew) is another
 *    socket from there on;
 *  - a socket without a telling has no ends, and no other end.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "analyze/ingest.h"

#define SIDES_MAX 4096 /* places of a list that are looked at */
#define NEXT(m, i, member) (*(uint32_t *)((char *)&(m)->socks.at[i] + (member)))

uint64_t kp_sock_end_hash(const kp_addr addr, uint16_t port)
{
	uint64_t words[2];

	memcpy(words, addr, sizeof(words));
	return ((words[0] ^ port) * 0x9e3779b97f4a7c15u ^ words[1]) * 0xc2b2ae3d27d4eb4fu;
}

static uint64_t ends_hash(uint64_t local, uint64_t remote)
{
	return local * 0x9e3779b97f4a7c15u ^ remote;
}

uint64_t kp_ends_hash(const struct kp_ends *ends)
{
	return ends_hash(kp_sock_end_hash(ends->laddr, ends->lport),
			 kp_sock_end_hash(ends->raddr, ends->rport));
}

/* --- lists of sockets that are alike --- */

static int link_sock(struct kp_model *m, struct kp_map *map, uint64_t hash, uint32_t i,
		     size_t member)
{
	uint64_t *first = kp_map_upsert(map, hash, KP_NONE);

	if (!first)
		return -ENOMEM;
	NEXT(m, i, member) = (uint32_t)*first;
	*first = i;
	return 0;
}

static void unlink_sock(struct kp_model *m, struct kp_map *map, uint64_t hash, uint32_t i,
			size_t member)
{
	uint64_t *first = kp_map_get(map, hash);
	uint32_t at;

	if (!first)
		return;
	at = (uint32_t)*first;
	if (at == i)
		*first = NEXT(m, i, member);
	for (; at != KP_NONE; at = NEXT(m, at, member))
		if (NEXT(m, at, member) == i) {
			NEXT(m, at, member) = NEXT(m, i, member);
			return;
		}
}

static uint64_t local_hash(const struct kp_sock *s)
{
	return kp_sock_end_hash(s->laddr, s->lport);
}

static uint64_t remote_hash(const struct kp_sock *s)
{
	return kp_sock_end_hash(s->raddr, s->rport);
}

static void forget_ends(struct kp_model *m, uint32_t i)
{
	const struct kp_sock *s = &m->socks.at[i];
	uint64_t remote = remote_hash(s);

	unlink_sock(m, &m->ends_map, ends_hash(local_hash(s), remote), i,
		    offsetof(struct kp_sock, next));
	unlink_sock(m, &m->remote_map, remote, i, offsetof(struct kp_sock, next_remote));
}

/* An address of this host. */
static int add_local(struct kp_model *m, const kp_addr addr)
{
	struct kp_local local;
	uint64_t *first;

	if (kp_addr_is_any(addr) || kp_model_has_local(m, addr))
		return 0;
	first = kp_map_upsert(&m->local_map, kp_sock_end_hash(addr, 0), KP_NONE);
	if (!first)
		return -ENOMEM;
	memcpy(local.addr, addr, KP_ADDR_LEN);
	local.next = (uint32_t)*first;
	*first = m->locals.cnt;
	return KP_VEC_PUSH(&m->locals, local);
}

static int keep_ends(struct kp_model *m, uint32_t i)
{
	struct kp_sock *s = &m->socks.at[i];
	uint64_t remote = remote_hash(s);

	if (link_sock(m, &m->ends_map, ends_hash(local_hash(s), remote), i,
		      offsetof(struct kp_sock, next)) < 0 ||
	    link_sock(m, &m->remote_map, remote, i, offsetof(struct kp_sock, next_remote)) < 0 ||
	    add_local(m, s->laddr) < 0)
		return -ENOMEM;
	s->remote = i;
	for (uint32_t other = s->next_remote; s->rport && other != KP_NONE;
	     other = m->socks.at[other].next_remote)
		if (m->socks.at[other].rport == s->rport &&
		    kp_addr_same(m->socks.at[other].raddr, s->raddr)) {
			s->remote = m->socks.at[other].remote;
			break;
		}
	return 0;
}

/* --- numbers --- */

static int sock_new(struct kp_model *m, uint64_t number, uint32_t *ret_sock)
{
	struct kp_sock sock = {
		.number = number, .next = KP_NONE, .next_remote = KP_NONE, .peer = KP_NONE};

	sock.remote = m->socks.cnt;
	if (KP_VEC_PUSH(&m->socks, sock) < 0 ||
	    kp_map_put(&m->sock_map, number, m->socks.cnt - 1) < 0)
		return -ENOMEM;
	*ret_sock = m->socks.cnt - 1;
	return 0;
}

int kp_model_sock_get(struct kp_model *m, uint64_t number, uint32_t *ret_sock)
{
	const uint64_t *known = kp_map_get(&m->sock_map, number);

	if (!known)
		return sock_new(m, number, ret_sock);
	*ret_sock = (uint32_t)*known;
	return 0;
}

static bool end_fits(const kp_addr a, uint16_t a_port, const kp_addr b, uint16_t b_port)
{
	return (!a_port || !b_port || a_port == b_port) &&
	       (kp_addr_is_any(a) || kp_addr_is_any(b) || kp_addr_same(a, b));
}

/* Whether what is told can be of this socket. */
static bool may_be(const struct kp_sock *s, const struct kp_ev_socket *e)
{
	return !s->is_told || (s->obj == e->obj && s->netns == e->netns &&
			       end_fits(s->laddr, s->lport, e->laddr, e->lport) &&
			       end_fits(s->raddr, s->rport, e->raddr, e->rport));
}

/* The socket that the event tells: by its number, or by its inode, which it went by before it had
 * a cookie. */
static int find_told(struct kp_model *m, const struct kp_ev_socket *e, uint32_t *ret_sock)
{
	const uint64_t *known = kp_map_get(&m->sock_map, e->sock);

	if (known && may_be(&m->socks.at[*known], e)) {
		*ret_sock = (uint32_t)*known;
		return 0;
	}
	if (!known && e->ino)
		known = kp_map_get(&m->sock_map, KP_SOCK_INO + e->ino);
	else
		known = NULL;
	if (!known || !may_be(&m->socks.at[*known], e))
		return sock_new(m, e->sock, ret_sock);
	*ret_sock = (uint32_t)*known;
	return kp_map_put(&m->sock_map, e->sock, *known);
}

/* What is known stays known: a connection that has ended has no port any more. */
static void learn_end(kp_addr addr, uint16_t *port, const kp_addr told_addr, uint16_t told_port)
{
	if (!kp_addr_is_any(told_addr) || !*port)
		memcpy(addr, told_addr, KP_ADDR_LEN);
	if (told_port)
		*port = told_port;
}

/* Who connects knows the other end before that has an inode; who accepts knows both. */
static int link_unix(struct kp_model *m, uint32_t i, uint64_t peer_ino)
{
	struct kp_sock *s = &m->socks.at[i];
	const uint64_t *peer;

	if (s->ino && kp_map_put(&m->unix_map, s->ino, i) < 0)
		return -ENOMEM;
	s->peer_ino = peer_ino ? peer_ino : s->peer_ino;
	peer = s->peer_ino ? kp_map_get(&m->unix_map, s->peer_ino) : NULL;
	if (!peer)
		return 0;
	s->peer = (uint32_t)*peer;
	m->socks.at[*peer].peer = i;
	return 0;
}

int kp_model_on_socket(struct kp_model *m, const struct kp_hdr *hdr)
{
	const struct kp_ev_socket *e = (const void *)hdr;
	struct kp_sock *s;
	uint32_t i;

	if (!e->sock)
		return 0;
	if (find_told(m, e, &i) < 0)
		return -ENOMEM;
	s = &m->socks.at[i];
	if (s->is_told)
		forget_ends(m, i);
	s->is_told = true;
	s->obj = e->obj;
	s->ino = e->ino ? e->ino : s->ino;
	s->netns = e->netns;
	learn_end(s->laddr, &s->lport, e->laddr, e->lport);
	learn_end(s->raddr, &s->rport, e->raddr, e->rport);
	if (s->obj == KP_OBJ_unix && link_unix(m, i, e->peer_ino) < 0)
		return -ENOMEM;
	return keep_ends(m, i);
}

/* --- connections whose addresses are rewritten on the way --- */

static struct kp_ends ends_of(const kp_addr laddr, uint16_t lport, const kp_addr raddr,
			      uint16_t rport)
{
	struct kp_ends ends = {.lport = lport, .rport = rport};

	memcpy(ends.laddr, laddr, KP_ADDR_LEN);
	memcpy(ends.raddr, raddr, KP_ADDR_LEN);
	return ends;
}

static bool same_ends(const struct kp_ends *a, const struct kp_ends *b)
{
	return a->lport == b->lport && a->rport == b->rport && kp_addr_same(a->laddr, b->laddr) &&
	       kp_addr_same(a->raddr, b->raddr);
}

/* The newest translation at or behind a place of a list that has these ends; KP_NONE: none, or not
 * within so many. */
static uint64_t find_side(const struct kp_model *m, uint64_t at, const struct kp_ends *ends,
			  uint8_t obj)
{
	const struct kp_translated *t;

	for (uint32_t n = 0; at != KP_NONE && n < SIDES_MAX; n++, at = t->next[at % 2]) {
		t = &m->translated.at[at / 2];
		if (t->obj == obj && same_ends(&t->side[at % 2], ends))
			return at;
	}
	return KP_NONE;
}

static uint64_t first_side(const struct kp_model *m, const struct kp_ends *ends, uint8_t obj)
{
	const uint64_t *first = kp_map_get(&m->translated_map, kp_ends_hash(ends));

	return find_side(m, first ? *first : KP_NONE, ends, obj);
}

static const struct kp_ends *other_side(const struct kp_model *m, uint64_t at)
{
	return &m->translated.at[at / 2].side[1 - at % 2];
}

static int link_side(struct kp_model *m, uint32_t i, uint32_t side)
{
	struct kp_translated *t = &m->translated.at[i];
	uint64_t *first = kp_map_upsert(&m->translated_map, kp_ends_hash(&t->side[side]), KP_NONE);

	if (!first)
		return -ENOMEM;
	t->next[side] = (uint32_t)*first;
	*first = i * 2ull + side;
	return 0;
}

int kp_model_on_translation(struct kp_model *m, const struct kp_hdr *hdr)
{
	const struct kp_ev_translation *e = (const void *)hdr;
	struct kp_translated t = {
		.t_ns = hdr->time_ns,
		.side = {ends_of(e->client_laddr, e->client_lport, e->client_raddr,
				 e->client_rport),
			 ends_of(e->server_laddr, e->server_lport, e->server_raddr,
				 e->server_rport)},
		.obj = e->protocol == IPPROTO_UDP ? KP_OBJ_udp : KP_OBJ_tcp,
	};
	uint64_t known = first_side(m, &t.side[0], t.obj);

	/* Each segment tells again of those that there are. */
	if (known != KP_NONE && same_ends(other_side(m, known), &t.side[1]))
		return 0;
	if (m->translated.cnt >= KP_NONE / 2 || KP_VEC_PUSH(&m->translated, t) < 0 ||
	    link_side(m, m->translated.cnt - 1, 0) < 0 ||
	    link_side(m, m->translated.cnt - 1, 1) < 0)
		return -ENOMEM;
	return 0;
}

/* In time the same ends belong to one connection after another; the newest are first. */
static uint64_t side_at(const struct kp_model *m, const struct kp_ends *ends, uint8_t obj,
			uint64_t t_ns)
{
	uint64_t at = first_side(m, ends, obj), before;

	for (uint32_t n = 0; at != KP_NONE && n < SIDES_MAX &&
			     m->translated.at[at / 2].t_ns > t_ns + KP_TRANSLATED_LATE_NS;
	     n++)
		at = find_side(m, m->translated.at[at / 2].next[at % 2], ends, obj);
	if (at == KP_NONE || m->translated.at[at / 2].t_ns <= t_ns)
		return at;
	if (m->translated.at[at / 2].t_ns > t_ns + KP_TRANSLATED_LATE_NS)
		return KP_NONE; /* too many came since */
	/* It is told a while after its begin: until then the one before may still hold. */
	before = find_side(m, m->translated.at[at / 2].next[at % 2], ends, obj);
	return before == KP_NONE || same_ends(other_side(m, at), other_side(m, before)) ? at
											: KP_NONE;
}

struct kp_ends kp_model_other_ends(const struct kp_model *model, const struct kp_sock *sock,
				   uint64_t t_ns)
{
	struct kp_ends own = ends_of(sock->laddr, sock->lport, sock->raddr, sock->rport);
	uint64_t at = side_at(model, &own, sock->obj, t_ns);

	return at != KP_NONE ? *other_side(model, at)
			     : ends_of(sock->raddr, sock->rport, sock->laddr, sock->lport);
}
