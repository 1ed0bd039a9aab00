#include "crash_work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "store/committer.h"
#include "store/volume.h"

#define NAMES         6
#define WRITE_LEN_MAX (1u << 20)

void workload_init(struct workload *work, struct model *model, uint64_t seed)
{
	memset(work, 0, sizeof(*work));
	work->model = model;
	work->random = seed;
	pthread_mutex_init(&work->mutex, NULL);
	pthread_cond_init(&work->answered, NULL);
}

void workload_destroy(struct workload *work)
{
	pthread_cond_destroy(&work->answered);
	pthread_mutex_destroy(&work->mutex);
}

uint64_t workload_draw(struct workload *work)
{
	uint64_t z = work->random += 0x9e3779b97f4a7c15ull; /* splitmix64 */

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

uint64_t workload_below(struct workload *work, uint64_t limit)
{
	return workload_draw(work) % limit;
}

/* --- waiting requests ----------------------------------------------------------------- */

struct request {
	struct workload *work;
	struct model_ticket ticket;
	bool is_durable; /* acknowledge the model when it is answered */
};

void workload_answered(void *ctx, enum err err, size_t bytes)
{
	struct request *request = ctx;
	struct workload *work = request->work;

	(void)bytes;
	if (err == ERR_OK && request->is_durable)
		model_acknowledge(work->model, &request->ticket);
	pthread_mutex_lock(&work->mutex);
	if (err != ERR_OK && work->why[0] == '\0')
		snprintf(work->why, sizeof(work->why), "a request failed: %s", err_text(err));
	work->waiting--;
	pthread_cond_broadcast(&work->answered);
	pthread_mutex_unlock(&work->mutex);
	free(request);
}

struct request *workload_request(struct workload *work, size_t node, bool is_durable)
{
	struct request *request = malloc(sizeof(*request));

	if (request == NULL)
		abort();
	*request = (struct request){work, model_request(work->model, node), is_durable};
	pthread_mutex_lock(&work->mutex);
	work->waiting++;
	pthread_mutex_unlock(&work->mutex);
	return request;
}

void workload_wait(struct workload *work)
{
	pthread_mutex_lock(&work->mutex);
	while (work->waiting > 0)
		pthread_cond_wait(&work->answered, &work->mutex);
	pthread_mutex_unlock(&work->mutex);
}

/* --- the workload ------------------------------------------------------------------------ */

void workload_expect(struct workload *work, enum err err, const char *what)
{
	if (err != ERR_OK && work->why[0] == '\0')
		snprintf(work->why, sizeof(work->why), "%s failed: %s", what, err_text(err));
}

static void say(const struct workload *work, const char *text)
{
	if (work->is_verbose)
		fprintf(stderr, "%zu: %s\n", work->op, text);
}

/* A node of that type which still has a name; 0: none (the root for directories). */
static size_t pick(struct workload *work, enum model_type type)
{
	size_t count = model_node_count(work->model), start = workload_below(work, count);

	for (size_t i = 0; i < count; i++) {
		size_t node = (start + i) % count;

		if (model_type(work->model, node) == type &&
		    (node == 0 || model_links(work->model, node) > 0))
			return node;
	}
	return 0;
}

static void pick_name(struct workload *work, char name[MODEL_NAME_MAX])
{
	snprintf(name, MODEL_NAME_MAX, "n%u", (unsigned int)workload_below(work, NAMES));
}

/* Its lookup is given back when it is not among the newest any more. */
static void know(struct workload *work, uint64_t number)
{
	uint64_t *place = &work->known[work->known_next++ % WORKLOAD_KNOWN];

	if (*place != 0)
		store_forget(work->store, *place, 1);
	*place = number;
}

static void do_create(struct workload *work)
{
	size_t dir = pick(work, MODEL_DIRECTORY), node;
	enum model_type type = workload_below(work, 4) == 0 ? MODEL_DIRECTORY
			       : workload_below(work, 8) == 0 ? MODEL_SYMLINK : MODEL_FILE;
	struct store_attr attr;
	char name[MODEL_NAME_MAX];
	enum err err;

	pick_name(work, name);
	if (model_find(work->model, dir, name) >= 0 ||
	    model_node_count(work->model) == MODEL_NODES_MAX)
		return;
	say(work, "create");
	node = model_create(work->model, dir, name, type);
	if (type == MODEL_SYMLINK)
		err = store_symlink(work->store, model_number(work->model, dir), name, "target",
				    0, 0, &attr);
	else
		err = store_create_node(work->store, model_number(work->model, dir), name,
					type == MODEL_FILE ? S_IFREG | 0644 : S_IFDIR | 0755, 0, 0,
					0, &attr);
	workload_expect(work, err, "create");
	if (err == ERR_OK) {
		model_set_number(work->model, node, attr.number);
		know(work, attr.number);
	}
}

static size_t random_len(struct workload *work)
{
	switch (workload_below(work, 8)) {
	case 0:
		return 1 + workload_below(work, WRITE_LEN_MAX);
	case 1:
	case 2:
		return 1 + workload_below(work, 100u << 10);
	case 3:
		return 4096 * (1 + workload_below(work, 40));
	default:
		return 1 + workload_below(work, 5000);
	}
}

static void do_write(struct workload *work)
{
	size_t node = pick(work, MODEL_FILE);
	size_t len = random_len(work);
	uint64_t size = node == 0 ? 0 : model_size(work->model, node), offset;
	bool is_durable = workload_below(work, 10) == 0;
	static uint8_t data[WRITE_LEN_MAX];
	uint64_t fill = workload_draw(work);

	if (node == 0)
		return;
	switch (workload_below(work, 4)) {
	case 0:
		offset = size; /* append */
		break;
	case 1:
		offset = workload_below(work, size + 1);
		break;
	case 2:
		offset = workload_below(work, 64) * 4096;
		break;
	default:
		offset = workload_below(work, 8) == 0 ? workload_below(work, 2u << 20) : 0;
	}
	if (offset + len > MODEL_SIZE_MAX)
		return;
	for (size_t i = 0; i + 8 <= len; i += 8, fill = fill * 6364136223846793005ull + 1)
		memcpy(data + i, &fill, 8);
	data[len - 1] = (uint8_t)(fill >> 56);
	say(work, is_durable ? "write, durable" : "write");
	model_write(work->model, node, offset, data, len);
	store_write(work->store, model_number(work->model, node), offset, data, len, is_durable,
		    workload_answered, workload_request(work, node, is_durable));
}

static void do_truncate(struct workload *work)
{
	size_t node = pick(work, MODEL_FILE);
	struct store_setattr set = {.valid = STORE_SET_SIZE};
	struct store_attr attr;

	if (node == 0)
		return;
	set.size = workload_below(work, 3) == 0 ? 0 : workload_below(work, model_size(work->model, node) * 2 + 1);
	if (set.size > MODEL_SIZE_MAX)
		return;
	say(work, "truncate");
	model_truncate(work->model, node, set.size);
	workload_expect(work, store_setattr(work->store, model_number(work->model, node), &set, &attr),
	       "truncate");
}

static void do_fsync(struct workload *work)
{
	size_t node = pick(work, MODEL_FILE);

	say(work, "fsync");
	store_fsync(work->store, model_number(work->model, node), workload_answered,
		    workload_request(work, node, true));
}

static void do_sync(struct workload *work)
{
	say(work, "sync");
	store_sync(work->store, workload_answered, workload_request(work, MODEL_NODES_MAX, true));
}

static void do_rename(struct workload *work)
{
	size_t dir = pick(work, MODEL_DIRECTORY), new_dir = pick(work, MODEL_DIRECTORY);
	char name[MODEL_NAME_MAX], new_name[MODEL_NAME_MAX];
	bool is_exchange = workload_below(work, 6) == 0;
	int node, target;

	pick_name(work, name);
	pick_name(work, new_name);
	node = model_find(work->model, dir, name);
	target = model_find(work->model, new_dir, new_name);
	if (node < 0 || model_is_below(work->model, new_dir, (size_t)node) ||
	    (is_exchange && (target < 0 || model_is_below(work->model, dir, (size_t)target))))
		return;
	if (!is_exchange && target >= 0 && target != node &&
	    ((model_type(work->model, (size_t)node) == MODEL_DIRECTORY) !=
		     (model_type(work->model, (size_t)target) == MODEL_DIRECTORY) ||
	     !model_is_empty(work->model, (size_t)target)))
		return;
	say(work, is_exchange ? "exchange" : target >= 0 ? "rename over" : "rename");
	workload_wait(work); /* one rename at a time: the model has one order */
	model_rename(work->model, dir, name, new_dir, new_name, is_exchange);
	store_rename(work->store, model_number(work->model, dir), name,
		     model_number(work->model, new_dir), new_name,
		     is_exchange ? STORE_RENAME_EXCHANGE : 0, workload_answered,
		     workload_request(work, (size_t)node, false));
	workload_wait(work);
}

static void do_unlink(struct workload *work)
{
	size_t dir = pick(work, MODEL_DIRECTORY);
	char name[MODEL_NAME_MAX];
	uint64_t number = model_number(work->model, dir);
	int node;

	pick_name(work, name);
	node = model_find(work->model, dir, name);
	if (node < 0 || !model_is_empty(work->model, (size_t)node))
		return;
	say(work, "unlink");
	model_unlink(work->model, dir, name);
	if (model_type(work->model, (size_t)node) == MODEL_DIRECTORY)
		workload_expect(work, store_rmdir(work->store, number, name), "rmdir");
	else
		workload_expect(work, store_unlink(work->store, number, name), "unlink");
}

static void do_link(struct workload *work)
{
	size_t dir = pick(work, MODEL_DIRECTORY), node = pick(work, MODEL_FILE);
	struct store_attr attr;
	char name[MODEL_NAME_MAX];
	enum err err;

	pick_name(work, name);
	if (node == 0 || model_find(work->model, dir, name) >= 0)
		return;
	say(work, "link");
	model_link(work->model, node, dir, name);
	err = store_link(work->store, model_number(work->model, node),
			 model_number(work->model, dir), name, &attr);
	workload_expect(work, err, "link");
	if (err == ERR_OK)
		know(work, attr.number);
}

static void do_xattr(struct workload *work)
{
	size_t node = pick(work, MODEL_FILE);
	uint64_t value[8] = {workload_draw(work)};

	if (node == 0)
		return;
	say(work, "setxattr");
	model_set_xattr(work->model, node, value, sizeof(value));
	workload_expect(work,
	       store_setxattr(work->store, model_number(work->model, node), "user.state", value,
			      sizeof(value), 0),
	       "setxattr");
}

static void do_checkpoint(struct workload *work)
{
	say(work, "checkpoint");
	committer_checkpoint(work->store->committer);
}

static void do_pause(struct workload *work)
{
	struct timespec pause = {0, (long)workload_below(work, 5) * 1000000};

	nanosleep(&pause, NULL);
}

static void do_wait(struct workload *work)
{
	workload_wait(work);
}

static const struct {
	void (*run)(struct workload *);
	unsigned int weight;
} operations[] = {
	{do_create, 14}, {do_write, 36}, {do_truncate, 8}, {do_fsync, 10}, {do_sync, 2},
	{do_rename, 12}, {do_unlink, 6}, {do_link, 4},     {do_xattr, 4},  {do_checkpoint, 2},
	{do_pause, 4},	 {do_wait, 4},
};

void workload_step(struct workload *work)
{
	unsigned int total = 0, picked;
	size_t i = 0;

	for (size_t j = 0; j < sizeof(operations) / sizeof(operations[0]); j++)
		total += operations[j].weight;
	picked = (unsigned int)workload_below(work, total);
	while (picked >= operations[i].weight)
		picked -= operations[i++].weight;
	operations[i].run(work);
}
