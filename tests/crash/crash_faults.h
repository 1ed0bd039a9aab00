/* One case of crash-faults: a workload in which one thing goes wrong. */
#ifndef PHIFS_TESTS_CRASH_FAULTS_H
#define PHIFS_TESTS_CRASH_FAULTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum fault_kind {
	FAULT_NONE,       /* counts the calls there are */
	FAULT_IO_ONCE,    /* one call fails, a write when half of it is made */
	FAULT_IO_FOREVER, /* and all after it */
	FAULT_FULL_ONCE,  /* one call finds no room */
	FAULT_FULL_DISK,  /* the disk is full from that call on; after a while there is room again */
	FAULT_KINDS
};

struct fault_case {
	uint64_t seed; /* of the workload */
	enum fault_kind kind;
	bool is_state;      /* the state disk, not the ciphertext's */
	bool is_recovering; /* calls are counted in a recovery, not in the workload */
	uint64_t call;      /* the changing call; 1 is the first */
	bool is_verbose;
};

/* What a case tells; shared with its process. */
struct fault_result {
	atomic_uint_least64_t states;
	uint64_t calls[2][2]; /* FAULT_NONE: [is_state][is_recovering] */
	bool has_struck;
	char why[512]; /* "": all is well */
};

/* In a process of its own, which it may take down.  world_template comes before. */
void fault_case_run(const struct fault_case *fault, struct fault_result *result);

#endif
