/* What the control socket answers for a volume. */
#ifndef PHIFS_DAEMON_ANSWERS_H
#define PHIFS_DAEMON_ANSWERS_H

#include "daemon/control.h"
#include "daemon/volume.h"

/* The table; its ctx is the volume. */
void answers_fill(struct volume *volume, struct control_calls *calls);

/* One for each request; answers_status.c and answers_locate.c have their own. */
enum err answer_status(struct control_call *call);
enum err answer_locate(struct control_call *call);

/* Who is at the other end, as records name people. */
void answers_person(struct control_call *call, struct audit_person *person);

#endif
