/* SPDX-License-Identifier: MIT
 * Another build against the log.
 */
#include "replay/engine.h"

int kp_engine_run_other(struct kp_engine *engine)
{
	return kp_engine_refuse(engine, "another build cannot be judged yet");
}
