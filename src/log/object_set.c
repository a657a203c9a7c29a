/* SPDX-License-Identifier: MIT
 * Objects that events name; see object_set.h.
 */
#include "log/object_set.h"

#include <errno.h>
#include <string.h>

#include "base/limit.h"

bool kp_object_of(const struct kp_ev_file_object *event, struct kp_object *ret_object)
{
	if (event->state != KP_FILE_WHOLE || event->data_len != KP_OBJECT_HASH_LEN)
		return false;
	ret_object->len = event->len;
	memcpy(ret_object->hash, KP_TAIL(event), KP_OBJECT_HASH_LEN);
	return true;
}

int kp_object_set_add(struct kp_object_set *set, const struct kp_ev_file_object *event)
{
	struct kp_object object;
	const uint64_t *known;

	if (!kp_object_of(event, &object))
		return 0;
	known = kp_map_get(&set->index, kp_object_key(&object));
	if (known && !memcmp(set->all.at[*known].hash, object.hash, sizeof(object.hash)))
		return 0;
	if (KP_VEC_PUSH(&set->all, object) < 0)
		return -ENOMEM;
	return kp_map_put(&set->index, kp_object_key(&object), set->all.cnt - 1);
}

void kp_object_set_done(struct kp_object_set *set)
{
	KP_VEC_DONE(&set->all);
	kp_map_done(&set->index);
}

int kp_object_check(int objects_fd, const struct kp_object *object, uint64_t *ret_len,
		    const char **ret_why)
{
	int r = kp_object_disk_len(objects_fd, object, ret_len, ret_why);

	if (r < 0)
		return r;
	if (object->len / KP_MAX_UNPACKED <= *ret_len)
		return kp_object_read(objects_fd, object, KP_OBJECT_ANY_LEN, NULL, NULL, ret_why);
	*ret_why = "it would unpack to more than a recorder writes";
	return -EBADMSG;
}
