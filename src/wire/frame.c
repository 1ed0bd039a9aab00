#include "wire/frame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/buf.h"
#include "base/secmem.h"

/* A peer that went away is ERR_NOT_FOUND, however the kernel says it. */
static enum err translate(int error_number)
{
	return error_number == EPIPE || error_number == ECONNRESET ? ERR_NOT_FOUND
								   : err_from_errno(error_number);
}

static enum err send_all(int fd, const void *data, size_t len)
{
	const uint8_t *next = data;

	while (len > 0) {
		ssize_t put = send(fd, next, len, MSG_NOSIGNAL);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return translate(errno);
		next += put;
		len -= (size_t)put;
	}
	return ERR_OK;
}

/* ERR_NOT_FOUND: closed before the first byte; ERR_FORMAT: closed inside. */
static enum err receive_all(int fd, void *data, size_t len)
{
	uint8_t *next = data;
	size_t left = len;

	while (left > 0) {
		ssize_t got = recv(fd, next, left, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return translate(errno);
		if (got == 0)
			return left == len ? ERR_NOT_FOUND : ERR_FORMAT;
		next += got;
		left -= (size_t)got;
	}
	return ERR_OK;
}

/* Messages may hold names of files. */
static void wipe_and_free(char *json, size_t len)
{
	if (json != NULL)
		secmem_wipe(json, len);
	free(json);
}

static enum err send_frame(int fd, const char *json, size_t len, const uint8_t *secret,
			   size_t secret_len)
{
	uint8_t header[WIRE_HEADER_LEN];
	enum err err;

	store_u32(header, (uint32_t)len);
	store_u32(header + 4, (uint32_t)secret_len);
	if ((err = send_all(fd, header, sizeof(header))) == ERR_OK &&
	    (err = send_all(fd, json, len)) == ERR_OK && secret_len > 0)
		err = send_all(fd, secret, secret_len);
	return err;
}

/* Inside a frame the end of the stream is malformed, not a goodbye. */
static enum err receive_rest(int fd, void *data, size_t len)
{
	enum err err = receive_all(fd, data, len);

	return err == ERR_NOT_FOUND ? ERR_FORMAT : err;
}

/* `*json` is malloc'd, `*secret` secmem; both the caller's, set only on success. */
static enum err receive_frame(int fd, size_t secret_max, char **json, size_t *len,
			      uint8_t **secret, size_t *secret_len)
{
	uint8_t header[WIRE_HEADER_LEN];
	uint8_t *hidden = NULL;
	char *text = NULL;
	enum err err = receive_all(fd, header, sizeof(header));
	size_t text_len, hidden_len;

	if (err != ERR_OK)
		return err;
	text_len = load_u32(header);
	hidden_len = load_u32(header + 4);
	if (text_len == 0 || text_len > WIRE_JSON_MAX || hidden_len > secret_max)
		return ERR_FORMAT;
	text = malloc(text_len);
	hidden = hidden_len > 0 ? secmem_alloc(hidden_len) : NULL;
	if (text == NULL || (hidden_len > 0 && hidden == NULL))
		err = ERR_NO_MEMORY;
	else if ((err = receive_rest(fd, text, text_len)) == ERR_OK && hidden_len > 0)
		err = receive_rest(fd, hidden, hidden_len);
	if (err != ERR_OK) {
		wipe_and_free(text, text_len);
		secmem_free(hidden);
		return err;
	}
	*json = text;
	*len = text_len;
	*secret = hidden;
	*secret_len = hidden_len;
	return ERR_OK;
}

enum err wire_receive_request(int fd, struct wire_request *request)
{
	uint8_t *secret = NULL;
	size_t len = 0, secret_len = 0;
	char *json = NULL;
	enum err err = receive_frame(fd, WIRE_SECRET_MAX, &json, &len, &secret, &secret_len);

	if (err != ERR_OK)
		return err;
	err = wire_decode_request(json, len, request);
	if (err == ERR_OK && secret_len > 0 && !wire_takes_secret(request->type))
		err = ERR_FORMAT;
	if (err == ERR_OK) {
		request->secret = secret;
		request->secret_len = secret_len;
		secret = NULL;
	}
	secmem_free(secret);
	wipe_and_free(json, len);
	return err;
}

enum err wire_send_request(int fd, const struct wire_request *request)
{
	size_t len = 0;
	char *json = NULL;
	enum err err;

	if (request->secret_len > WIRE_SECRET_MAX ||
	    (request->secret_len > 0 && !wire_takes_secret(request->type)))
		return ERR_INVALID;
	err = wire_encode_request(request, &json, &len);
	if (err == ERR_OK)
		err = send_frame(fd, json, len, request->secret, request->secret_len);
	wipe_and_free(json, len);
	return err;
}

enum err wire_send_part(int fd, enum wire_type type, const void *part)
{
	size_t len = 0;
	char *json = NULL;
	enum err err = wire_encode_part(type, part, &json, &len);

	if (err == ERR_OK)
		err = send_frame(fd, json, len, NULL, 0);
	wipe_and_free(json, len);
	return err;
}

static void copy_cut(char *to, size_t size, const char *from)
{
	size_t len = from != NULL ? strnlen(from, size - 1) : 0;

	memcpy(to, from != NULL ? from : "", len);
	to[len] = '\0';
}

enum err wire_send_result(int fd, enum err result, const char *message, const char *hint)
{
	struct wire_result data = {.error = result};
	size_t len = 0;
	char *json = NULL;
	enum err err;

	copy_cut(data.message, sizeof(data.message), message);
	copy_cut(data.hint, sizeof(data.hint), hint);
	err = wire_encode_result(&data, &json, &len);
	if (err == ERR_OK)
		err = send_frame(fd, json, len, NULL, 0);
	wipe_and_free(json, len);
	return err;
}

enum err wire_receive_reply(int fd, enum wire_type type, struct wire_reply *reply)
{
	uint8_t *secret = NULL;
	size_t len = 0, secret_len = 0;
	char *json = NULL;
	enum err err = receive_frame(fd, 0, &json, &len, &secret, &secret_len);

	if (err == ERR_OK)
		err = wire_decode_reply(type, json, len, reply);
	wipe_and_free(json, len);
	return err;
}
