#include "store/ahead.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crew.h"
#include "base/secmem.h"
#include "store/content.h"
#include "store/node.h"

#define REQUEST_MIN (32u << 10)         /* smaller ones cost more to carry than to decrypt */
#define SEQUENTIAL_MIN 2u               /* requests that continued the one before */
#define DISTANCE    4u                  /* pieces ahead */
#define PIECES_OF_REQUEST (WRITE_MAX / AHEAD_PIECE + 1) /* at most, if it is not aligned */
#define KEEP_NS     (100 * NS_PER_MS)   /* nobody takes over a stream that was used since */

/* The state of a file that data was read from: a change, or a new load, gives another. */
struct version {
	uint64_t loaded, op;
};

enum piece_state { PIECE_EMPTY, PIECE_QUEUED, PIECE_FILLING, PIECE_READY };

/* Bytes [index * AHEAD_PIECE, + len) of the stream's file. */
struct piece {
	enum piece_state state;
	unsigned int readers; /* who copy from it: it is not filled anew meanwhile */
	uint64_t index;
	uint64_t ticket;      /* PIECE_QUEUED: the smallest is next */
	struct version version;
	size_t len;
	uint8_t *data;        /* AHEAD_PIECE bytes of the slab; NULL: not yet */
};

struct stream {
	uint64_t number;      /* of the node; 0: unused */
	uint64_t expected;    /* where the next request begins, if it is sequential */
	unsigned int sequential;
	int64_t used_ns;
	struct piece pieces[AHEAD_PIECES]; /* of index i: i % AHEAD_PIECES */
};

struct ahead {
	struct store *store;
	pthread_t thread;
	pthread_mutex_t mutex; /* protects all that follows */
	pthread_cond_t wake, filled, gone;
	bool is_stopping, is_gone;
	bool is_asleep;
	unsigned int waiting;  /* for `filled` */
	uint64_t tickets;
	struct stream streams[AHEAD_STREAMS];
};

static struct version version_of(struct content *content)
{
	struct node *node = content->node;
	struct version version;

	pthread_mutex_lock(&node->mutex);
	version = (struct version){content->loaded_op, node->op};
	pthread_mutex_unlock(&node->mutex);
	return version;
}

static bool is_same(struct version a, struct version b)
{
	return a.loaded == b.loaded && a.op == b.op;
}

/* --- filling, on the thread ---------------------------------------------------------- */

static struct piece *next_queued(struct ahead *ahead, uint64_t *number)
{
	struct piece *next = NULL;

	for (size_t i = 0; i < AHEAD_STREAMS; i++)
		for (size_t k = 0; k < AHEAD_PIECES; k++) {
			struct piece *piece = &ahead->streams[i].pieces[k];

			if (piece->state != PIECE_QUEUED ||
			    (next != NULL && next->ticket < piece->ticket))
				continue;
			next = piece;
			*number = ahead->streams[i].number;
		}
	return next;
}

/* All from one version, or ERR_AGAIN. */
static enum err read_piece(struct store *store, struct content *content, struct piece *piece)
{
	uint64_t offset = piece->index * AHEAD_PIECE, size;
	enum err err;

	piece->version = version_of(content);
	pthread_mutex_lock(&content->node->mutex);
	size = content->node->attr.size;
	pthread_mutex_unlock(&content->node->mutex);
	if (offset >= size)
		return ERR_AGAIN;
	piece->len = size - offset < AHEAD_PIECE ? (size_t)(size - offset) : AHEAD_PIECE;
	err = content_read(store, content, offset, piece->data, piece->len);
	if (err == ERR_OK && !is_same(version_of(content), piece->version))
		err = ERR_AGAIN;
	return err;
}

/* The piece is PIECE_FILLING: nobody else touches it. */
static enum err fill(struct ahead *ahead, uint64_t number, struct piece *piece)
{
	struct store *store = ahead->store;
	struct content *content;
	struct node *node;
	enum err err;

	if (piece->data == NULL)
		piece->data = slab_get(store->ahead_buffers);
	if (piece->data == NULL)
		return ERR_NO_MEMORY;
	err = store_may_read(store);
	/* Not from the ledger: what nobody holds any more may be on its way out. */
	node = err == ERR_OK ? node_find(store, number) : NULL;
	if (node == NULL)
		return ERR_STALE;
	err = content_get(store, node, &content);
	if (err == ERR_OK) {
		err = read_piece(store, content, piece);
		content_put(store, content);
	}
	node_put(store, node);
	return err;
}

static void *ahead_main(void *arg)
{
	struct ahead *ahead = arg;

	pthread_mutex_lock(&ahead->mutex);
	while (!ahead->is_stopping) {
		uint64_t number;
		struct piece *piece = next_queued(ahead, &number);
		enum err err;

		if (piece == NULL) {
			ahead->is_asleep = true;
			pthread_cond_wait(&ahead->wake, &ahead->mutex);
			ahead->is_asleep = false;
			continue;
		}
		piece->state = PIECE_FILLING;
		pthread_mutex_unlock(&ahead->mutex);
		err = fill(ahead, number, piece);
		pthread_mutex_lock(&ahead->mutex);
		/* Whatever went wrong, who wants it meets it again, and is told. */
		piece->state = err == ERR_OK ? PIECE_READY : PIECE_EMPTY;
		if (ahead->waiting > 0)
			pthread_cond_broadcast(&ahead->filled);
	}
	ahead->is_gone = true;
	pthread_cond_broadcast(&ahead->gone);
	pthread_mutex_unlock(&ahead->mutex);
	return NULL;
}

/* --- streams; ahead->mutex held --------------------------------------------------------- */

static bool is_busy(const struct stream *stream)
{
	for (size_t i = 0; i < AHEAD_PIECES; i++)
		if (stream->pieces[i].state == PIECE_FILLING || stream->pieces[i].readers > 0)
			return true;
	return false;
}

static void stream_begin(struct stream *stream, uint64_t number)
{
	for (size_t i = 0; i < AHEAD_PIECES; i++)
		stream->pieces[i].state = PIECE_EMPTY;
	stream->number = number;
	stream->expected = UINT64_MAX;
	stream->sequential = 0;
}

/* The file's, or one that nobody needs any more; NULL: all are in use. */
static struct stream *find_stream(struct ahead *ahead, uint64_t number, int64_t now_ns)
{
	struct stream *oldest = NULL;

	for (size_t i = 0; i < AHEAD_STREAMS; i++) {
		struct stream *stream = &ahead->streams[i];

		if (stream->number == number)
			return stream;
		if ((oldest == NULL || stream->used_ns < oldest->used_ns) && !is_busy(stream))
			oldest = stream;
	}
	if (oldest == NULL || (oldest->number != 0 && now_ns - oldest->used_ns < KEEP_NS))
		return NULL;
	stream_begin(oldest, number);
	return oldest;
}

/* Ask for what comes behind `end`, as far as there is room. */
static void queue_next(struct ahead *ahead, struct stream *stream, uint64_t end, uint64_t size)
{
	uint64_t first = end / AHEAD_PIECE;
	bool is_any = false;

	for (uint64_t i = first; i < first + DISTANCE && i * AHEAD_PIECE < size; i++) {
		struct piece *piece = &stream->pieces[i % AHEAD_PIECES];

		if (piece->state == PIECE_FILLING || piece->readers > 0 ||
		    (piece->state != PIECE_EMPTY && piece->index == i))
			continue;
		piece->state = PIECE_QUEUED;
		piece->index = i;
		piece->ticket = ahead->tickets++;
		is_any = true;
	}
	if (is_any && ahead->is_asleep)
		pthread_cond_signal(&ahead->wake);
}

/* --- taking ---------------------------------------------------------------------------------- */

/* One request that is served piece by piece. */
struct request {
	struct ahead *ahead;
	struct store *store;
	struct content *content;
	struct stream *stream;
	struct version version;
	uint64_t offset, end;
	uint8_t *data;
};

static uint64_t piece_start(const struct request *request, uint64_t index)
{
	uint64_t start = index * AHEAD_PIECE;

	return start > request->offset ? start : request->offset;
}

static uint64_t piece_end(const struct request *request, uint64_t index)
{
	uint64_t end = (index + 1) * AHEAD_PIECE;

	return end < request->end ? end : request->end;
}

/* What the slot of `index` holds for this request; ahead->mutex held. */
static enum piece_state look(const struct request *request, uint64_t index)
{
	struct piece *piece = &request->stream->pieces[index % AHEAD_PIECES];

	if (piece->index != index)
		return PIECE_EMPTY;
	/* Not begun: who needs it now reads it himself. */
	if (piece->state == PIECE_QUEUED)
		piece->state = PIECE_EMPTY;
	/*
	 * Behind its length is what the memory held before.  That may be asked for: the
	 * caller's size is older than its version if the file was cut off in between.
	 */
	if (piece->state == PIECE_READY &&
	    (!is_same(piece->version, request->version) ||
	     piece_end(request, index) > index * AHEAD_PIECE + piece->len))
		piece->state = PIECE_EMPTY;
	return piece->state;
}

/* Copy from a ready piece; ahead->mutex held, released meanwhile. */
static void copy_piece(const struct request *request, uint64_t index)
{
	struct piece *piece = &request->stream->pieces[index % AHEAD_PIECES];
	uint64_t start = piece_start(request, index), end = piece_end(request, index);

	piece->readers++;
	pthread_mutex_unlock(&request->ahead->mutex);
	memcpy(request->data + (start - request->offset),
	       piece->data + (start - index * AHEAD_PIECE), end - start);
	pthread_mutex_lock(&request->ahead->mutex);
	piece->readers--;
	if (end == index * AHEAD_PIECE + piece->len && piece->readers == 0)
		piece->state = PIECE_EMPTY;
}

/* Wait until the piece of `index` is not being filled any more. */
static void wait_filled(const struct request *request, uint64_t index)
{
	struct ahead *ahead = request->ahead;

	ahead->waiting++;
	while (look(request, index) == PIECE_FILLING)
		pthread_cond_wait(&ahead->filled, &ahead->mutex);
	ahead->waiting--;
}

/* Read here what nobody began, from `index` on; gives how many pieces that were. */
static enum err read_missing(const struct request *request, uint64_t index, uint64_t *count)
{
	uint64_t last = (request->end - 1) / AHEAD_PIECE, n = 1;
	uint64_t start = piece_start(request, index);
	enum err err;

	while (index + n <= last && look(request, index + n) == PIECE_EMPTY)
		n++;
	pthread_mutex_unlock(&request->ahead->mutex);
	err = content_read(request->store, request->content, start,
			   request->data + (start - request->offset),
			   piece_end(request, index + n - 1) - start);
	pthread_mutex_lock(&request->ahead->mutex);
	*count = n;
	return err;
}

/*
 * Ready pieces are copied, those that nobody began are read here, those that are
 * being filled are waited for at the end.  ahead->mutex held, released meanwhile.
 */
static enum err take_pieces(const struct request *request)
{
	uint64_t first = request->offset / AHEAD_PIECE;
	uint64_t last = (request->end - 1) / AHEAD_PIECE;
	bool done[PIECES_OF_REQUEST] = {false};
	enum err err = ERR_OK;

	for (int may_wait = 0; may_wait <= 1; may_wait++)
		for (uint64_t i = first; i <= last && err == ERR_OK;) {
			uint64_t count = 1;
			enum piece_state state;

			if (may_wait && !done[i - first])
				wait_filled(request, i);
			state = done[i - first] ? PIECE_FILLING : look(request, i);
			if (state == PIECE_READY)
				copy_piece(request, i);
			else if (state == PIECE_EMPTY)
				err = read_missing(request, i, &count);
			for (uint64_t k = i; k < i + count; k++)
				done[k - first] |= state != PIECE_FILLING;
			i += count;
		}
	return err;
}

/* Is the request the next of a row?  Then it has a stream to take from; ahead->mutex held. */
static struct stream *note_request(struct ahead *ahead, uint64_t number, uint64_t offset,
				   uint64_t end)
{
	int64_t now_ns = clock_boot_ns();
	struct stream *stream = find_stream(ahead, number, now_ns);

	if (stream == NULL)
		return NULL;
	stream->sequential = stream->expected == offset ? stream->sequential + 1 : 0;
	stream->expected = end;
	stream->used_ns = now_ns;
	return stream->sequential >= SEQUENTIAL_MIN ? stream : NULL;
}

enum err ahead_read(struct ahead *ahead, struct store *store, struct content *content,
		    uint64_t size, uint64_t offset, void *data, size_t len)
{
	struct request request = {.ahead = ahead, .store = store, .content = content,
				  .offset = offset, .end = offset + len, .data = data};
	bool is_served = false;
	enum err err = ERR_OK;

	if (ahead == NULL || len < REQUEST_MIN || len > WRITE_MAX)
		return content_read(store, content, offset, data, len);
	request.version = version_of(content);
	pthread_mutex_lock(&ahead->mutex);
	request.stream = note_request(ahead, content->node->number, offset, request.end);
	if (request.stream != NULL) {
		queue_next(ahead, request.stream, request.end, size);
		err = take_pieces(&request);
		is_served = true;
	}
	pthread_mutex_unlock(&ahead->mutex);
	/* Written to meanwhile: all of the answer is from one moment. */
	if (err == ERR_OK && (!is_served || !is_same(version_of(content), request.version)))
		err = content_read(store, content, offset, data, len);
	return err;
}

/* --- life ---------------------------------------------------------------------------------------- */

enum err ahead_start(struct store *store, struct ahead **out)
{
	struct ahead *ahead;

	*out = NULL;
	if (crew_helpers_for_machine() == 0)
		return ERR_OK;
	ahead = calloc(1, sizeof(*ahead));
	if (ahead == NULL)
		return ERR_NO_MEMORY;
	ahead->store = store;
	pthread_mutex_init(&ahead->mutex, NULL);
	pthread_cond_init(&ahead->wake, NULL);
	pthread_cond_init(&ahead->filled, NULL);
	clock_cond_init(&ahead->gone);
	if (pthread_create(&ahead->thread, NULL, ahead_main, ahead) != 0) {
		free(ahead);
		return ERR_SYSTEM;
	}
	*out = ahead;
	return ERR_OK;
}

void ahead_end(struct ahead *ahead)
{
	if (ahead == NULL)
		return;
	pthread_mutex_lock(&ahead->mutex);
	ahead->is_stopping = true;
	pthread_cond_signal(&ahead->wake);
	pthread_mutex_unlock(&ahead->mutex);
}

bool ahead_has_ended(struct ahead *ahead, int64_t deadline_ns)
{
	bool is_gone;

	if (ahead == NULL)
		return true;
	pthread_mutex_lock(&ahead->mutex);
	while (!ahead->is_gone && clock_boot_ns() < deadline_ns)
		clock_cond_wait(&ahead->gone, &ahead->mutex, deadline_ns);
	is_gone = ahead->is_gone;
	pthread_mutex_unlock(&ahead->mutex);
	return is_gone;
}

void ahead_stop(struct ahead *ahead)
{
	if (ahead == NULL)
		return;
	ahead_end(ahead);
	pthread_join(ahead->thread, NULL);
	for (size_t i = 0; i < AHEAD_STREAMS; i++)
		for (size_t k = 0; k < AHEAD_PIECES; k++)
			slab_put(ahead->store->ahead_buffers, ahead->streams[i].pieces[k].data);
	pthread_cond_destroy(&ahead->wake);
	pthread_cond_destroy(&ahead->filled);
	pthread_cond_destroy(&ahead->gone);
	pthread_mutex_destroy(&ahead->mutex);
	free(ahead);
}
