/*
 * The control protocol: a frame from a socket as the daemon reads it, the same
 * JSON as every kind of request and reply.
 */
#include "fuzz.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/secmem.h"
#include "wire/frame.h"

const unsigned int fuzz_iterations = 30000;
bool fuzz_accepted;

static void add_frame(const struct wire_request *request)
{
	uint8_t bytes[WIRE_HEADER_LEN + 4096];
	char *json;
	size_t len;

	FUZZ_CHECK(wire_encode_request(request, &json, &len) == ERR_OK && len < 4000);
	store_u32(bytes, (uint32_t)len);
	store_u32(bytes + 4, (uint32_t)request->secret_len);
	memcpy(bytes + WIRE_HEADER_LEN, json, len);
	if (request->secret_len > 0)
		memcpy(bytes + WIRE_HEADER_LEN + len, request->secret, request->secret_len);
	fuzz_seed(bytes, WIRE_HEADER_LEN + len + request->secret_len);
	free(json);
}

static void add_reply(enum wire_type type)
{
	static const union {
#define REQUEST(id, word, request, part, secret) struct wire_##part word;
#include "wire/requests.def"
#undef REQUEST
	} empty;
	uint8_t bytes[WIRE_HEADER_LEN + 8192] = {0};
	char *json;
	size_t len;

	if (wire_encode_part(type, &empty, &json, &len) != ERR_OK)
		return;
	FUZZ_CHECK(len < 8192);
	store_u32(bytes, (uint32_t)len);
	memcpy(bytes + WIRE_HEADER_LEN, json, len);
	fuzz_seed(bytes, WIRE_HEADER_LEN + len);
	free(json);
}

void fuzz_corpus(void)
{
	FUZZ_CHECK(secmem_init() == ERR_OK);
	for (int type = 0; type < WIRE_TYPE_COUNT; type++) {
		struct wire_request request;
		uint8_t passphrase[] = "correct horse";

		memset(&request, 0, sizeof(request));
		request.type = (enum wire_type)type;
		if (wire_takes_secret(request.type)) {
			request.secret = passphrase;
			request.secret_len = sizeof(passphrase) - 1;
		}
		add_frame(&request);
		add_reply(request.type);
	}
}

static void decode_as_everything(const char *json, size_t len)
{
	static struct wire_reply reply;
	struct wire_request request;
	char *again;

	if (wire_decode_request(json, len, &request) == ERR_OK) {
		fuzz_accepted = true;
		FUZZ_CHECK(wire_encode_request(&request, &again, &len) == ERR_OK);
		free(again);
		wire_request_clear(&request);
	}
	for (int type = 0; type < WIRE_TYPE_COUNT; type++)
		if (wire_decode_reply((enum wire_type)type, json, len, &reply) == ERR_OK)
			fuzz_accepted = true;
}

static void receive(const uint8_t *data, size_t size)
{
	struct wire_request request;
	int ends[2];

	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
	FUZZ_CHECK(send(ends[0], data, size, MSG_DONTWAIT) == (ssize_t)size);
	close(ends[0]);
	while (wire_receive_request(ends[1], &request) == ERR_OK) {
		fuzz_accepted = true;
		wire_request_clear(&request);
	}
	close(ends[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	receive(data, size);
	if (size > WIRE_HEADER_LEN)
		decode_as_everything((const char *)data + WIRE_HEADER_LEN, size - WIRE_HEADER_LEN);
	return 0;
}
