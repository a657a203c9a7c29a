/* SPDX-License-Identifier: MIT
 *
 * Events as text for people and as JSON for programs, both generic over the descriptors. Only a
 * system call's text has a form of its own (kp_syscall_print).
 */
#include <inttypes.h>
#include <string.h>

#include "base/text.h"
#include "event/addr.h"
#include "event/event.h"
#include "event/origin.h"
#include "event/syscall.h"

static const char *const obj_names[] = {
#define X(name, number) [number] = #name,
	KP_OBJS(X)
#undef X
};

/* include/net/tcp_states.h of Linux */
static const char *const tcp_states[] = {
	[1] = "ESTABLISHED", [2] = "SYN_SENT",  [3] = "SYN_RECV", [4] = "FIN_WAIT1",
	[5] = "FIN_WAIT2",   [6] = "TIME_WAIT", [7] = "CLOSE",    [8] = "CLOSE_WAIT",
	[9] = "LAST_ACK",    [10] = "LISTEN",   [11] = "CLOSING", [12] = "NEW_SYN_RECV",
};

static const char *const retransmit_names[] = {
#define X(name, number) [number] = #name,
	KP_RETRANSMITS(X)
#undef X
};

static const char *const ctx_names[] = {"hardirq", "softirq", "nmi",   "timer",
					"block",   "net",     "thread"};

/* Letters of the task state bits from bit 0; include/linux/sched.h of Linux. */
static const char state_letters[] = "SDTtXZPXKWNn";
#define TASK_IDLE 0x402u /* a kernel thread that sleeps without counting as load */

static const char *name_of(const char *const *names, size_t cnt, uint64_t value)
{
	return value < cnt ? names[value] : NULL;
}
#define NAME_OF(names, value) name_of(names, sizeof(names) / sizeof(names[0]), value)

static void print_name(const char *name, int64_t value, struct kp_buf *out)
{
	if (name)
		kp_buf_puts(out, name);
	else
		kp_buf_printf(out, "%" PRId64, value);
}

static void print_time(uint64_t time_ns, const struct kp_print *how, struct kp_buf *out)
{
	uint64_t base_ns = how->base_ns;
	uint64_t ns = time_ns < base_ns ? base_ns - time_ns : time_ns - base_ns;

	if (how->time) {
		how->time(time_ns, how->arg, out);
		return;
	}
	kp_buf_printf(out, "%s%" PRIu64 ".%09" PRIu64, time_ns < base_ns ? "-" : "",
		      ns / 1000000000, ns % 1000000000);
}

static void print_state(uint64_t value, struct kp_buf *out)
{
	uint64_t rest = value;

	if (value == 0 || value == TASK_IDLE) {
		kp_buf_putc(out, value ? 'I' : 'R');
		return;
	}
	for (unsigned i = 0; i < sizeof(state_letters) - 1; i++)
		if (value & 1u << i) {
			kp_buf_putc(out, state_letters[i]);
			rest &= ~(1ull << i);
		}
	if (rest)
		kp_buf_printf(out, "+0x%" PRIx64, rest);
}

static void print_ctx(uint64_t value, struct kp_buf *out)
{
	const char *sep = "";

	if (!value)
		kp_buf_puts(out, "task");
	for (unsigned i = 0; i < sizeof(ctx_names) / sizeof(ctx_names[0]); i++)
		if (value & 1u << i) {
			kp_buf_printf(out, "%s%s", sep, ctx_names[i]);
			sep = "|";
			value &= ~(1ull << i);
		}
	if (value)
		kp_buf_printf(out, "%s0x%" PRIx64, sep, value);
}

static void print_error(int64_t value, struct kp_buf *out)
{
	const char *name = value < 0 && value > -4096 ? kp_errno_name((int)-value) : NULL;

	if (name)
		kp_buf_printf(out, "-%s", name);
	else
		kp_buf_printf(out, "%" PRId64, value);
}

/* Strings that each end with NUL, as quoted words in brackets. */
static void print_argv(const char *data, size_t len, struct kp_buf *out)
{
	size_t n;

	kp_buf_putc(out, '[');
	for (size_t i = 0; i < len; i += n + 1) {
		n = strnlen(data + i, len - i);
		if (i)
			kp_buf_putc(out, ' ');
		kp_text_quote(out, data + i, n);
	}
	kp_buf_putc(out, ']');
}

/* The name of a number of that format; NULL: it has none. */
static const char *value_name(uint64_t v, enum kp_format format, const struct kp_print *how)
{
	switch (format) {
	case KP_F_SIG:
		return kp_signal_name((int)v);
	case KP_F_OBJ:
		return NAME_OF(obj_names, v);
	case KP_F_TCPSTATE:
		return NAME_OF(tcp_states, v);
	case KP_F_RETRANSMIT:
		return NAME_OF(retransmit_names, v);
	case KP_F_DROP:
	case KP_F_RESET:
		return how->reason;
	case KP_F_GROUP:
		return kp_group_name((unsigned)v);
	default:
		return NULL;
	}
}

static void print_value(const struct kp_hdr *event, const struct kp_field *field,
			const struct kp_print *how, struct kp_buf *out)
{
	uint64_t v = kp_event_value(event, field);
	const char *comm = (const char *)event + field->offset;

	switch ((enum kp_format)field->format) {
	case KP_F_DEC:
	case KP_F_SOCK:
	case KP_F_NS:
	case KP_F_BYTES:
	case KP_F_PORT:
		if (field->type == KP_T_u64)
			kp_buf_printf(out, "%" PRIu64, v);
		else
			kp_buf_printf(out, "%" PRId64, (int64_t)v);
		break;
	case KP_F_HEX:
		kp_buf_printf(out, "0x%" PRIx64, v);
		break;
	case KP_F_TIME:
		print_time(v, how, out);
		break;
	case KP_F_IP:
		kp_addr_print((const kp_u8 *)comm, out);
		break;
	case KP_F_ERR:
		print_error((int64_t)v, out);
		break;
	case KP_F_SYSNR:
		kp_buf_puts(out, kp_syscall_name((unsigned)v));
		break;
	case KP_F_STATE:
		print_state(v, out);
		break;
	case KP_F_SIG:
	case KP_F_OBJ:
	case KP_F_TCPSTATE:
	case KP_F_RETRANSMIT:
	case KP_F_DROP:
	case KP_F_RESET:
	case KP_F_GROUP:
		print_name(value_name(v, (enum kp_format)field->format, how), (int64_t)v, out);
		break;
	case KP_F_CTX:
		print_ctx(v, out);
		break;
	case KP_F_COMM:
		kp_text_quote(out, comm, strnlen(comm, KP_COMM_LEN));
		break;
	}
}

/* Fields that say nothing: padding, objects that the event does not have, and that nothing of it is
 * masked. */
static bool is_omitted(const struct kp_hdr *event, const struct kp_field *f)
{
	if (f->type == KP_T_addr)
		return kp_addr_is_any((const kp_u8 *)event + f->offset);
	if (f->format == KP_F_SYSNR && kp_event_value(event, f) == KP_NR_NONE)
		return true;
	if ((f->format == KP_F_DROP || f->format == KP_F_RESET) &&
	    kp_event_value(event, f) == KP_REASON_UNTOLD)
		return true;
	if (f->type == KP_T_comm || kp_event_value(event, f))
		return false;
	return event->kind == KP_EV_syscall || f->format == KP_F_OBJ ||
	       !strncmp(f->name, "pad", 3) || !strcmp(f->name, "masked") || f->ref == KP_REF_SOCK ||
	       f->ref == KP_REF_FILE || f->ref == KP_REF_RQ;
}

/* Whether a field of a socket is shown with an event that names the socket: what it has not itself
 * of the ends and inodes. */
static bool is_joined(const struct kp_event_desc *desc, const struct kp_field *f)
{
	if (f->ref != KP_REF_SOCK && f->ref != KP_REF_FILE)
		return false;
	for (unsigned i = 0; i < desc->field_cnt; i++)
		if (!strcmp(desc->fields[i].name, f->name))
			return false;
	return true;
}

static void print_joined(const struct kp_event_desc *desc, const struct kp_print *how,
			 struct kp_buf *out)
{
	const struct kp_event_desc *of = kp_event_get(KP_EV_socket);

	for (const struct kp_field *f = of->fields; f < of->fields + of->field_cnt; f++)
		if (is_joined(desc, f) && !is_omitted(&how->sock->hdr, f)) {
			kp_buf_printf(out, " %s=", f->name);
			print_value(&how->sock->hdr, f, how, out);
		}
}

/* What kp_syscall_print has shown already. */
static bool is_in_call(const struct kp_field *f)
{
	return f->format == KP_F_SYSNR || f->format == KP_F_ERR || !strncmp(f->name, "arg", 3);
}

/* Bytes of a tail are shown up to here; JSON has them all. */
#define TEXT_DATA_MAX 64u

static void print_data(const struct kp_hdr *event, const struct kp_event_desc *desc,
		       struct kp_buf *out)
{
	uint32_t len = kp_event_data_len(event), shown = len;
	const unsigned char *data = (const unsigned char *)event + desc->struct_len;

	kp_buf_puts(out, " data=");
	if (desc->tail == KP_TAIL_ARGV) {
		print_argv((const char *)data, len, out);
		return;
	}
	if (desc->tail == KP_TAIL_STR) {
		kp_text_quote(out, (const char *)data, len);
		return;
	}
	if (shown > TEXT_DATA_MAX)
		shown = TEXT_DATA_MAX;
	for (uint32_t i = 0; i < shown; i++)
		kp_buf_printf(out, "%02x", data[i]);
	if (shown < len)
		kp_buf_puts(out, "...");
}

static void print_call(const struct kp_hdr *event, const struct kp_print *how, struct kp_buf *out)
{
	kp_buf_putc(out, ' ');
	kp_syscall_print((const struct kp_ev_syscall *)event, how->texts, out);
}

void kp_event_print_text(const struct kp_hdr *event, const struct kp_print *how, struct kp_buf *out)
{
	const struct kp_event_desc *desc = kp_event_get(event->kind);
	const struct kp_field *f;

	print_time(event->time_ns, how, out);
	if (event->cpu == KP_CPU_USER)
		kp_buf_puts(out, " user");
	else
		kp_buf_printf(out, " cpu%u", event->cpu);
	if (!desc) {
		kp_buf_printf(out, " kind%u", event->kind);
		return;
	}
	kp_buf_printf(out, " %s %u/%u", desc->name, event->pid, event->tid);
	if (how->comm) {
		kp_buf_putc(out, ' ');
		kp_text_quote(out, how->comm, strnlen(how->comm, KP_COMM_LEN));
	}
	if (how->origin && how->origin->of) {
		kp_buf_puts(out, " in \"");
		kp_origin_print(how->origin, out);
		kp_buf_putc(out, '"');
	}
	if (event->kind == KP_EV_syscall)
		print_call(event, how, out);
	for (f = desc->fields; f < desc->fields + desc->field_cnt; f++) {
		if (is_omitted(event, f) || (event->kind == KP_EV_syscall && is_in_call(f)))
			continue;
		kp_buf_printf(out, " %s=", f->name);
		print_value(event, f, how, out);
		if (f->format == KP_F_SOCK && how->sock)
			print_joined(desc, how, out);
	}
	if (desc->tail != KP_TAIL_NONE)
		print_data(event, desc, out);
}

static void print_base64(const unsigned char *data, size_t len, struct kp_buf *out)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	char *at = kp_buf_reserve(out, (len + 2) / 3 * 4);
	uint32_t v;

	if (!at)
		return;
	for (size_t i = 0; i < len; i += 3, out->len += 4) {
		v = (uint32_t)data[i] << 16;
		v |= i + 1 < len ? (uint32_t)data[i + 1] << 8 : 0;
		v |= i + 2 < len ? data[i + 2] : 0;
		*at++ = digits[v >> 18];
		*at++ = digits[v >> 12 & 63];
		*at++ = i + 1 < len ? digits[v >> 6 & 63] : '=';
		*at++ = i + 2 < len ? digits[v & 63] : '=';
	}
	*at = '\0';
}

static void print_json_argv(const char *data, size_t len, struct kp_buf *out)
{
	size_t n;

	kp_buf_putc(out, '[');
	for (size_t i = 0; i < len; i += n + 1) {
		n = strnlen(data + i, len - i);
		if (i)
			kp_buf_putc(out, ',');
		kp_buf_json(out, data + i, n);
	}
	kp_buf_putc(out, ']');
}

static void print_json_data(const struct kp_hdr *event, const struct kp_event_desc *desc,
			    struct kp_buf *out)
{
	const char *data = (const char *)event + desc->struct_len;
	uint32_t len = kp_event_data_len(event);

	kp_buf_puts(out, ",\"data\":");
	if (desc->tail == KP_TAIL_STR) {
		kp_buf_json(out, data, len);
	} else if (desc->tail == KP_TAIL_ARGV) {
		print_json_argv(data, len, out);
	} else {
		kp_buf_putc(out, '"');
		print_base64((const unsigned char *)data, len, out);
		kp_buf_putc(out, '"');
	}
}

static void print_json_value(const struct kp_hdr *event, const struct kp_field *f,
			     struct kp_buf *out)
{
	uint64_t v = kp_event_value(event, f);
	const char *comm = (const char *)event + f->offset;

	kp_buf_printf(out, ",\"%s\":", f->name);
	if (f->type == KP_T_comm) {
		kp_buf_json(out, comm, strnlen(comm, KP_COMM_LEN));
	} else if (f->type == KP_T_addr) {
		kp_buf_putc(out, '"');
		kp_addr_print((const kp_u8 *)comm, out);
		kp_buf_putc(out, '"');
	} else if (f->type == KP_T_s32 || f->type == KP_T_s64) {
		kp_buf_printf(out, "%" PRId64, (int64_t)v);
	} else {
		kp_buf_printf(out, "%" PRIu64, v);
	}
	if (f->format == KP_F_SYSNR && v != KP_NR_NONE)
		kp_buf_printf(out, ",\"call\":\"%s\"", kp_syscall_name((unsigned)v));
}

/* Number of the argument that the field is, or -1. */
static int arg_of(const struct kp_hdr *event, const struct kp_field *f)
{
	return event->kind == KP_EV_syscall && !strncmp(f->name, "arg", 3) ? f->name[3] - '0' : -1;
}

static void print_json_joined(const struct kp_event_desc *desc, const struct kp_ev_socket *sock,
			      struct kp_buf *out)
{
	const struct kp_event_desc *of = kp_event_get(KP_EV_socket);

	for (const struct kp_field *f = of->fields; f < of->fields + of->field_cnt; f++)
		if (is_joined(desc, f))
			print_json_value(&sock->hdr, f, out);
}

static void print_json_field(const struct kp_hdr *event, const struct kp_field *f,
			     const struct kp_print *how, struct kp_buf *out)
{
	const struct kp_ev_syscall *call = (const struct kp_ev_syscall *)event;
	int arg = arg_of(event, f);

	if (arg >= 0 && (unsigned)arg >= kp_syscall_arg_cnt(call->nr))
		return;
	print_json_value(event, f, out);
	if ((f->format == KP_F_DROP || f->format == KP_F_RESET) && how->reason) {
		kp_buf_puts(out, ",\"reason_name\":");
		kp_buf_json(out, how->reason, strlen(how->reason));
	}
	if (f->format == KP_F_SOCK && how->sock)
		print_json_joined(kp_event_get(event->kind), how->sock, out);
	if (arg >= 0 && how->texts && how->texts->at[arg].data) {
		kp_buf_printf(out, ",\"arg%d_text\":", arg);
		kp_buf_json(out, how->texts->at[arg].data, how->texts->at[arg].len);
	}
}

static void print_json_origin(const struct kp_origin *origin, struct kp_buf *out)
{
	struct kp_buf where = {0};

	if (origin->exe) {
		kp_buf_puts(out, ",\"exe\":");
		kp_buf_json(out, origin->exe, strlen(origin->exe));
	}
	kp_origin_print(origin, &where);
	if (where.len) {
		kp_buf_puts(out, ",\"origin\":");
		kp_buf_json(out, where.data, where.len);
	}
	out->failed |= where.failed;
	kp_buf_done(&where);
}

void kp_event_print_json(const struct kp_hdr *event, const struct kp_print *how, struct kp_buf *out)
{
	const struct kp_event_desc *desc = kp_event_get(event->kind);

	kp_buf_printf(out, "{\"time_ns\":%" PRIu64 ",\"size\":%u,\"kind\":", event->time_ns,
		      event->size);
	if (desc)
		kp_buf_printf(out, "\"%s\"", desc->name);
	else
		kp_buf_printf(out, "%u", event->kind);
	kp_buf_printf(out, ",\"cpu\":%u,\"pid\":%u,\"tid\":%u", event->cpu, event->pid, event->tid);
	if (how->comm) {
		kp_buf_puts(out, ",\"task\":");
		kp_buf_json(out, how->comm, strnlen(how->comm, KP_COMM_LEN));
	}
	if (how->origin)
		print_json_origin(how->origin, out);
	if (how->time) {
		kp_buf_puts(out, ",\"time\":\"");
		how->time(event->time_ns, how->arg, out);
		kp_buf_putc(out, '"');
	}
	for (unsigned i = 0; desc && i < desc->field_cnt; i++)
		print_json_field(event, &desc->fields[i], how, out);
	if (desc && desc->tail != KP_TAIL_NONE)
		print_json_data(event, desc, out);
	kp_buf_putc(out, '}');
}
