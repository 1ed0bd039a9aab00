/*
 * A volume on watched simulated disks, for the tests of single rules: requests
 * that are begun and looked at, images of the moment and what they recover to.
 *
 * The commit timer is an hour unless a test says otherwise: nothing is
 * committed but what the test asks for.  Any failure fails the case.
 */
#ifndef PHIFS_TESTS_SCENE_H
#define PHIFS_TESTS_SCENE_H

#include <stdatomic.h>

#include "backing_watch.h"
#include "store/store.h"
#include "world.h"

#define SCENE_NO_TIMER 3600000u
#define KIB            1024u
#define MIB            (1024u * 1024u)

struct scene {
	struct world world;
	struct world_settings settings;
	struct store_recovery recovery;
	struct store *store;          /* the world's */
	struct backing *disk, *state; /* the watches */
};

/* A new volume, open. */
void scene_new(struct scene *scene);
void scene_new_with(struct scene *scene, const struct world_settings *settings);
/* With the file "x" of `len` letters 'a', check-pointed and opened: its number. */
uint64_t scene_new_with_x(struct scene *scene, size_t len);
/*
 * With "x" overwritten ('a', then 'b'), "gone" deleted and "y" ('a') untouched, 20 KiB
 * each: all committed and applied, nothing check-pointed.
 */
void scene_new_with_changes(struct scene *scene, char path_x[OBJECT_PATH_LEN],
			    char path_gone[OBJECT_PATH_LEN]);
/* What a power cut now leaves, recovered.  The choices are backing_sim_crash's. */
void scene_cut(struct scene *scene, uint64_t choice, struct scene *after);
/* The same, not opened: to be damaged first. */
void scene_cut_closed(struct scene *scene, uint64_t choice, uint64_t state_choice,
		      struct scene *after);
/* What a power cut now leaves has no damage, and the file `name` is these bytes. */
void scene_cut_expect(struct scene *scene, uint64_t choice, const char *name, const void *data,
		      size_t len);
/* Opens it; what unlocking says. */
enum err scene_open(struct scene *scene);
/* Lock and close: the world can be looked at and edited, then opened again. */
void scene_close(struct scene *scene);
void scene_free(struct scene *scene);

/* --- requests that may wait ------------------------------------------------------------ */

struct answer {
	atomic_bool is_there;
	enum err err;
};
void scene_fsync_begin(struct scene *scene, uint64_t number, struct answer *answer);
void scene_settle_begin(struct scene *scene, uint64_t number, struct answer *answer);
/* Begun and held before its first such call on the disk, which is the hold's number. */
int scene_fsync_held(struct scene *scene, uint64_t number, enum watch_call call, const char *path,
		     struct answer *answer);
/* Lets that go on, or any other hold on the disk; the answer comes, and is a success. */
void scene_release(struct scene *scene, int hold, struct answer *answer);
void scene_rename_begin(struct scene *scene, const char *name, const char *new_name,
			struct answer *answer);
void scene_write_begin(struct scene *scene, uint64_t number, uint64_t offset, const void *data,
		       size_t len, bool durable, struct answer *answer);
/* On a thread of their own: they may be held inside the call. */
struct helper;
struct helper *scene_write_beside(struct scene *scene, uint64_t number, uint64_t offset,
				  const void *data, size_t len, struct answer *answer);
struct helper *scene_truncate_beside(struct scene *scene, uint64_t number, uint64_t size,
				     struct answer *answer);
void helper_join(struct helper *helper);
/* Waits; its error. */
enum err answer_wait(struct answer *answer);

/* --- requests that are waited for, and succeed ---------------------------------------------- */

/* In the root; opened, and nothing else holds it. */
uint64_t scene_create(struct scene *scene, const char *name);
/* The same, of `len` times that letter. */
uint64_t scene_create_of(struct scene *scene, const char *name, char letter, size_t len);
uint64_t scene_find(struct scene *scene, const char *name);   /* looked up; 0: not there */
void scene_write(struct scene *scene, uint64_t number, uint64_t offset, const void *data,
		 size_t len);
void scene_truncate(struct scene *scene, uint64_t number, uint64_t size);
void scene_fsync(struct scene *scene, uint64_t number);
void scene_sync(struct scene *scene);
void scene_rename(struct scene *scene, const char *name, const char *new_name);
void scene_unlink(struct scene *scene, const char *name, uint64_t number); /* closed first */
/* Everything is committed, applied and check-pointed. */
void scene_checkpoint(struct scene *scene);
/* Everything that was committed is applied. */
void scene_applied(struct scene *scene);
/* A transaction of something unrelated: what the namespace needs goes with it. */
void scene_commit_another(struct scene *scene);

/* --- looking ------------------------------------------------------------------------------------- */

/* `len` bytes of letter `c`, the same memory at each call with that letter. */
const uint8_t *letters(char c, size_t len);
/* The content of the file is these bytes ... */
void scene_expect(struct scene *scene, uint64_t number, const void *data, size_t len);
/* ... or reading it is this error. */
enum err scene_read_error(struct scene *scene, uint64_t number);
uint64_t scene_size(struct scene *scene, uint64_t number);
/* Paths on the disk: "objects/xx/...", "objects/new/...". */
void scene_path(struct scene *scene, uint64_t number, char path[OBJECT_PATH_LEN]);
void scene_path_new(struct scene *scene, uint64_t number, char path[OBJECT_PATH_LEN]);
bool scene_is_on_disk(struct scene *scene, const char *path);
unsigned int scene_files_in(struct scene *scene, const char *directory);
/* Version in the ledger; 0: no row. */
uint64_t scene_version(struct scene *scene, uint64_t number);

/* --- the attacker: edits behind the volume's back, found again after any cut ------------------------- */

void scene_flip(struct scene *scene, const char *path, uint64_t offset);
void scene_peek(struct scene *scene, const char *path, void *data, size_t len, uint64_t offset);
void scene_poke(struct scene *scene, const char *path, const void *data, size_t len,
		uint64_t offset);
void scene_remove(struct scene *scene, const char *path);

#endif
