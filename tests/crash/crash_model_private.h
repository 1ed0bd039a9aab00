/* What crash_model.c, which records, crash_content.c and crash_check.c, which compares, share. */
#ifndef PHIFS_TESTS_CRASH_MODEL_PRIVATE_H
#define PHIFS_TESTS_CRASH_MODEL_PRIVATE_H

#include <pthread.h>

#include "crash_model.h"
#include "crypto/hash.h"

/* One content state: the time of the change and its digest. */
struct state {
	uint64_t clock;
	uint8_t digest[SHA256_LEN];
};

/* A namespace state; `floor_node` was renamed over another name by it (R3). */
struct names_state {
	uint64_t clock;
	uint8_t digest[SHA256_LEN];
	int floor_node; /* -1: none */
	uint64_t floor_clock;
};

#define CONTENT_BLOCK	  4096u
#define CONTENT_SUM_WORDS (SHA256_LEN / sizeof(uint64_t))

struct model_content_sum {
	uint64_t words[CONTENT_SUM_WORDS];
};

struct model_content {
	uint8_t *bytes; /* MODEL_SIZE_MAX of them; zeroes behind the end */
	uint64_t size;
	struct model_content_sum *blocks, sum;
};

struct model_node {
	enum model_type type;
	uint64_t number;
	struct model_content content; /* a file's */
	bool is_found;		      /* the latest one, by the last check */
	struct state *states;
	size_t state_count, state_room;
	uint64_t acknowledged; /* clock */
	uint8_t xattr[SHA256_LEN];
};

struct entry {
	size_t dir, node;
	char name[MODEL_NAME_MAX];
};

struct model {
	pthread_mutex_t mutex;
	uint64_t clock;
	struct model_node nodes[MODEL_NODES_MAX];
	size_t node_count;
	struct entry entries[MODEL_NODES_MAX * 2];
	size_t entry_count;
	struct names_state *names;
	size_t names_count, names_room;
	uint64_t names_acknowledged;
	struct model_node *before; /* of which some are kept; NULL: it has begun */
	size_t before_count;
	model_told *told; /* NULL: nobody */
	void *told_ctx;
};

/* What a listing says of one name. */
struct line {
	char path[128];
	uint64_t number;
	uint32_t type, links;
	uint8_t xattr[SHA256_LEN];
};

#define LINES_MAX (MODEL_NODES_MAX * 4)

/* LINES_MAX of them, zeroed; the caller's. */
struct line *model_lines_new(void);
/* All names below `dir`, whose path is `path`, behind the first `count` lines; how many then. */
size_t model_list(const struct model *model, size_t dir, const char *path, struct line *lines,
		  size_t count);
/* Of a value; of a listing, which is sorted. */
void model_digest(const void *data, size_t len, uint8_t digest[SHA256_LEN]);
void model_digest_lines(struct line *lines, size_t count, uint8_t digest[SHA256_LEN]);
/* Empty; within MODEL_SIZE_MAX; the digest of what it is, and of bytes that lie elsewhere. */
void model_content_init(struct model_content *content);
void model_content_destroy(struct model_content *content);
void model_content_put(struct model_content *content, uint64_t offset, const void *data, size_t len);
void model_content_resize(struct model_content *content, uint64_t size);
void model_content_digest(const struct model_content *content, uint8_t digest[SHA256_LEN]);
void model_content_digest_bytes(const void *bytes, size_t size, uint8_t digest[SHA256_LEN]);
/* By their paths, for qsort. */
int model_by_path(const void *a, const void *b);

#endif
