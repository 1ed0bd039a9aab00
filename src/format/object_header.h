/*
 * The 512-byte header at the start of every object: 80 bytes in clear, 432
 * bytes sealed with AES-256-GCM.  FORMAT.md, "Object header".
 *
 * Pure: bytes <-> struct.  Every field from disk is checked.
 */
#ifndef PHIFS_FORMAT_OBJECT_HEADER_H
#define PHIFS_FORMAT_OBJECT_HEADER_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/err.h"
#include "crypto/aead.h"
#include "format/layout.h"

#define OBJECT_HEADER_LEN   512u
#define OBJECT_NAME_MAX     255u
#define OBJECT_ROOT_LEN     32u
#define OBJECT_FORMAT       1u
#define OBJECT_CIPHER_AES256_GCM 1u

#define OBJECT_FLAG_INLINE  0x01u /* content in page 0, behind entry 0 */
#define OBJECT_FLAG_PUBLIC  0x02u /* reserved: object key sealed to the volume's public key */

struct object_id {
	uint8_t bytes[16]; /* number, little-endian, 8 bytes || random, 8 bytes */
};

/* The number: st_ino and the ledger's key. */
uint64_t object_id_number(const struct object_id *id);
bool object_id_is_zero(const struct object_id *id);
/* A path below the ciphertext directory: "objects/xx/<32 digits>" (59 bytes at most). */
#define OBJECT_PATH_LEN 64
void object_path(const struct object_id *id, char path[OBJECT_PATH_LEN]);
void object_path_new(const struct object_id *id, char path[OBJECT_PATH_LEN]); /* "objects/new/..." */

/* What an object is, as the header (sealed) and the ledger row hold it. */
struct object_attr {
	uint64_t version; /* grows by one with each commit */
	uint64_t size;    /* bytes */
	uint8_t root[OBJECT_ROOT_LEN];
	uint32_t mode;    /* S_IF* and permission bits */
	uint32_t uid;
	uint32_t gid;
	uint32_t nlink;
	uint64_t rdev;
	struct timespec atime, mtime, ctime, btime;
	uint64_t blocks;  /* allocated data blocks of 4096 bytes */
};

bool object_attr_equal(const struct object_attr *one, const struct object_attr *other);

struct object_header {
	uint32_t epoch;
	bool is_inline;
	struct object_id id;
	struct object_attr attr;
	struct object_id attributes; /* object that holds xattrs and extra links; zero: none */
	struct object_id parent;     /* a directory that has `name` for it; zero: none */
	uint8_t name_len;
	char name[OBJECT_NAME_MAX + 1];
};

/*
 * Seal `header` into 512 bytes.  `key` is the object key of 64 bytes (the
 * header key is its second half), `nonce` fresh.
 */
enum err object_header_seal(const struct object_header *header, const uint8_t key[64],
			    const uint8_t nonce[AEAD_NONCE_LEN],
			    uint8_t out[OBJECT_HEADER_LEN]) MUST_CHECK;

/*
 * The clear part only: id, epoch, flags.  ERR_FORMAT (magic, unknown flag),
 * ERR_VERSION (format, cipher or block size not known here).
 */
enum err object_header_peek(const uint8_t in[OBJECT_HEADER_LEN],
			    struct object_header *header) MUST_CHECK;

/*
 * Open and verify.  ERR_TAMPERED if it does not open under `key`, or the key
 * check differs; ERR_FORMAT, ERR_VERSION as above.
 */
enum err object_header_open(const uint8_t in[OBJECT_HEADER_LEN], const uint8_t key[64],
			    struct object_header *header) MUST_CHECK;

/*
 * Tree pages other than page 0 begin with a node header of 512 bytes {magic,
 * level, index, epoch, id, zeroes}.  It only helps offline tools find their
 * way: what counts is the hash.
 */
void node_header_encode(const struct object_id *id, uint32_t epoch, int level, uint64_t index,
			uint8_t out[NODE_HEADER_LEN]);

/*
 * SHA-256("node" || id || level u8 || index u64 || epoch u32 || body).  The
 * first 28 bytes are the entry in the parent; the top node's whole hash is the root.
 */
void node_hash(const struct object_id *id, uint32_t epoch, int level, uint64_t index,
	       const uint8_t body[NODE_BODY_LEN], uint8_t out[OBJECT_ROOT_LEN]);

/* What a data block's tag also covers: block index u64 || kind u8. */
#define BLOCK_AD_LEN 9u
enum block_kind { BLOCK_KIND_DATA = 1, BLOCK_KIND_INLINE = 2 };
void block_ad(uint64_t block, enum block_kind kind, uint8_t ad[BLOCK_AD_LEN]);

#endif
